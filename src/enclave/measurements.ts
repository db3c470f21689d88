/** Measurements of an enclave: what PCRs are expected, and those that can be computed beforehand. */
import { createHash } from 'node:crypto';
import { resourceName } from './names.ts';

/** Registers are SHA-384. */
const REGISTER_BYTES = 48;

/** Expected values, by register (`pcr0`, `pcr1`, `pcr2`, `pcr8`), in lower case. */
export type MeasurementSet = Readonly<Record<string, string | undefined>>;

/** True for what a debug enclave attests. */
export function isAllZero(pcr: string | undefined): boolean {
  return pcr !== undefined && /^0+$/.test(pcr);
}

/** A register begins as zeros and is extended once: SHA-384 of both, as the Nitro hypervisor does it. */
function extendZeros(text: string): string {
  return createHash('sha384').update(Buffer.alloc(REGISTER_BYTES)).update(text, 'utf8').digest('hex');
}

/** PCR3, which binds to the role of the host: known before there is a host. */
export function pcr3OfRole(roleArn: string): string {
  return extendZeros(roleArn);
}

/** PCR4, which binds to one host: never bind a key to it, hosts are replaced. */
export function pcr4OfInstance(instanceId: string): string {
  return extendZeros(instanceId);
}

export interface Deployment {
  readonly accountId: string;
  readonly region: string;
  readonly enclaveId: string;
  /** Folder of the hosts' roles in IAM, with both slashes; `/` for a host of the pipeline before this one. */
  readonly rolePath: string;
  /** Absent before there is a host. */
  readonly instanceId?: string | undefined;
}

/** The registers that follow from where an enclave runs, whatever its image. */
export function computedMeasurements(deployment: Deployment): { readonly pcr3: string; readonly pcr4?: string } {
  const { instanceId } = deployment;
  return {
    pcr3: pcr3OfRole(hostRoleArn(deployment)),
    ...(instanceId === undefined ? {} : { pcr4: pcr4OfInstance(instanceId) }),
  };
}

/** The role of the enclave's host, by the contract's name. Its path is part of the ARN, and so of PCR3. */
export function hostRoleArn({ accountId, region, enclaveId, rolePath }: Deployment): string {
  return `arn:${partitionOf(region)}:iam::${accountId}:role${rolePath}${resourceName('instance-role', enclaveId)}`;
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

export type MeasurementVerdict = 'match' | 'mismatch' | 'unknown' | 'unexpected';

/**
 * Compares a report with what is expected: one matching set is enough. `unknown` where the report lacks a register
 * a set names and no set matches; `unexpected` where nothing is expected. A report is the host's own word, no
 * attestation: it can prove a mismatch, never a match.
 */
export function compareMeasurements(
  expected: readonly MeasurementSet[],
  reported: Readonly<Record<string, string>>,
): MeasurementVerdict {
  if (expected.length === 0) return 'unexpected';
  const seen = new Map(
    Object.entries(reported).map(([register, value]) => [register.toLowerCase(), value.toLowerCase()]),
  );
  const verdicts = expected.map((set) => compareSet(set, seen));
  if (verdicts.includes('match')) return 'match';
  return verdicts.includes('unknown') ? 'unknown' : 'mismatch';
}

/** Registers that a set names and the report lacks, of the sets that the report does not contradict; in order. */
export function missingRegisters(
  expected: readonly MeasurementSet[],
  reported: Readonly<Record<string, string>>,
): readonly string[] {
  const seen = new Map(
    Object.entries(reported).map(([register, value]) => [register.toLowerCase(), value.toLowerCase()]),
  );
  const open = expected.filter((set) => compareSet(set, seen) === 'unknown');
  const named = open.flatMap((set) => Object.keys(set).filter((register) => set[register] !== undefined));
  return [...new Set(named.map((register) => register.toLowerCase()))].filter((register) => !seen.has(register)).sort();
}

function compareSet(set: MeasurementSet, seen: ReadonlyMap<string, string>): 'match' | 'mismatch' | 'unknown' {
  let verdict: 'match' | 'unknown' = 'match';
  for (const [register, value] of Object.entries(set)) {
    if (value === undefined) continue;
    const actual = seen.get(register.toLowerCase());
    if (actual === undefined) verdict = 'unknown';
    else if (actual !== value.toLowerCase()) return 'mismatch';
  }
  return verdict;
}
