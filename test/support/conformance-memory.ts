/** The memory fakes as a harness of the conformance suites. */
import { toPlain } from '../../src/aws/dynamodb/marshal.ts';
import type { MakeHarness } from './conformance-harness.ts';
import { createMemoryWorld } from './memory-world.ts';
import { seededRandom, VirtualClock } from './virtual-clock.ts';

export const memoryHarness: MakeHarness = async () => {
  const world = createMemoryWorld({ clock: new VirtualClock(), random: seededRandom(1) });
  const at = (key: Readonly<Record<string, string>>): [string, string] =>
    key.id === undefined ? [key.pk ?? '', key.sk ?? ''] : [key.id, ''];
  return {
    ports: world.ports,
    put: async (table, item) => world.tables[table].put(toPlain(item)),
    delete: async (table, key) => world.tables[table].delete(...at(key)),
    item: async (table, key) => world.tables[table].get(...at(key)),
    close: async () => {},
  };
};
