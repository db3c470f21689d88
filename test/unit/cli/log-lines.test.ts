/** The operator's lines through the real log: whose they are, and what is not in them. */
import { expect, it } from 'vitest';
import { OperatorError } from '../../../src/reconciler/ports/index.ts';
import { loggingOperator } from '../../support/logging-operator.ts';

const ID = 'enc_1';
const HUSH = 'hush-4711';

it('tells of each event whose it is, of which reconcile, generation, run and epoch, and no secret', async () => {
  const { v, lines } = loggingOperator();
  const operator = v.start();
  await v.clock.advance(5_000);
  v.post(ID, {
    description: HUSH,
    githubConnection: { accessToken: HUSH },
    providerConfig: { environmentVariables: { KEY: HUSH } },
  });
  await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'ready');
  v.command(ID, 'PENDING_DESTROY');
  await v.until(() => v.status(ID) === 'DESTROYED', 'gone');
  await operator.stop();

  const events = lines.filter(({ enclaveId, reason }) => enclaveId === ID && reason !== undefined);
  expect(events.length).toBeGreaterThan(3);
  for (const event of events) {
    expect(event).toMatchObject({ reconcileId: expect.stringMatching(/^1-\d+$/), epoch: 1, phase: expect.any(String) });
    expect(event.generation).toEqual(expect.any(Number));
  }
  expect(events.find(({ reason }) => reason === 'RunStarted')?.run).toMatch(/^e-enc_1-.*-deploy$/);
  expect(JSON.stringify(lines)).not.toContain(HUSH);
});

it('tells a failed reconcile apart from the next', async () => {
  const { v, lines } = loggingOperator();
  const { connection } = v.start();
  await v.clock.advance(5_000);
  connection.faults.failNext('records.get', new OperatorError('Transient', 'dynamodb:GetItem', 'not now'), 2);
  v.post(ID);
  await v.until(() => v.status(ID) === 'DEPLOYED', 'deployed in the end');
  const failed = lines.filter(({ message }) => message === 'reconcile failed');
  expect(failed).toHaveLength(2);
  expect(failed[0]).toMatchObject({ enclaveId: ID, class: 'Transient', epoch: 1 });
  expect(new Set(failed.map(({ reconcileId }) => reconcileId)).size).toBe(2);
  connection.kill();
});
