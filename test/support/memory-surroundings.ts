/** What surrounds hosts in memory: what an apply makes of it, and what becomes of it afterwards. */
import {
  type GroupRule,
  type Made,
  namesDigest,
  policiesDigest,
  policyDigest,
  rulesDigest,
} from '../../src/enclave/digests.ts';
import type { Difference } from '../../src/enclave/items/plan.ts';
import type { RunItem } from '../../src/enclave/items/run.ts';
import { isPlainMap } from '../../src/enclave/json.ts';
import { resourceName } from '../../src/enclave/names.ts';
import type { KeyDocuments } from '../../src/reconciler/ports/index.ts';
import type {
  SeenAgent,
  SeenAttestation,
  SeenGroup,
  SeenLogGroup,
  SeenRole,
  SeenVolume,
  Span,
  Surroundings,
} from '../../src/reconciler/ports/inventory.ts';
import type { MemoryHosts } from './memory-hosts.ts';

/** All of it may be changed by a test, as somebody in the console would. */
export interface MemorySurrounding {
  readonly region: string;
  readonly groupId: string;
  rules: readonly GroupRule[];
  role: Omit<SeenRole, 'enclaveId' | 'name'>;
  volume: Omit<SeenVolume, 'enclaveId' | 'volumeId' | 'instanceId'>;
  /** Undefined: somebody has deleted it. */
  logGroup: Omit<SeenLogGroup, 'enclaveId'> | undefined;
  key: (KeyDocuments & { readonly arn: string }) | undefined;
  /** What else differs, and only a plan shows. */
  hidden: readonly Difference[];
}

const statement = (Action: string, more: object = {}) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*', ...more }] });

export const groupIdOf = (enclaveId: string) => `sg-${enclaveId}`;

export class MemorySurroundings implements Surroundings {
  readonly all = new Map<string, MemorySurrounding>();
  /** What enclaves have had decrypted, oldest first. */
  readonly attested: SeenAttestation[] = [];
  readonly #hosts: MemoryHosts;
  readonly #pageSize: number;

  constructor(hosts: MemoryHosts, pageSize = 1_000) {
    this.#hosts = hosts;
    this.#pageSize = pageSize;
  }

  /** As Terraform makes it, whatever it was before; answers what the runner writes down of it. */
  apply({ id, variables: { region, spec = {} } }: RunItem): Made {
    const ports = Array.isArray(spec.exposePorts) ? (spec.exposePorts as number[]) : [];
    const attestation = isPlainMap(spec.attestation) ? spec.attestation : {};
    const measured = Array.isArray(attestation.expectedMeasurements) && attestation.expectedMeasurements.length > 0;
    const logs = isPlainMap(spec.logs) ? spec.logs : {};
    const kms = Array.isArray(spec.awsServices) && spec.awsServices.includes('kms');
    const made: MemorySurrounding = {
      region,
      groupId: groupIdOf(id),
      rules: [
        ...ports.map((port) => rule('ingress', port, '10.0.0.0/16')),
        rule('egress', 443, 'pl-1'),
        rule('egress', 53, '10.0.0.0/16'),
      ],
      role: {
        trust: statement('sts:AssumeRole', { Principal: { Service: 'ec2.amazonaws.com' } }),
        attachedArns: [],
        inline: {
          'enclave-logs': statement('logs:PutLogEvents'),
          'enclave-host': statement('s3:GetObject', { Sid: id }),
        },
      },
      volume: { encrypted: true, deleteOnTermination: true },
      logGroup: {
        retentionDays: typeof logs.retentionDays === 'number' ? logs.retentionDays : 30,
        kmsKeyArn: typeof logs.kmsKeyArn === 'string' ? logs.kmsKeyArn : null,
      },
      key:
        measured && kms && attestation.kmsKeyArn === undefined
          ? {
              arn: `arn:aws:kms:${region}:000000000000:key/${id}`,
              state: 'Enabled',
              policy: statement('kms:DescribeKey'),
              grantIds: [],
            }
          : undefined,
      hidden: [],
    };
    this.all.set(id, made);
    return madeOf(made);
  }

  destroy(id: string): void {
    this.all.delete(id);
  }

  // The port.

  async *groups(region: string, signal: AbortSignal): AsyncIterable<readonly SeenGroup[]> {
    yield* this.#pages(
      signal,
      this.#each(region, (enclaveId, { groupId, rules }) => [{ enclaveId, groupId, rules }]),
    );
  }

  async *volumes(region: string, signal: AbortSignal): AsyncIterable<readonly SeenVolume[]> {
    yield* this.#pages(
      signal,
      this.#each(region, (enclaveId, { volume }) =>
        this.#hosts.living(enclaveId).map(({ instanceId }) => ({
          enclaveId,
          volumeId: `vol-${instanceId}`,
          instanceId,
          ...volume,
        })),
      ),
    );
  }

  async *logGroups(region: string, signal: AbortSignal): AsyncIterable<readonly SeenLogGroup[]> {
    yield* this.#pages(
      signal,
      this.#each(region, (enclaveId, { logGroup }) => (logGroup === undefined ? [] : [{ enclaveId, ...logGroup }])),
    );
  }

  async *agents(region: string, signal: AbortSignal): AsyncIterable<readonly SeenAgent[]> {
    const hosts = [...this.#hosts.all.values()].filter((host) => host.region === region && host.state !== 'terminated');
    const agents = hosts.map(({ instanceId, state, managed }) => ({
      instanceId,
      online: state === 'running' && managed,
    }));
    yield* this.#pages(signal, agents);
  }

  async *roles(signal: AbortSignal): AsyncIterable<readonly SeenRole[]> {
    const roles = [...this.all].map(([enclaveId, { role }]) => ({
      enclaveId,
      name: resourceName('instance-role', enclaveId),
      ...role,
    }));
    yield* this.#pages(signal, roles);
  }

  async *attestations(
    _region: string,
    { from, until }: Span,
    signal: AbortSignal,
  ): AsyncIterable<readonly SeenAttestation[]> {
    yield* this.#pages(
      signal,
      this.attested.filter(({ at }) => at >= from && at <= until),
    );
  }

  async key(keyArn: string, withGrants: boolean): Promise<KeyDocuments> {
    // The key of an enclave's own is called as the enclave is.
    const key = this.all.get(keyArn.slice(keyArn.lastIndexOf('/') + 1))?.key;
    if (key?.arn !== keyArn) return { state: 'Gone' };
    return { state: key.state, policy: key.policy, grantIds: withGrants ? key.grantIds : undefined };
  }

  #each<T>(region: string, of: (enclaveId: string, surrounding: MemorySurrounding) => readonly T[]): readonly T[] {
    return [...this.all].flatMap(([id, each]) => (each.region === region ? of(id, each) : []));
  }

  async *#pages<T>(signal: AbortSignal, items: readonly T[]): AsyncIterable<readonly T[]> {
    for (let first = 0; first < items.length || first === 0; first += this.#pageSize) {
      signal.throwIfAborted();
      yield items.slice(first, first + this.#pageSize);
    }
  }
}

function rule(direction: GroupRule['direction'], port: number, peer: string): GroupRule {
  return { direction, protocol: 'tcp', fromPort: port, toPort: port, peer };
}

function madeOf({ groupId, rules, role, key }: MemorySurrounding): Made {
  return {
    groupId,
    rules: rulesDigest(rules),
    trust: policyDigest(role.trust),
    attached: namesDigest(role.attachedArns),
    inline: policiesDigest(role.inline),
    ...(key === undefined ? {} : { keyArn: key.arn, keyPolicy: policyDigest(key.policy) }),
  };
}
