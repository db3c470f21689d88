/** Hosts that nobody owns: found only when it is sure, told once, never touched. */
import { beforeEach, describe, expect, it } from 'vitest';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const OWNED = 'enc_owned';
const STRAY = 'enc_stray';

let v: VirtualOperator;
let kill: () => void;
let calls: (operation: string) => number;

function start(): void {
  ({ calls, kill } = v.start());
}

const listed = () => v.control().orphans ?? [];
const events = () => v.events(STRAY).filter(({ reason }) => reason === 'OrphanFound');
const stray = (environment?: string) =>
  v.world.hosts.launch({
    enclaveId: STRAY,
    region: 'us-west-2',
    generation: 1,
    ...(environment === undefined ? {} : { environment }),
  });

beforeEach(async () => {
  v = virtualOperator();
  start();
  await v.clock.advance(5_000);
  await v.deploy(OWNED);
});

describe('a host of no enclave', () => {
  it('is told once, when it is older than ten minutes, and left alone', async () => {
    const host = stray();
    await v.clock.advance(9 * MINUTE);
    expect(listed()).toEqual([]);
    await v.clock.advance(4 * MINUTE);
    expect(listed()).toMatchObject([{ id: STRAY, instanceId: host.instanceId, region: 'us-west-2' }]);
    await v.clock.advance(30 * MINUTE);
    expect(events()).toHaveLength(1);
    expect(events()[0]?.count ?? 1).toBe(1);
    expect(host.state).toBe('running');
    expect(calls('hosts.stop')).toBe(0);
  });

  it('is told of no second time by another leader, and no longer once it is gone', async () => {
    const host = stray();
    await v.clock.advance(15 * MINUTE);
    kill();
    start();
    await v.clock.advance(15 * MINUTE);
    expect(listed()).toHaveLength(1);
    expect(events()).toHaveLength(1);
    v.world.hosts.terminate(host);
    await v.clock.advance(5 * MINUTE);
    expect(listed()).toEqual([]);
  });

  it('is none where a record or a lifecycle speaks for it', async () => {
    await v.clock.advance(60 * MINUTE);
    expect(listed()).toEqual([]);
    v.world.tables.state.put({
      ...v.world.tables.state.get(`enclave#${OWNED}`, 'lifecycle'),
      pk: `enclave#${STRAY}`,
      id: STRAY,
      phase: 'destroyed',
      retained: true,
      desired: 'Absent',
    });
    stray();
    await v.clock.advance(60 * MINUTE);
    expect(listed()).toEqual([]);
  });

  it('of another environment is nobody’s business', async () => {
    stray('elsewhere');
    await v.clock.advance(60 * MINUTE);
    expect(listed()).toEqual([]);
  });
});
