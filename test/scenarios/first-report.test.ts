/** A deployment that the host itself keeps from running, on virtual time: the host is mended, not deployed to again. */
import { expect, it } from 'vitest';
import type { Illness } from '../support/memory-hosts.ts';
import { MINUTE } from '../support/time.ts';
import { virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';
const RUNNING = { name: 'e', state: 'RUNNING', cpuCount: 2, memoryMiB: 1_024, debug: false };

it.each<[string, Illness]>([
  [
    'too few cores are reserved',
    { says: { enclaves: [], allocator: { cpuCount: 0, memoryMiB: 0, ok: false } }, cure: 'restartAllocator' },
  ],
  ['an enclave does not end', { says: { enclaves: [{ ...RUNNING, state: 'TERMINATING' }] }, cure: 'boot' }],
])('where %s from the first report on', async (_, illness) => {
  const v = virtualOperator();
  v.start();
  await v.clock.advance(5_000);
  v.post(ID);
  await v.until(() => v.world.hosts.living(ID).length === 1, 'a host is launched');
  const host = v.host(ID);
  // What boots with it is not yet what it reports.
  v.world.hosts.freezeReports(host);
  await v.until(
    () => host.state === 'running' && v.lifecycle(ID)?.phase === 'verifying',
    'its first report is awaited',
  );
  await v.clock.advance(MINUTE);
  v.world.hosts.freezeReports(host, false);
  v.world.hosts.ail(host, illness);
  await v.until(() => v.lifecycle(ID)?.phase === 'repairing', 'the host is mended', 30 * MINUTE);
  await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED', 30 * MINUTE);
  expect(v.executions(ID)).toHaveLength(1);
  expect(v.lifecycle(ID)?.phase).toBe('ready');
});
