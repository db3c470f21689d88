/** Drift answers: what comes of the requests that `enclavectl drift ID` writes. */
import { describe, expect, it } from 'vitest';
import { type DriftAnswer, DriftAnswerSchema } from '../../src/enclave/items/drift-answer.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Config } from '../../src/reconciler/config.ts';
import { DriftAnswers } from '../../src/reconciler/reconcile/drift-answers.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1755986905612_asked';

async function atRest(all: readonly string[] = [ID], config: Partial<Config> = {}) {
  const v = virtualOperator(config);
  const { connection, calls, stop } = v.start();
  await v.deploy(all);
  await v.clock.advance(MINUTE);
  const answer = (key: string, id = ID): DriftAnswer | undefined => {
    const { pk, sk } = keys.driftAnswer(id, key);
    const item = v.world.tables.history.get(pk, sk);
    return item === undefined ? undefined : DriftAnswerSchema.parse(item);
  };
  const answers = () => [...v.world.tables.history.items()].filter(({ pk }) => String(pk).startsWith('drift#'));
  const left = () => v.world.tables.state.partition(keys.requests(ID));
  const inspections = () => calls('inspector.logGroup');
  return { v, stop, connection, answer, answers, left, inspections };
}

describe('a request to compare an enclave', () => {
  it('is answered with every attribute, and changes nothing', async () => {
    const { v, stop, answer, left } = await atRest();
    const before = v.world.record(ID);
    const { key } = v.world.putRequest(ID, 'drift');
    await v.until(() => answer(key) !== undefined, 'it is answered', MINUTE);
    const { rows, unseen, refused, expiresAt, at } = answer(key)!;
    expect({ unseen, refused }).toEqual({ unseen: [], refused: undefined });
    expect(rows.filter(({ verdict }) => verdict === 'Drift')).toEqual([]);
    const observedAt = (attribute: string) => rows.find((row) => row.attribute === attribute)?.observedAt;
    for (const attribute of ['host.exists', 'host.userData', 'network.rules', 'role.policies', 'logs.group']) {
      expect(Date.parse(observedAt(attribute) ?? ''), attribute).toBeGreaterThan(Date.parse(at) - MINUTE);
    }
    expect(observedAt('enclave.running')).toBeTruthy();
    expect(expiresAt).toBe(Math.floor(Date.parse(at) / 1_000) + 3_600);
    expect(left()).toEqual([]);
    expect(v.world.record(ID)).toEqual(before);
    await stop();
  });

  it('is answered with what differs at that moment, which is no part of the lifecycle', async () => {
    const { v, stop, answer } = await atRest();
    const around = v.around(ID);
    around.rules = [
      ...around.rules,
      { direction: 'ingress', protocol: 'tcp', fromPort: 22, toPort: 22, peer: '0.0.0.0/0' },
    ];
    const { key } = v.world.putRequest(ID, 'drift');
    await v.until(() => answer(key) !== undefined, 'it is answered', MINUTE);
    const row = answer(key)?.rows.find(({ attribute }) => attribute === 'network.rules');
    expect(row).toMatchObject({ verdict: 'Drift', severity: 'critical', repair: 'apply' });
    expect(row?.observed).toContain('ingress tcp 22-22 0.0.0.0/0');
    expect(JSON.stringify(v.lifecycle(ID))).not.toContain('ingress tcp 22-22');
    expect(JSON.stringify(v.world.record(ID))).not.toContain('ingress tcp 22-22');
    await stop();
  });

  it('names a part that cannot be read, and compares the others', async () => {
    const { v, stop, connection, answer } = await atRest();
    connection.faults.before('inspector.role', () => {
      throw new Error('no');
    });
    const { key } = v.world.putRequest(ID, 'drift');
    await v.until(() => answer(key) !== undefined, 'it is answered', MINUTE);
    const { rows, unseen } = answer(key)!;
    expect(unseen).toEqual([{ what: 'role', why: 'Error' }]);
    const verdict = (attribute: string) => rows.find((row) => row.attribute === attribute)?.verdict;
    expect([verdict('role.policies'), verdict('network.rules')]).toEqual(['Unknown', 'Match']);
    await stop();
  });

  it('shares one inspection with all others of its enclave, and is inspected no more afterwards', async () => {
    const { v, stop, answer, inspections } = await atRest();
    const requests = Array.from({ length: 5 }, () => v.world.putRequest(ID, 'drift'));
    await v.until(() => requests.every(({ key }) => answer(key) !== undefined), 'all are answered', MINUTE);
    expect(inspections()).toBe(1);
    await v.clock.advance(2 * HOUR);
    expect(inspections()).toBe(1);
    await stop();
  });

  it('is answered by an inspection that began after it was written', async () => {
    const { v, stop, connection, answer, inspections } = await atRest();
    const held = Promise.withResolvers<void>();
    const heal = connection.faults.before('inspector.rules', () => held.promise);
    const first = v.world.putRequest(ID, 'drift');
    await v.until(() => inspections() === 1, 'the first is inspected', MINUTE);
    const second = v.world.putRequest(ID, 'drift');
    await v.clock.advance(5_000);
    expect(inspections()).toBe(1);
    heal();
    held.resolve();
    await v.until(() => answer(second.key) !== undefined, 'the second is answered', MINUTE);
    expect(answer(first.key)).toBeDefined();
    expect(inspections()).toBe(2);
    await stop();
  });

  it('waits where more is asked than 30 times a minute', async () => {
    const ids = Array.from({ length: 40 }, (_, n) => `enc_1755986905612_n${n}`);
    // Without the budgets, which would hold them back as well.
    const { v, stop, answers } = await atRest(ids, { awsBudgetShare: 0 });
    for (const id of ids) v.world.putRequest(id, 'drift');
    await v.clock.advance(30_000);
    // Ten at once, and then one every two seconds.
    expect(answers().length).toBeGreaterThan(10);
    expect(answers().length).toBeLessThanOrEqual(10 + 15);
    await v.until(() => answers().length === 40, 'all are answered', 2 * MINUTE);
    await stop();
  });

  it('is refused of an enclave that is not deployed', async () => {
    const { v, stop, answer } = await atRest();
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.lifecycle(ID)?.desired === 'Absent', 'it is being destroyed');
    const { key } = v.world.putRequest(ID, 'drift');
    await v.until(() => answer(key) !== undefined, 'it is answered', MINUTE);
    expect(answer(key)).toMatchObject({ refused: 'it is not deployed', rows: [] });
    await stop();
  });

  it('is consumed unanswered once it is an hour old', async () => {
    const { v, stop, left, answers } = await atRest();
    await stop();
    v.world.putRequest(ID, 'drift');
    await v.clock.advance(HOUR);
    const next = v.start();
    await v.until(() => left().length === 0, 'it is consumed');
    await v.clock.advance(MINUTE);
    expect(answers()).toEqual([]);
    await next.stop();
  });

  it('stays unanswered where the process ends after its commit, and the next one is answered', async () => {
    const { v, connection, left, answer, answers } = await atRest();
    connection.faults.crashBefore('inspector.logGroup');
    v.world.putRequest(ID, 'drift');
    await v.until(() => left().length === 0, 'it is consumed', MINUTE);
    await v.clock.advance(MINUTE);
    const next = v.start();
    await v.clock.advance(5 * MINUTE);
    expect(answers()).toEqual([]);
    const { key } = v.world.putRequest(ID, 'drift');
    await v.until(() => answer(key) !== undefined, 'it is answered', 5 * MINUTE);
    await next.stop();
  });

  it('is not answered by a process that does not lead any more', async () => {
    const { v, stop, answers } = await atRest();
    await stop();
    const { ports, faults, log } = v.world.connect();
    const epoch = () => {
      throw new Error('another process leads');
    };
    const own = new DriftAnswers({ ports, config: v.config, epoch });
    own.requested(ID, [v.world.putRequest(ID, 'drift')]);
    await v.until(() => log.lines.length > 0, 'it gives up', MINUTE);
    expect(faults.calls('inspector.logGroup')).toBe(1);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { enclaveId: ID } }]);
    expect(answers()).toEqual([]);
    await own.stop();
  });

  it('is not lost where its commit fails', async () => {
    const { v, stop, connection, answer } = await atRest();
    connection.faults.failNext('state.commit', new Error('said a test'), 2);
    const { key } = v.world.putRequest(ID, 'drift');
    await v.until(() => answer(key) !== undefined, 'it is answered', 5 * MINUTE);
    await stop();
  });

  it('does not keep the operator from stopping', async () => {
    const { v, stop, connection, inspections } = await atRest();
    connection.faults.before('inspector.rules', () => new Promise<never>(() => {}));
    v.world.putRequest(ID, 'drift');
    await v.until(() => inspections() === 1, 'it is inspected', MINUTE);
    await stop();
  });
});
