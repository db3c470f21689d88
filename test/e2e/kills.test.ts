/** The operator's process killed at the worst moments: one execution a marker, and it converges. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, SHORT_LEASE, startApp } from '../support/app.ts';
import { eventually, printLogsOnFailure } from '../support/embedded.ts';
import { startTap, type Tap, type TappedCall } from '../support/tap.ts';

let app: App;
let database: Tap;
let aws: Tap;

beforeAll(async () => {
  app = await startApp({ withOperator: false, operatorEnv: SHORT_LEASE });
  database = await startTap(app.embedded.endpoints.dynamodb);
  aws = await startTap(app.embedded.endpoints.aws);
  await startOperator();
});
afterAll(async () => {
  await app?.embedded.stop();
  await database?.close();
  await aws?.close();
});
beforeEach(() => printLogsOnFailure(app.embedded));

function startOperator(): Promise<void> {
  return app.embedded.startOperator({
    AWS_ENDPOINT_URL: aws.url,
    AWS_ENDPOINT_URL_DYNAMODB: database.url,
    AWS_ENDPOINT_URL_DYNAMODB_STREAMS: database.url,
  });
}

type Moment = (call: TappedCall, when: 'before' | 'after') => boolean;

/** Kills the operator at the first call that is the moment, drops that call's answer, and starts another operator. */
function killAt(moment: Moment): Promise<void> {
  return new Promise((resolve, reject) => {
    let struck = false;
    const hook = async (call: TappedCall, when: 'before' | 'after') => {
      if (struck || !moment(call, when)) return struck;
      struck = true;
      await app.embedded.killOperator('SIGKILL');
      database.hook = undefined;
      aws.hook = undefined;
      startOperator().then(resolve, reject);
      return true;
    };
    database.hook = hook;
    aws.hook = hook;
  });
}

const commits = (call: TappedCall, id: string, action: string) =>
  call.target.endsWith('TransactWriteItems') && call.body.includes(`-${action}`) && call.body.includes(id);
const starts = (call: TappedCall, id: string) => call.target.endsWith('StartExecution') && call.body.includes(id);
const publishes = (call: TappedCall, id: string, status: string) =>
  call.target.endsWith('UpdateItem') && call.body.includes(id) && call.body.includes(`"${status}"`);

const MOMENTS: readonly (readonly [string, (id: string) => Moment])[] = [
  ['before the marker', (id) => (call, when) => when === 'before' && commits(call, id, 'deploy')],
  ['between marker and start', (id) => (call, when) => when === 'after' && commits(call, id, 'deploy')],
  ['right after the start', (id) => (call, when) => when === 'after' && starts(call, id)],
  ['before publishing DEPLOYING', (id) => (call, when) => when === 'before' && publishes(call, id, 'DEPLOYING')],
  ['before publishing DEPLOYED', (id) => (call, when) => when === 'before' && publishes(call, id, 'DEPLOYED')],
  ['after publishing DEPLOYED', (id) => (call, when) => when === 'after' && publishes(call, id, 'DEPLOYED')],
];

describe('the operator killed with SIGKILL', () => {
  it.each(MOMENTS)('%s: one execution, and it converges', async (name, momentOf) => {
    const id = `enc_${name.replaceAll(' ', '_')}`;
    const restarted = killAt(momentOf(id));
    await app.post(id);
    await restarted;
    await app.until(id, 'DEPLOYED');
    const executions = await app.executions(id);
    expect(executions).toEqual([{ name: expect.stringContaining(`${id}-`), status: 'SUCCEEDED' }]);
    expect(await app.hosts(id)).toHaveLength(1);
    expect(((await app.embedded.stats()) as { maxWorkingOnOneEnclave: number }).maxWorkingOnOneEnclave).toBe(1);
  });

  it('in mid-run: the run goes on, and its result is read', async () => {
    const id = 'enc_mid_run';
    await app.embedded.sim('holdApply', { enclaveId: id });
    await app.post(id);
    await app.until(id, 'DEPLOYING');
    await eventually('the task is at work', async () => {
      const { enclaves } = (await app.embedded.stats()) as { enclaves: Record<string, { appliesStarted: number }> };
      return enclaves[id]?.appliesStarted === 1;
    });
    await app.embedded.killOperator('SIGKILL');
    await app.embedded.sim('holdApply', { enclaveId: id, held: false });
    await eventually(
      'the run ended without an operator',
      async () => (await app.executions(id))[0]?.status === 'SUCCEEDED',
    );
    await startOperator();
    await app.until(id, 'DEPLOYED');
    expect(await app.executions(id)).toHaveLength(1);
  });

  it('in the middle of a destroy: one destroy execution', async () => {
    const id = 'enc_destroy';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    const restarted = killAt((call, when) => when === 'after' && commits(call, id, 'destroy'));
    await app.patch(id, 'PENDING_DESTROY');
    await restarted;
    await app.until(id, 'DESTROYED');
    expect((await app.executions(id)).filter(({ name }) => name.endsWith('-destroy'))).toHaveLength(1);
    expect(await app.inventory(id)).toEqual([]);
  });
});

describe('the operator stopped with SIGTERM', () => {
  it('exits, and runs go on', async () => {
    const id = 'enc_term';
    await app.embedded.sim('holdApply', { enclaveId: id });
    await app.post(id);
    await app.until(id, 'DEPLOYING');
    await app.embedded.killOperator('SIGTERM');
    expect((await app.executions(id))[0]?.status).toBe('RUNNING');
    await app.embedded.sim('holdApply', { enclaveId: id, held: false });
    await eventually('the run ended', async () => (await app.executions(id))[0]?.status === 'SUCCEEDED');
    expect(await app.status(id)).toBe('DEPLOYING');
    await startOperator();
    await app.until(id, 'DEPLOYED');
    expect(await app.executions(id)).toHaveLength(1);
    expect(app.embedded.logs(200)).toContain('lease released');
  });
});
