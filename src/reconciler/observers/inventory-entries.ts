/** Inventory entries: what the operator keeps of each item of a list, and which enclave it belongs to. */
import { digestRole, digestRules } from '../../drift/index.ts';
import { logGroupName } from '../../enclave/names.ts';
import type { Surroundings } from '../ports/inventory.ts';

/** Lists, by the port's names. */
export type Kind = Exclude<keyof Surroundings, 'key' | 'attestations'>;

/** What is kept of one item, and by what it is found again. */
export interface Entry {
  /** Undefined: there is nothing to compare of it. */
  readonly key: string | undefined;
  readonly value?: unknown;
  /** Whose it is, where the item says so. */
  readonly enclaveId?: string;
  /** What AWS calls it. */
  readonly name?: string;
  /** It is another environment's. */
  readonly foreign?: boolean;
}

/** One list, page by page, as far as it is compared or joined. */
export async function* entriesOf(
  kind: Kind,
  from: Surroundings,
  region: string,
  signal: AbortSignal,
): AsyncIterable<readonly Entry[]> {
  switch (kind) {
    case 'groups':
      for await (const page of from.groups(region, signal))
        yield page.map(({ enclaveId, groupId, rules }) => {
          return { enclaveId, name: groupId, key: groupId, value: digestRules(rules) };
        });
      return;
    case 'volumes': {
      const seen = new Set<string>();
      for await (const page of from.volumes(region, signal))
        yield page.map(({ enclaveId, volumeId, instanceId, ...volume }) => {
          if (instanceId === undefined) return { enclaveId, name: volumeId, key: undefined };
          // Of several the root is not known.
          const value = seen.has(instanceId) ? undefined : volume;
          seen.add(instanceId);
          return { enclaveId, name: volumeId, key: instanceId, value };
        });
      return;
    }
    case 'logGroups':
      for await (const page of from.logGroups(region, signal))
        yield page.map(({ enclaveId, ...group }) => {
          return { enclaveId, name: logGroupName(enclaveId), key: enclaveId, value: { exists: true, ...group } };
        });
      return;
    case 'agents':
      for await (const page of from.agents(region, signal))
        yield page.map(({ instanceId, online }) => ({ key: instanceId, value: online }));
      return;
    case 'roles':
      for await (const page of from.roles(signal))
        yield page.map(({ enclaveId, name, foreign = false, ...role }) => {
          return { enclaveId, name, foreign, key: enclaveId, value: foreign ? undefined : digestRole(role) };
        });
  }
}
