/** Inspection: every resource of one enclave, read now, part by part, because a person asked. */
import type { RoleDocuments } from '../../drift/index.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { regionOf } from '../../enclave/items/region-of.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';
import { type Host, type HostStatus, type KeyDocuments, OperatorError, type Ports } from '../ports/index.ts';
import type { InstanceAttributes, LogGroup } from '../ports/inspector.ts';
import type { GroupRule, SeenVolume } from '../ports/inventory.ts';
import { within } from '../ports/with-deadline.ts';
import type { Subject } from './inventory.ts';

/** Parts that are read each on its own, and what a person calls them. */
const PARTS = {
  hosts: 'hosts',
  status: 'checks and events',
  attributes: 'user data and termination protection',
  agent: 'agent',
  volume: 'volumes',
  rules: 'rules',
  logGroup: 'log group',
  role: 'role',
  key: 'key',
} as const;
export type InspectedPart = keyof typeof PARTS;

/** What was read. A part that is absent does not exist, or could not be read: then `unseen` says why. */
export interface Inspection {
  readonly hosts?: readonly Host[] | undefined;
  readonly status?: HostStatus | undefined;
  readonly attributes?: InstanceAttributes | undefined;
  readonly agent?: boolean | undefined;
  readonly volume?: Pick<SeenVolume, 'encrypted' | 'deleteOnTermination'> | undefined;
  readonly rules?: readonly GroupRule[] | undefined;
  readonly logGroup?: LogGroup | undefined;
  readonly role?: RoleDocuments | undefined;
  readonly key?: KeyDocuments | undefined;
  /** Wall time, ms, at which the operator began to read each part that it has read. */
  readonly observedAt: Readonly<Partial<Record<InspectedPart, number>>>;
  readonly unseen: readonly { readonly what: string; readonly why: string }[];
}

export type InspectionPorts = Pick<Ports, 'clock' | 'hosts' | 'surroundings' | 'inspector'>;

/** A part takes a few calls, each of which may wait for its turn. */
const PART_LIMIT_MS = 20_000;

/** The resources of an enclave as the operator knows them. */
export function subjectOf({ id, made, applied, pinned, ...lifecycle }: Lifecycle, defaultRegion: string): Subject {
  // Written by the operator, of a spec that was valid.
  const foreign = (applied as EnclaveSpec | undefined)?.attestation.kmsKeyArn;
  const arn = foreign ?? made?.keyArn;
  return {
    id,
    region: regionOf(lifecycle, defaultRegion),
    instanceId: pinned.instanceId,
    groupId: made?.groupId,
    key: arn === undefined ? undefined : { arn, own: foreign === undefined },
  };
}

/**
 * Reads all parts at the same time.
 *
 * *Guarantees*: settles within the time limit of one part. A part that fails, or is late, is absent and does not keep
 * the others from being read. *Errors*: none, except the signal's reason once it aborts.
 */
export async function inspect(subject: Subject, ports: InspectionPorts, signal: AbortSignal): Promise<Inspection> {
  const { id, region, instanceId, groupId, key } = subject;
  const { clock, hosts, inspector, surroundings } = ports;
  const observedAt: Partial<Record<InspectedPart, number>> = {};
  const failed = new Map<InspectedPart, string>();

  const read = async <T>(part: InspectedPart, work: (limited: AbortSignal) => Promise<T>): Promise<T | undefined> => {
    const startedAt = clock.now();
    const options = { clock, limitMs: PART_LIMIT_MS, operation: `reading ${PARTS[part]}`, signal };
    try {
      const value = await within(options, work);
      observedAt[part] = startedAt;
      return value;
    } catch (error) {
      failed.set(part, reasonOf(error));
      return undefined;
    }
  };
  const readFrom = <K, T>(
    from: K | undefined,
    part: InspectedPart,
    work: (from: K, limited: AbortSignal) => Promise<T>,
  ) => (from === undefined ? undefined : read(part, (limited) => work(from, limited)));

  const reading = Promise.all([
    read('hosts', () => findHosts(subject, hosts)),
    readFrom(instanceId, 'status', (host, limited) => first(hosts.status(region, [host], limited))),
    readFrom(instanceId, 'attributes', (host, limited) => inspector.instanceAttributes(region, host, limited)),
    readFrom(instanceId, 'agent', (host, limited) => inspector.agentOnline(region, host, limited)),
    readFrom(instanceId, 'volume', (host, limited) => inspector.rootVolume(region, host, limited)),
    readFrom(groupId, 'rules', (group, limited) => inspector.rules(region, group, limited)),
    read('logGroup', (limited) => inspector.logGroup(region, id, limited)),
    read('role', (limited) => inspector.role(id, limited)),
    readFrom(key, 'key', ({ arn, own }, limited) => surroundings.key(arn, own, limited)),
  ]);
  const [found, status, attributes, agent, volume, rules, logGroup, role, documents] = await unlessAborted(
    signal,
    reading,
  );
  const unseen = (Object.keys(PARTS) as InspectedPart[]).flatMap((part) => {
    const why = failed.get(part);
    return why === undefined ? [] : [{ what: PARTS[part], why }];
  });
  return { hosts: found, status, attributes, agent, volume, rules, logGroup, role, key: documents, observedAt, unseen };
}

/** All hosts that carry the enclave's tag, and the known one, whose tag somebody may have taken off. */
async function findHosts({ id, region, instanceId }: Subject, hosts: Ports['hosts']): Promise<readonly Host[]> {
  const tagged = await hosts.find(region, id);
  if (instanceId === undefined || tagged.some((host) => host.instanceId === instanceId)) return tagged;
  const pinned = await hosts.byInstanceId(region, instanceId);
  return pinned === undefined ? tagged : [...tagged, pinned];
}

/** Not every port takes a signal. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const result = await Promise.race([work, aborted.promise]);
    signal.throwIfAborted();
    return result;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function first<T>(pages: AsyncIterable<readonly T[]>): Promise<T | undefined> {
  for await (const [item] of pages) return item;
  return undefined;
}

/** Names the call and AWS' code alone: the message of an error may hold ARNs and account ids. */
function reasonOf(error: unknown): string {
  if (!(error instanceof OperatorError)) return error instanceof Error ? error.name : 'Error';
  const { operation, cause } = error;
  return `${operation}: ${cause instanceof Error ? cause.name : error.class}`;
}
