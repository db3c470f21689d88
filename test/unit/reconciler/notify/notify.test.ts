/** Notifications on virtual time: what is told, once, again, and by whom. */
import { describe, expect, it } from 'vitest';
import type { Control } from '../../../../src/enclave/items/fleet.ts';
import { keys, type OperatorEvent } from '../../../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../../../src/enclave/items/lifecycle.ts';
import { ConfigSchema } from '../../../../src/reconciler/config.ts';
import {
  type Draft,
  keyOf,
  notification,
  standingOf,
  TOLD_EVENTS,
  toldEvent,
} from '../../../../src/reconciler/notify/notification.ts';
import { Outbox } from '../../../../src/reconciler/notify/outbox.ts';
import { classOfStatus } from '../../../../src/reconciler/notify/webhook.ts';
import { OperatorError } from '../../../../src/reconciler/ports/index.ts';
import { memoryLog } from '../../../support/memory-world.ts';
import { type Receiver, receiver } from '../../../support/receiver.ts';
import { seededRandom, VIRTUAL_START_MS, VirtualClock } from '../../../support/virtual-clock.ts';
import { type VirtualOperator, virtualOperator } from '../../../support/virtual-operator.ts';

const ID = 'enc_1';
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const iso = (ms: number) => new Date(VIRTUAL_START_MS + ms).toISOString();

const draft = (fields: Partial<Draft> = {}): Draft => ({
  kind: 'Stalled',
  severity: 'warning',
  subject: ID,
  reason: 'TerminalError',
  message: 'no',
  since: iso(0),
  ...fields,
});
const made = (fields: Partial<Draft> = {}) => notification('dev', draft(fields));

function outbox() {
  const clock = new VirtualClock();
  const to = receiver();
  const log = memoryLog();
  const config = ConfigSchema.parse({});
  const box = new Outbox({ channel: to, ports: { clock, random: seededRandom(7), log }, config });
  const stopper = new AbortController();
  return { clock, to, log, box, stop: () => stopper.abort(), running: box.run(stopper.signal) };
}

describe('a notification', () => {
  it('has the same id for the same occurrence, and another for another', () => {
    expect(made().id).toBe(made({ message: 'in other words' }).id);
    for (const other of [{ since: iso(1) }, { subject: 'enc_2' }, { reason: 'RetryLimitReached' }]) {
      expect(made(other).id).not.toBe(made().id);
    }
  });

  it('is one bounded line, whatever a record put into it', () => {
    const { message, subject } = made({ message: `a\r\nb\u0000\u2028\u202Ec${'x'.repeat(5_000)}`, subject: 'e\nf' });
    expect(message).toMatch(/^a b cx+…$/);
    expect(message).toHaveLength(1_000);
    expect(subject).toBe('e f');
  });

  it.each(Object.entries(TOLD_EVENTS))('is made of the event %s', (reason, { kind, severity }) => {
    const event: OperatorEvent = {
      ...{ v: 1, minReader: 1, id: 'us-west-2', at: iso(5), type: 'Warning', reason },
      ...{ message: 'm', actor: 'operator' },
    };
    expect(toldEvent(event)).toEqual({ kind, severity, subject: 'us-west-2', reason, message: 'm', since: iso(5) });
  });

  it.each(['PhaseChanged', 'constructor', '__proto__'])('is not made of the event %s', (reason) => {
    const event: OperatorEvent = {
      ...{ v: 1, minReader: 1, id: ID, at: iso(5), type: 'Warning', reason },
      ...{ message: 'm', actor: 'operator' },
    };
    expect(toldEvent(event)).toBeUndefined();
  });

  it('of a breaker is about its region, opened or closed', () => {
    const breaker = (reason: string) => made({ kind: 'Breaker', subject: 'us-west-2', reason });
    expect(keyOf(breaker('BreakerOpened'))).toBe(keyOf(breaker('BreakerClosed')));
  });
});

describe('what stands of an enclave', () => {
  const at = { observedGeneration: 1, lastTransitionTime: iso(0), message: 'm' };
  const lifecycle = (phase: string, ...conditions: readonly object[]) =>
    ({ id: ID, phase, conditions: conditions.map((each) => ({ ...at, ...each })) }) as unknown as Lifecycle;
  const stalled = { type: 'Stalled', status: 'True', reason: 'TerminalError' };
  const insecure = (reason: string) => ({ type: 'Secure', status: 'False', reason });

  it.each([
    { reason: 'nothing where all is well', given: lifecycle('ready'), kinds: [] },
    {
      reason: 'both',
      given: lifecycle('stalled', stalled, insecure('DebugEnclave')),
      kinds: ['Stalled', 'SecurityFinding'],
    },
    { reason: 'what is no longer so', given: lifecycle('ready', { ...stalled, status: 'False' }), kinds: [] },
    { reason: 'an adopted host without agent', given: lifecycle('ready', insecure('LegacyHost')), kinds: [] },
    { reason: 'debug mode that the spec asks for', given: lifecycle('ready', insecure('DebugRequested')), kinds: [] },
    { reason: 'a tombstone', given: lifecycle('destroyed', stalled), kinds: [] },
  ])('$reason: $kinds', ({ given, kinds }) => {
    expect(standingOf(given).map(({ kind }) => kind)).toEqual(kinds);
  });
});

describe('an outbox', () => {
  it('tells the same of the same enclave once a window, and something else at once', async () => {
    const { clock, to, box } = outbox();
    for (const since of [0, 1, 2]) box.offer(made({ since: iso(since) }));
    box.offer(made({ subject: 'enc_2' }));
    box.offer(made({ reason: 'RetryLimitReached' }));
    await clock.flush();
    expect(to.got.map(({ subject, reason }) => `${subject} ${reason}`)).toEqual([
      'enc_1 TerminalError',
      'enc_2 TerminalError',
      'enc_1 RetryLimitReached',
    ]);
    expect(box.state()).toMatchObject({ delivered: 3, repeats: 2, waiting: 0 });
    await clock.advance(HOUR);
    box.offer(made({ since: iso(0) }));
    box.offer(made({ since: iso(HOUR) }));
    await clock.flush();
    expect(to.got.map(({ since }) => since).at(-1)).toBe(iso(HOUR));
    expect(to.got).toHaveLength(4);
  });

  it('tells each change of a breaker, however quickly it goes', async () => {
    const { clock, to, box } = outbox();
    const reasons = ['BreakerOpened', 'BreakerClosed', 'BreakerOpened'];
    for (const [at, reason] of reasons.entries()) {
      box.offer(made({ kind: 'Breaker', subject: 'us-west-2', reason, since: iso(at) }));
    }
    await clock.flush();
    expect(to.got.map(({ reason }) => reason)).toEqual(reasons);
  });

  it('tries again with growing pauses until the receiver takes it, in order', async () => {
    const { clock, to, box, log } = outbox();
    to.failure = new OperatorError('Transient', 'test', 'down');
    box.offer(made());
    box.offer(made({ subject: 'enc_2' }));
    await clock.advance(20 * MINUTE);
    expect(to.attempts).toBeGreaterThan(8);
    // Every second, it would have been more than a thousand.
    expect(to.attempts).toBeLessThan(60);
    expect(log.lines[0]).toMatchObject({ level: 'warn', message: 'a notification could not be sent: tried again' });
    to.failure = undefined;
    await clock.advance(5 * MINUTE);
    expect(to.got.map(({ subject }) => subject)).toEqual(['enc_1', 'enc_2']);
  });

  it('gives up what the receiver will never take, at once, and offers what still stands anew', async () => {
    const { clock, to, box } = outbox();
    to.failure = new OperatorError('Terminal', 'test', 'too large');
    box.offer(made());
    await clock.advance(SECOND);
    expect(box.state()).toMatchObject({ dropped: 1, waiting: 0 });
    to.failure = undefined;
    await clock.advance(5 * MINUTE);
    box.offer(made());
    await clock.flush();
    expect(to.got).toHaveLength(1);
  });

  it('gives up after an hour, so that a receiver that is gone holds nothing', async () => {
    const { clock, to, box, log } = outbox();
    to.failure = new OperatorError('Blocked', 'test', 'forbidden');
    box.offer(made());
    await clock.advance(66 * MINUTE);
    expect(box.state()).toMatchObject({ dropped: 1, waiting: 0 });
    expect(log.lines.at(-1)).toMatchObject({ level: 'error', message: 'a notification is given up' });
  });

  it('is bounded: what does not fit is counted, and a newer heartbeat replaces an older', async () => {
    const { clock, to, box } = outbox();
    to.failure = new OperatorError('Transient', 'test', 'down');
    for (let n = 0; n < 1_500; n += 1) box.offer(made({ subject: `enc_${n}` }));
    for (let n = 0; n < 10; n += 1) box.beat(made({ kind: 'Heartbeat', since: iso(n) }));
    expect(box.state()).toMatchObject({ waiting: 1_001, dropped: 500 });
    to.failure = undefined;
    await clock.advance(5 * MINUTE);
    expect(to.got).toHaveLength(1_001);
    expect(to.of('Heartbeat').map(({ since }) => since)).toEqual([iso(9)]);
  });

  it('sends nothing once it has stopped', async () => {
    const { clock, to, box, stop, running } = outbox();
    stop();
    await running;
    box.offer(made());
    await clock.advance(HOUR);
    expect(to.attempts).toBe(0);
  });
});

describe('what the answer of a receiver means', () => {
  it.each([
    { status: 301, reads: 'Blocked' },
    { status: 400, reads: 'Terminal' },
    { status: 401, reads: 'Blocked' },
    { status: 404, reads: 'Blocked' },
    { status: 408, reads: 'Transient' },
    { status: 413, reads: 'Terminal' },
    { status: 429, reads: 'Throttled' },
    { status: 500, reads: 'Transient' },
    { status: 503, reads: 'Transient' },
  ])('$status is $reads', ({ status, reads }) => {
    expect(classOfStatus(status)).toBe(reads);
  });
});

describe('an operator', () => {
  async function stalled(to: Receiver): Promise<VirtualOperator & { readonly kill: () => void }> {
    const v = virtualOperator();
    v.world.runs.script = () => ({ fails: { class: 'permission', message: 'the role may not do this' } });
    const { connection } = v.start([to]);
    await v.clock.advance(5 * SECOND);
    v.post(ID);
    await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'stalled');
    await v.clock.flush();
    return { ...v, kill: () => connection.kill() };
  }

  it('tells that an enclave is stalled, once, though every list finds it again', async () => {
    const to = receiver();
    const v = await stalled(to);
    await v.clock.advance(50 * MINUTE);
    expect(to.of('Stalled')).toMatchObject([
      { environment: 'dev', subject: ID, severity: 'warning', reason: 'TerminalError' },
    ]);
  });

  it('tells what stands again under a new leader, with the same id; a standby tells nothing', async () => {
    const [first, second] = [receiver('first'), receiver('second')];
    const v = await stalled(first);
    v.start([second]);
    await v.clock.advance(30 * MINUTE);
    expect(second.attempts).toBe(0);
    v.kill();
    await v.until(() => second.of('Stalled').length > 0, 'told again');
    expect(second.of('Stalled')[0]?.id).toBe(first.of('Stalled')[0]?.id);
  });

  it('loses nothing where it dies right after the commit that stalled the enclave', async () => {
    const [first, second] = [receiver('first'), receiver('second')];
    first.failure = new OperatorError('Transient', 'test', 'down');
    const v = await stalled(first);
    v.kill();
    v.start([second]);
    await v.until(() => second.of('Stalled').length > 0, 'told');
  });

  it('tells of held deletions at once, by the reason, and not of each enclave', async () => {
    const v = virtualOperator();
    const to = receiver();
    const ids = [1, 2, 3, 4].map((n) => `enc_${n}`);
    for (const id of ids) {
      v.world.hosts.launch({ enclaveId: id, region: 'us-west-2', state: 'running', reports: true });
      v.post(id, { status: 'DEPLOYED' });
    }
    const { connection } = v.start([to]);
    await v.until(() => ids.every((id) => v.lifecycle(id)?.phase === 'ready'), 'all ready');
    for (const id of ids) v.world.deleteRecord(id);
    await v.until(() => to.of('DeletionsHeld').length > 0, 'told before any list', 10 * SECOND);
    const control = v.world.tables.state.get(keys.control.pk, keys.control.sk) as unknown as Control;
    await v.clock.advance(2 * HOUR);
    expect(to.of('DeletionsHeld')).toMatchObject([
      { subject: 'fleet', severity: 'critical', since: control.deletionHold?.since },
    ]);
    expect(to.got.filter(({ kind }) => kind !== 'Heartbeat')).toHaveLength(1);
    connection.kill();
    const next = receiver('next');
    v.start([next]);
    await v.until(() => next.of('DeletionsHeld').length > 0, 'told by the next leader');
    expect(next.of('DeletionsHeld')[0]?.id).toBe(to.of('DeletionsHeld')[0]?.id);
  });

  it('tells of a debug enclave though it is repaired at once', async () => {
    const v = virtualOperator();
    const to = receiver();
    v.start([to]);
    await v.clock.advance(5 * SECOND);
    v.post(ID);
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    const host = v.world.hosts.living(ID)[0];
    if (host === undefined) throw new Error('DEPLOYED without a host');
    const { pk, sk } = keys.report(ID, host.instanceId);
    const enclaves = [{ name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 1024, debug: true }];
    host.sequence += 1;
    v.world.tables.state.put({ ...v.world.tables.state.get(pk, sk), enclaves, sequence: host.sequence });
    await v.until(() => to.of('SecurityFinding').length > 0, 'told');
    await v.clock.advance(10 * MINUTE);
    expect(to.of('SecurityFinding')).toMatchObject([{ subject: ID, severity: 'critical', reason: 'DebugEnclave' }]);
  });

  it('beats every quarter of an hour while it leads, and not while it makes no progress', async () => {
    const v = virtualOperator();
    const to = receiver();
    const { connection } = v.start([to]);
    await v.until(() => to.of('Heartbeat').length === 1, 'the first', MINUTE);
    await v.clock.advance(60 * MINUTE);
    expect(to.of('Heartbeat')).toHaveLength(5);
    expect(new Set(to.of('Heartbeat').map(({ id }) => id)).size).toBe(5);
    // As a network that swallows every call: nothing answers, and nothing fails.
    for (const table of ['records', 'state', 'history']) {
      connection.faults.before(`streams.${table}.page`, () => new Promise<never>(() => {}));
    }
    await v.clock.advance(60 * MINUTE);
    expect(to.of('Heartbeat').length).toBeLessThanOrEqual(6);
  });

  it('reconciles as ever while a receiver never answers', async () => {
    const v = virtualOperator();
    const deaf = { name: 'deaf', send: () => new Promise<never>(() => {}) };
    const { stop } = v.start([deaf]);
    await v.clock.advance(5 * SECOND);
    v.post(ID);
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
    const stopping = stop();
    await v.clock.flush();
    await stopping;
  });
});
