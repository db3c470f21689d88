/** Two real operators on one stack: hand-over, take-over, and a leader that wakes too late. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import { type App, appOf } from '../support/app.ts';
import { eventually, printLogsOnFailure, startEmbedded } from '../support/embedded.ts';
import { type OperatorUnderTest, spawnOperator } from '../support/operators.ts';
import type { TappedCall } from '../support/tap.ts';

let app: App;
let leader: OperatorUnderTest;
let standby: OperatorUnderTest;

beforeAll(async () => {
  app = appOf(await startEmbedded({ withOperator: false }));
});
afterAll(() => app?.embedded.stop());

const leads = (operator: OperatorUnderTest, timeoutMs = 30_000) =>
  eventually(
    `${operator.name} leads`,
    async () => {
      const { view } = await operator.ready();
      return view.role === 'leader' && view.synced && view.epoch;
    },
    timeoutMs,
  );

beforeEach(async () => {
  printLogsOnFailure(app.embedded);
  leader = await spawnOperator('first', app.embedded);
  await leads(leader);
  standby = await spawnOperator('second', app.embedded);
  await eventually('the second stands by', async () => (await standby.role()) === 'standby');
  onTestFailed(() => console.error(`--- first\n${leader.output()}\n--- second\n${standby.output()}`));
});
afterEach(async () => {
  await leader?.close();
  await standby?.close();
});

const isPoll = ({ target }: TappedCall) => target.endsWith('.GetRecords');
const releases = ({ body }: TappedCall) => body.includes('"holder":{"S":""}');
const starts = ({ target, body }: TappedCall, id: string) =>
  target.endsWith('TransactWriteItems') && body.includes(id) && body.includes('-deploy');

/** One execution, which the record shows, whoever led when. */
async function deployedOnce(id: string): Promise<void> {
  await app.until(id, 'DEPLOYED');
  expect(await app.executions(id)).toEqual([{ name: expect.stringContaining(`${id}-`), status: 'SUCCEEDED' }]);
  expect(await app.hosts(id)).toHaveLength(1);
  expect(((await app.embedded.stats()) as { maxWorkingOnOneEnclave: number }).maxWorkingOnOneEnclave).toBe(1);
}

describe('two operators', () => {
  it('a standby is ready, and reads no streams', async () => {
    await app.post('enc_standby');
    await deployedOnce('enc_standby');
    expect((await standby.ready()).status).toBe(200);
    expect(standby.calls.length).toBeGreaterThan(0);
    expect(standby.calls.filter((target) => target.startsWith('DynamoDBStreams'))).toEqual([]);
    expect(leader.calls.some((target) => target.startsWith('DynamoDBStreams'))).toBe(true);
  });

  it('SIGTERM hands over: streams first, then the lease', async () => {
    const id = 'enc_handover';
    await app.embedded.sim('holdApply', { enclaveId: id });
    await app.post(id);
    await app.until(id, 'DEPLOYING');
    const order: string[] = [];
    leader.database.hook = async (call, when) => {
      if (isPoll(call)) order.push(`poll ${when}`);
      if (releases(call)) order.push(`release ${when}`);
      return false;
    };
    const before = (await leader.ready()).view.epoch!;
    const began = performance.now();
    const ended = leader.end('SIGTERM');
    const epoch = await leads(standby);
    console.info(`hand-over: ${Math.round(performance.now() - began)} ms`);
    await ended;
    expect(epoch).toBe(before + 1);
    const released = order.indexOf('release before');
    expect(released).toBeGreaterThanOrEqual(0);
    expect(order.slice(released).filter((each) => each.startsWith('poll'))).toEqual([]);
    await app.embedded.sim('holdApply', { enclaveId: id, held: false });
    await deployedOnce(id);
  });

  it('SIGKILL: the standby takes over, and the run in flight is not started again', async () => {
    const id = 'enc_takeover';
    await app.embedded.sim('holdApply', { enclaveId: id });
    await app.post(id);
    await app.until(id, 'DEPLOYING');
    const began = performance.now();
    await leader.end('SIGKILL');
    await leads(standby);
    console.info(`take-over: ${Math.round(performance.now() - began)} ms`);
    await app.embedded.sim('holdApply', { enclaveId: id, held: false });
    await deployedOnce(id);
  });

  it('SIGSTOP before a marker is written: when it thaws, the marker is refused', async () => {
    const id = 'enc_thawed';
    let thaw: () => void = () => {};
    const thawed = new Promise<void>((resolve) => {
      thaw = resolve;
    });
    const answers: string[] = [];
    let frozen = false;
    leader.database.hook = async (call, when) => {
      if (!starts(call, id)) return false;
      if (when === 'after') answers.push('answered');
      else if (!frozen) {
        // Frozen with its commit on the way: it arrives when another has long led.
        frozen = true;
        leader.signal('SIGSTOP');
        await thawed;
      }
      return false;
    };
    await app.post(id);
    await eventually('the leader is frozen', () => frozen);
    const epoch = await leads(standby);
    await deployedOnce(id);
    const stored = await app.get(id);

    thaw();
    leader.signal('SIGCONT');
    await eventually('its commit was answered', () => answers.length > 0);
    await eventually('it stands by', async () => (await leader.role()) === 'standby');
    expect(leader.output()).toContain('no longer leading');
    expect((await standby.ready()).view).toMatchObject({ role: 'leader', epoch });
    expect(await app.get(id)).toEqual(stored);
    await deployedOnce(id);
  });
});
