/** How long a change of a host goes unseen, in virtual time by production's settings. */
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { SeededRandom } from '../simulation/random.ts';
import { virtualOperator } from '../support/virtual-operator.ts';
import type { Figures } from './measurement.ts';
import { percentile, rounded } from './statistics.ts';

const ENCLAVES = 400;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** So few at a time that no breaker opens. */
const SPREAD_MS = 4 * HOUR;
const WEAK = { metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 1 } };

export async function benchDetect(): Promise<Figures> {
  const v = virtualOperator({ runInstancesPerSecond: 0, maxRuns: 1_000 });
  const { stop } = v.start();
  await v.clock.advance(5_000);
  const ids = Array.from({ length: ENCLAVES }, (_, n) => `enc_${n}`);
  for (const id of ids) v.post(id);
  await v.until(() => ids.every((id) => v.lifecycle(id)?.phase === 'ready'), 'all ready', HOUR);
  await v.clock.advance(5 * MINUTE);
  const changedAt = new Map<string, number>();
  const seconds: number[] = [];
  v.world.tables.state.watch((_, after) => {
    const { id, drift } = (after ?? {}) as Partial<Lifecycle>;
    const at = id === undefined || drift === undefined ? undefined : changedAt.get(id);
    if (at === undefined || id === undefined) return;
    changedAt.delete(id);
    seconds.push((v.clock.monotonic() - at) / 1_000);
  });
  const random = new SeededRandom('changes');
  for (const id of ids) {
    v.clock.schedule(random.between(0, SPREAD_MS), () => {
      const [host] = v.world.hosts.living(id);
      if (host === undefined) return;
      changedAt.set(id, v.clock.monotonic());
      v.world.hosts.alter(host, WEAK);
    });
  }
  await v.clock.advance(SPREAD_MS + 5 * MINUTE);
  await stop();
  if (seconds.length < ENCLAVES) throw new Error(`${ENCLAVES - seconds.length} changes were not seen`);
  return { detect_seconds_p99: rounded(percentile(seconds, 99), 1) };
}
