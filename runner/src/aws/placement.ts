/** Where a new host goes and what it boots from. A host that exists keeps both. */
import { createHash } from 'node:crypto';
import { DescribeInstanceTypeOfferingsCommand } from '@aws-sdk/client-ec2';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import type { RegionFacts } from '../../../infra/enclave/platform-facts.ts';
import { architectureOf } from '../../../src/enclave/instance-types/instance-types.ts';
import type { RunVariables } from '../../../src/enclave/items/run.ts';
import { isPlainMap } from '../../../src/enclave/json.ts';
import { EngineFailure } from '../engine/port.ts';
import { type AwsClients, unlessNamed } from './clients.ts';
import type { PresentHost } from './hosts.ts';
import { keyAlias, keyBehind } from './inventory.ts';

export interface Chosen {
  readonly subnetId?: string;
  readonly amiId?: string;
  /** The enclave has a key of its own: it stays, also where the spec no longer asks for one. */
  readonly hasKey?: boolean;
}

/** The newest Amazon Linux 2023 of an architecture, as AWS publishes it. */
const amazonLinux = (architecture: string) =>
  `/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${architecture}`;

const NONE = 'none';

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);

function invalid(summary: string): EngineFailure {
  return new EngineFailure([{ severity: 'error', summary, detail: '', class: 'validation' }]);
}

/**
 * True where this generation wants a new host and the one that exists was made for an earlier one, or is the very one a
 * repair is to replace. A run that is tried again finds the new host, and replaces it no second time.
 */
export function asksForNewHost(
  { change, replaces, generation }: RunVariables,
  present: Pick<PresentHost, 'generation'> & Partial<Pick<PresentHost, 'instanceId'>>,
): boolean {
  if (change !== 'replace') return false;
  return replaces === undefined ? present.generation !== String(generation) : present.instanceId === replaces;
}

/**
 * What the spec names; else what the host that exists has; else chosen now. A change that asks for a new host chooses
 * anew, so a replacement gets today's image.
 */
export async function choose(
  clients: AwsClients,
  enclaveId: string,
  variables: RunVariables,
  facts: RegionFacts,
  present: (Omit<PresentHost, 'instanceId' | 'dying'> & Partial<Pick<PresentHost, 'instanceId'>>) | undefined,
): Promise<Chosen> {
  const { spec, pinned } = variables;
  if (spec === undefined) return {};
  const host = isPlainMap(spec.host) ? spec.host : {};
  const instanceType = text(spec.instanceType) ?? '';
  const kept = present !== undefined && asksForNewHost(variables, present) ? undefined : present;
  const pinnedAmi = kept === undefined ? undefined : pinned.amiId;
  return {
    hasKey: (await keyBehind(clients, keyAlias(enclaveId))) !== undefined,
    subnetId: text(host.subnetId) ?? kept?.subnetId ?? (await chooseSubnet(clients, enclaveId, instanceType, facts)),
    amiId:
      text(host.amiId) ??
      pinnedAmi ??
      kept?.amiId ??
      (await resolveAmi(clients, text(host.amiSsmParameter) ?? amazonLinux(architectureOf(instanceType)))),
  };
}

/** A destroy makes no host, and the stack wants all the same to know of one: also where it is gone already. */
export async function chooseForDestroy(
  clients: AwsClients,
  enclaveId: string,
  present: Chosen | undefined,
): Promise<Chosen> {
  return {
    // A key the stack did not hold would be forgotten instead of deleted.
    hasKey: (await keyBehind(clients, keyAlias(enclaveId))) !== undefined,
    subnetId: present?.subnetId ?? NONE,
    amiId: present?.amiId ?? NONE,
  };
}

/** Among the subnets whose zone offers the type, always the same one for an enclave; over many enclaves, all of them. */
export async function chooseSubnet(
  clients: AwsClients,
  enclaveId: string,
  instanceType: string,
  facts: RegionFacts,
): Promise<string> {
  const answer = await clients.ec2.send(
    new DescribeInstanceTypeOfferingsCommand({
      LocationType: 'availability-zone',
      Filters: [{ Name: 'instance-type', Values: [instanceType] }],
    }),
  );
  const zones = new Set((answer.InstanceTypeOfferings ?? []).map(({ Location }) => Location));
  const ids = facts.subnets.filter(({ zone }) => zones.has(zone)).map(({ id }) => id);
  const chosen = pick(enclaveId, ids.sort());
  if (chosen !== undefined) return chosen;
  const ours = facts.subnets.map(({ zone }) => zone).join(', ');
  throw invalid(
    zones.size === 0
      ? `EC2 does not offer ${instanceType} in this region: choose another instanceType.`
      : `EC2 does not offer ${instanceType} in the zones of the platform's subnets (${ours}): choose another ` +
          'instanceType, or name a host.subnetId.',
  );
}

function pick(enclaveId: string, ids: readonly string[]): string | undefined {
  const number = createHash('sha256').update(enclaveId).digest().readUInt32BE(0);
  return ids[number % Math.max(1, ids.length)];
}

async function resolveAmi(clients: AwsClients, name: string): Promise<string> {
  const call = clients.ssm.send(new GetParameterCommand({ Name: name }));
  const answer = await unlessNamed(call, 'ParameterNotFound');
  const amiId = answer?.Parameter?.Value ?? '';
  if (/^ami-[0-9a-f]+$/.test(amiId)) return amiId;
  throw invalid(
    answer === undefined
      ? `The SSM parameter ${name}, which names the machine image, does not exist in this region.`
      : `The SSM parameter ${name} holds no id of a machine image.`,
  );
}
