import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { DescribeTasksCommand, ListTasksCommand, RunTaskCommand, StopTaskCommand } from '@aws-sdk/client-ecs';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
  paginateListExecutions,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/enclave/items/items.ts';
import { OutcomeSchema } from '../../src/enclave/items/run.ts';
import { type Embedded, eventually, printLogsOnFailure, startEmbedded } from '../support/embedded.ts';

const taskProgram = fileURLToPath(new URL('../support/trivial-task.ts', import.meta.url));
const settings = { taskProgram, stopTimeoutMs: 500, launchPauseSeconds: 0.1 };
const DEPLOYMENT = 'arn:aws:states:us-west-2:000000000000:stateMachine:treza-dev-deployment';
const CLEANUP = DEPLOYMENT.replace('deployment', 'cleanup');
const ENCLAVE = 'enc_1';

let stack: Embedded;

const arnOf = (run: string) => `${DEPLOYMENT.replace('stateMachine', 'execution')}:${run}`;
const inputOf = (run: string) => JSON.stringify({ enclave_id: ENCLAVE, run, action: 'deploy' });
const start = (run: string, input = inputOf(run)) =>
  stack.sfn.send(new StartExecutionCommand({ stateMachineArn: DEPLOYMENT, name: run, input }));
const describeRun = (run: string) => stack.sfn.send(new DescribeExecutionCommand({ executionArn: arnOf(run) }));
const logOf = (run: string) => {
  try {
    return readFileSync(join(stack.dataDir, 'logs', `${run}.log`), 'utf8');
  } catch {
    return '';
  }
};

async function item(table: string, pk: string, sk: string): Promise<Record<string, unknown> | undefined> {
  const { Item } = await stack.dynamodb.send(
    new GetItemCommand({ TableName: table, Key: { pk: { S: pk }, sk: { S: sk } }, ConsistentRead: true }),
  );
  return Item && unmarshall(Item);
}
const lock = () => item(stack.endpoints.stateTable, `enclave#${ENCLAVE}`, 'lock');
const runItem = (run: string) => item(stack.endpoints.historyTable, `run#${ENCLAVE}`, run);

/** What the operator's transaction writes before it starts a run, unless told otherwise. */
async function intend(run: string, lockMore: Record<string, string> = {}, runMore: Record<string, string> = {}) {
  const put = (TableName: string, item: Record<string, string>) =>
    stack.dynamodb.send(new PutItemCommand({ TableName, Item: marshall(item) }));
  const { stateTable, historyTable } = stack.endpoints;
  await put(stateTable, { pk: `enclave#${ENCLAVE}`, sk: 'lock', run, state: 'intended', ...lockMore });
  await put(historyTable, { pk: `run#${ENCLAVE}`, sk: run, id: ENCLAVE, name: run, ...runMore });
}

const ended = (run: string) =>
  eventually(`the end of ${run}`, async () => {
    const found = await describeRun(run);
    return found.status !== 'RUNNING' && found;
  });
/** The task's pid, once its program runs. */
const ready = (run: string) =>
  eventually(`the task of ${run}`, () => logOf(run).includes('ready') && Number(/^pid (\d+)$/m.exec(logOf(run))?.[1]));
const gone = (pid: number) =>
  eventually(`the end of process ${pid}`, () => {
    try {
      return !process.kill(pid, 0);
    } catch {
      return true;
    }
  });

async function events(run: string) {
  const { events = [] } = await stack.sfn.send(new GetExecutionHistoryCommand({ executionArn: arnOf(run) }));
  return events;
}
async function taskOf(run: string): Promise<string> {
  const submitted = (await events(run)).find((event) => event.type === 'TaskSubmitted');
  return JSON.parse(submitted!.taskSubmittedEventDetails!.output!).Tasks[0].TaskArn;
}
async function describeTask(arn: string) {
  const answer = await stack.ecs.send(new DescribeTasksCommand({ cluster: stack.endpoints.cluster, tasks: [arn] }));
  return answer.tasks?.[0];
}

beforeAll(async () => {
  stack = await startEmbedded({ withOperator: false, aws: settings });
});
afterAll(() => stack?.stop());
beforeEach(() => printLogsOnFailure(stack));

describe('an execution', () => {
  it('claims the lock, runs the task with the given environment only, and releases', async () => {
    const run = 'e-enc_1-aaaaaa-1-succeed-deploy';
    await intend(run);
    await start(run);
    expect(await ended(run)).toMatchObject({ status: 'SUCCEEDED', input: inputOf(run), name: run });
    expect(await lock()).toBeUndefined();
    expect(await runItem(run)).toMatchObject({ taskArn: await taskOf(run) });
    expect(/^variables (.*)$/m.exec(logOf(run))?.[1]?.split(',')).toEqual([
      'ACTION',
      'AWS_ACCESS_KEY_ID',
      'AWS_ENDPOINT_URL',
      'AWS_ENDPOINT_URL_DYNAMODB',
      'AWS_ENDPOINT_URL_DYNAMODB_STREAMS',
      'AWS_REGION',
      'AWS_SECRET_ACCESS_KEY',
      'ECS_CONTAINER_METADATA_URI_V4',
      'ENCLAVE_ENVIRONMENT',
      'ENCLAVE_ID',
      'EXECUTION_ARN',
      'HISTORY_TABLE',
      'NODE_COMPILE_CACHE',
      'RUN',
      'RUNNER_ENGINE',
      'SIMULATED_CLOUD_URL',
      'STATE_TABLE',
    ]);
    const types = (await events(run)).map((event) => event.type);
    expect(types).toEqual(['ExecutionStarted', 'TaskSubmitted', 'TaskSucceeded', 'ExecutionSucceeded']);
  });

  it("fails with the run's class and message", async () => {
    const run = 'e-enc_1-aaaaaa-2-fail-deploy';
    await intend(run);
    await start(run);
    expect(await ended(run)).toMatchObject({ status: 'FAILED', error: 'quota', cause: 'no vCPUs left' });
    expect(await lock()).toBeUndefined();
    const failed = (await events(run)).find((event) => event.type === 'TaskFailed');
    expect(JSON.parse(failed!.taskFailedEventDetails!.cause!)).toMatchObject({ TaskArn: await taskOf(run) });
  });

  it('records what a task left unsaid', async () => {
    const run = 'e-enc_1-aaaaaa-3-silent-deploy';
    await intend(run);
    await start(run);
    expect(await ended(run)).toMatchObject({ status: 'FAILED', error: 'unknown' });
    expect(await lock()).toBeUndefined();
    const { outcome } = (await runItem(run)) ?? {};
    expect(OutcomeSchema.parse(outcome)).toMatchObject({ result: 'failed', by: 'workflow' });
    expect(JSON.parse((outcome as { cause: string }).cause)).toMatchObject({ Containers: [{ ExitCode: 7 }] });
  });

  it('fails on the machine of another action, and leaves lock and run to the right one', async () => {
    const run = 'e-enc_1-aaaaaa-8-succeed-deploy';
    await intend(run);
    const before = await lock();
    const { executionArn } = await stack.sfn.send(
      new StartExecutionCommand({ stateMachineArn: CLEANUP, name: 'cleanup-enc_1-8', input: inputOf(run) }),
    );
    const end = await eventually('the end of the cleanup', async () => {
      const found = await stack.sfn.send(new DescribeExecutionCommand({ executionArn }));
      return found.status !== 'RUNNING' && found;
    });
    expect(end).toMatchObject({ status: 'FAILED', error: 'WrongAction', cause: expect.stringContaining('CloudTrail') });
    expect(await lock()).toEqual(before);
    expect(logOf(run)).toBe('');
    await start(run);
    expect(await ended(run)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('ends coalesced where another run holds the lock', async () => {
    await intend('e-enc_1-aaaaaa-4-other-deploy');
    const run = 'e-enc_1-aaaaaa-5-succeed-deploy';
    await start(run);
    expect(await ended(run)).toMatchObject({ status: 'SUCCEEDED', output: '{"result":"coalesced"}' });
    expect(await lock()).toMatchObject({ run: 'e-enc_1-aaaaaa-4-other-deploy', state: 'intended' });
  });

  it('ends coalesced where another execution has claimed this very run', async () => {
    const run = 'e-enc_1-dddddd-1-succeed-deploy';
    await intend(run, { state: 'claimed', executionArn: arnOf('other') });
    await start(run);
    expect(await ended(run)).toMatchObject({ status: 'SUCCEEDED', output: '{"result":"coalesced"}' });
    expect(await lock()).toMatchObject({ run, executionArn: arnOf('other') });
  });

  it('goes on with a lock it claimed itself before: the reply was lost, or it is redriven', async () => {
    const run = 'e-enc_1-dddddd-2-succeed-deploy';
    await intend(run, { state: 'claimed', executionArn: arnOf(run) });
    await start(run);
    expect(await ended(run)).toMatchObject({
      status: 'SUCCEEDED',
      output: JSON.stringify({ result: 'succeeded', run }),
    });
    expect(await lock()).toBeUndefined();
  });

  it("keeps the lock and records nothing where the task that stopped is a twin of the run's", async () => {
    const run = 'e-enc_1-dddddd-3-silent-deploy';
    await intend(run, {}, { taskArn: 'arn:aws:ecs:us-west-2:000000000000:task/cluster/twin' });
    await start(run);
    expect(await ended(run)).toMatchObject({ status: 'FAILED', error: 'TaskMismatch' });
    expect(await lock()).toMatchObject({ run, state: 'claimed' });
    expect(await runItem(run)).not.toHaveProperty('outcome');
  });

  it('ends coalesced when the application starts the cleanup machine itself', async () => {
    const input = { enclave_id: ENCLAVE, action: 'destroy', configuration: '{}', terraform_config: 'main.tf' };
    const { executionArn } = await stack.sfn.send(
      new StartExecutionCommand({ stateMachineArn: CLEANUP, name: 'cleanup-enc_1-1', input: JSON.stringify(input) }),
    );
    const end = await eventually('its end', async () => {
      const found = await stack.sfn.send(new DescribeExecutionCommand({ executionArn }));
      return found.status !== 'RUNNING' && found;
    });
    expect(end).toMatchObject({ status: 'SUCCEEDED', output: '{"result":"coalesced"}' });
  });

  it('runs a task for the fleet without any lock, and tells how it ended', async () => {
    const machine = DEPLOYMENT.replace('deployment', 'drift');
    const { historyTable } = stack.endpoints;
    for (const [run, expected] of [
      ['drift-1767225600-1-succeed', { status: 'SUCCEEDED' }],
      ['drift-1767225600-2-fail', { status: 'FAILED', error: 'quota', cause: 'no vCPUs left' }],
      ['drift-1767225600-3-silent', { status: 'FAILED', error: 'unknown' }],
    ] as const) {
      const Item = marshall({ ...keys.fleetRun(run), name: run });
      await stack.dynamodb.send(new PutItemCommand({ TableName: historyTable, Item }));
      const start = { stateMachineArn: machine, name: run, input: JSON.stringify({ run, action: 'drift' }) };
      const { executionArn } = await stack.sfn.send(new StartExecutionCommand(start));
      const end = await eventually(`the end of ${run}`, async () => {
        const found = await stack.sfn.send(new DescribeExecutionCommand({ executionArn }));
        return found.status !== 'RUNNING' && found;
      });
      expect(end).toMatchObject(expected);
      expect(await item(historyTable, keys.fleetRuns, run)).toHaveProperty('outcome.by');
      expect(/^variables (.*)$/m.exec(logOf(run))?.[1]?.split(',')).not.toContain('ENCLAVE_ID');
    }
  });

  it('launches again where ECS had no capacity', async () => {
    const run = 'e-enc_1-aaaaaa-6-succeed-deploy';
    await intend(run);
    await fetch(stack.endpoints.aws, {
      method: 'POST',
      headers: { 'x-amz-target': 'EnclaveOperatorLocal.FailLaunches' },
      body: JSON.stringify({ times: 2 }),
    });
    await start(run);
    expect(await ended(run)).toMatchObject({ status: 'SUCCEEDED' });
    const types = (await events(run)).map((event) => event.type);
    expect(types.filter((type) => type === 'TaskSubmitted')).toHaveLength(3);
  });
});

describe('starting, stopping, listing', () => {
  it('is idempotent while the execution runs, and refuses the name afterwards', async () => {
    const run = 'e-enc_1-bbbbbb-1-hang-deploy';
    await intend(run);
    const first = await start(run);
    await ready(run);
    expect((await start(run)).executionArn).toBe(first.executionArn);
    await expect(start(run, '{"other":"input"}')).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    await stack.sfn.send(new StopExecutionCommand({ executionArn: arnOf(run) }));
    await expect(start(run)).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
  });

  it('names what is wrong with a start', async () => {
    await expect(start('a'.repeat(81))).rejects.toMatchObject({ name: 'InvalidName' });
    await expect(start('with space')).rejects.toMatchObject({ name: 'InvalidName' });
    await expect(start('e-1', 'no json')).rejects.toMatchObject({ name: 'InvalidExecutionInput' });
    const nowhere = new StartExecutionCommand({ stateMachineArn: `${DEPLOYMENT}-not`, name: 'e-1' });
    await expect(stack.sfn.send(nowhere)).rejects.toMatchObject({ name: 'StateMachineDoesNotExist' });
    await expect(describeRun('never')).rejects.toMatchObject({ name: 'ExecutionDoesNotExist' });
  });

  it('StopExecution aborts, stops the task, and keeps the lock', async () => {
    const run = 'e-enc_1-bbbbbb-2-hang-deploy';
    await intend(run);
    await start(run);
    const pid = await ready(run);
    await stack.sfn.send(new StopExecutionCommand({ executionArn: arnOf(run), error: 'Operator', cause: 'overdue' }));
    expect(await describeRun(run)).toMatchObject({ status: 'ABORTED', error: 'Operator', cause: 'overdue' });
    await gone(pid);
    const task = await eventually('STOPPED', async () => {
      const found = await describeTask(await taskOf(run));
      return found?.lastStatus === 'STOPPED' && found;
    });
    expect(task).toMatchObject({ stopCode: 'UserInitiated', containers: [{ exitCode: 143 }] });
    expect(await lock()).toMatchObject({ run, state: 'claimed', executionArn: arnOf(run) });
    expect((await events(run)).at(-1)?.type).toBe('ExecutionAborted');
  });

  it('StopTask sends one SIGTERM, SIGKILL after the stop timeout, and the workflow records', async () => {
    const run = 'e-enc_1-bbbbbb-3-stubborn-deploy';
    await intend(run);
    await start(run);
    const pid = await ready(run);
    const { cluster } = stack.endpoints;
    const task = await taskOf(run);
    for (let i = 0; i < 3; i += 1) await stack.ecs.send(new StopTaskCommand({ cluster, task, reason: 'cancelled' }));
    expect(await describeTask(task)).toMatchObject({ desiredStatus: 'STOPPED', lastStatus: 'RUNNING' });
    expect(await ended(run)).toMatchObject({ status: 'FAILED', error: 'unknown' });
    await gone(pid);
    expect(logOf(run).match(/SIGTERM/g)).toHaveLength(1);
    expect(await describeTask(task)).toMatchObject({ stoppedReason: 'cancelled', containers: [{ exitCode: 137 }] });
    expect(await lock()).toBeUndefined();
  });

  it('lists by status in pages, newest first, and pages histories both ways', async () => {
    const names: string[] = [];
    const pages = paginateListExecutions(
      { client: stack.sfn, pageSize: 2 },
      { stateMachineArn: DEPLOYMENT, statusFilter: 'SUCCEEDED' },
    );
    for await (const page of pages) {
      expect(page.executions!.length).toBeLessThanOrEqual(2);
      for (const execution of page.executions!) names.push(execution.name!);
    }
    expect(names).toEqual([
      'e-enc_1-aaaaaa-6-succeed-deploy',
      'e-enc_1-dddddd-2-succeed-deploy',
      'e-enc_1-dddddd-1-succeed-deploy',
      'e-enc_1-aaaaaa-5-succeed-deploy',
      'e-enc_1-aaaaaa-8-succeed-deploy',
      'e-enc_1-aaaaaa-1-succeed-deploy',
    ]);
    const running = new ListExecutionsCommand({ stateMachineArn: DEPLOYMENT, statusFilter: 'RUNNING' });
    expect((await stack.sfn.send(running)).executions).toEqual([]);
    for (const reverseOrder of [false, true]) {
      const ids: number[] = [];
      const history = { executionArn: arnOf('e-enc_1-aaaaaa-6-succeed-deploy'), reverseOrder };
      for await (const page of paginateGetExecutionHistory({ client: stack.sfn, pageSize: 3 }, history)) {
        ids.push(...page.events!.map((event) => event.id!));
      }
      expect(ids).toEqual([...ids].sort((a, b) => (reverseOrder ? b - a : a - b)));
      expect(new Set(ids).size).toBe(8);
    }
  });
});

describe('tasks', () => {
  it('runs one by RunTask, serves its metadata, lists and stops it', async () => {
    const { cluster, aws } = stack.endpoints;
    const environment = [{ name: 'RUN', value: 'direct-hang' }];
    const { tasks } = await stack.ecs.send(
      new RunTaskCommand({
        cluster,
        taskDefinition: 'treza-dev-terraform-runner',
        overrides: { containerOverrides: [{ name: 'terraform-runner', environment }] },
      }),
    );
    const arn = tasks![0]!.taskArn!;
    const pid = await ready('direct-hang');
    const metadata = await fetch(`${aws}/v4/${arn.slice(arn.lastIndexOf('/') + 1)}/task`);
    expect(await metadata.json()).toMatchObject({
      TaskARN: arn,
      Cluster: cluster,
      Family: 'treza-dev-terraform-runner',
    });
    expect((await stack.ecs.send(new ListTasksCommand({ cluster }))).taskArns).toEqual([arn]);
    await stack.ecs.send(new StopTaskCommand({ cluster, task: arn }));
    await gone(pid);
  });

  it('says MISSING of a task it does not know, and refuses another cluster', async () => {
    const { cluster } = stack.endpoints;
    const unknown = `arn:aws:ecs:us-west-2:000000000000:task/${cluster}/0123`;
    const answer = await stack.ecs.send(new DescribeTasksCommand({ cluster, tasks: [unknown] }));
    expect(answer).toMatchObject({ tasks: [], failures: [{ arn: unknown, reason: 'MISSING' }] });
    const elsewhere = new DescribeTasksCommand({ cluster: 'other', tasks: [unknown] });
    await expect(stack.ecs.send(elsewhere)).rejects.toMatchObject({ name: 'ClusterNotFoundException' });
  });
});

describe('the end of the process', () => {
  it('aborts what ran: at a kill the task dies too, and the next process, on the same port, knows', async () => {
    const run = 'e-enc_1-cccccc-1-stubborn-deploy';
    await intend(run);
    await start(run);
    const pid = await ready(run);
    const task = await taskOf(run);
    stack.stack.kill('aws', 'SIGKILL');
    await gone(pid);
    const found = await eventually('the new process', () => describeRun(run).catch(() => undefined));
    expect(found).toMatchObject({ status: 'ABORTED' });
    expect(await describeTask(task)).toMatchObject({ lastStatus: 'STOPPED', stopCode: 'TerminationNotice' });
    expect(await lock()).toMatchObject({ run, state: 'claimed' });
    await expect(start(run)).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
  });

  it('starts the database again when it dies, with all it held', async () => {
    const run = 'e-enc_1-cccccc-2-succeed-deploy';
    await intend(run);
    stack.stack.kill('database', 'SIGKILL');
    expect(await eventually('the lock', () => lock().catch(() => undefined))).toMatchObject({ run });
  });

  it('refuses a second stack in the same folder, with one line', async () => {
    await expect(startEmbedded({ dataDir: stack.dataDir, withOperator: false })).rejects.toThrow(
      /is in use by process/,
    );
  });

  it('aborts at a clean stop, ends the tasks, and knows after a restart', async () => {
    const run = 'e-enc_1-cccccc-3-hang-deploy';
    await intend(run);
    await start(run);
    const pid = await ready(run);
    const task = await taskOf(run);
    stack = await stack.restart();
    await gone(pid);
    expect(logOf(run)).toContain('SIGTERM 1');
    expect(await describeTask(task)).toMatchObject({ lastStatus: 'STOPPED', containers: [{ exitCode: 143 }] });
    expect(await describeRun(run)).toMatchObject({ status: 'ABORTED' });
    expect(await describeRun('e-enc_1-aaaaaa-1-succeed-deploy')).toMatchObject({ status: 'SUCCEEDED' });
  });
});
