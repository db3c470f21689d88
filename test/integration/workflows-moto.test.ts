/** The workflows' documents before a second interpreter, with real calls of DynamoDB and ECS: single executions. */
import {
  CreateTableCommand,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { DescribeSecurityGroupsCommand, DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  CreateClusterCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
} from '@aws-sdk/client-ecs';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CONTAINER_NAME,
  driftWorkflow,
  stateMachineName,
  taskDefinitionFamily,
  type WorkflowParameters,
  workflow,
} from '../../infra/workflows/index.ts';
import { keys } from '../../src/enclave/items/items.ts';
import { OutcomeSchema } from '../../src/enclave/items/run.ts';
import { eventually } from '../support/embedded.ts';
import { EMULATED_ACCOUNT, EMULATED_REGION, type Emulator, startEmulator, toolsMissing } from '../support/emulator.ts';

const PREFIX = 'treza-dev';
const ENCLAVE = 'enc_1';
const missing = toolsMissing().filter((sentence) => sentence.startsWith('moto_server'));
if (missing.length > 0) {
  const text = `the workflows before a second interpreter: ${missing.join(' ')}`;
  if (process.env.CI) throw new Error(text);
  console.warn(`skipped: ${text}`);
}

describe.skipIf(missing.length > 0)('interpreted by moto', () => {
  let emulator: Emulator;
  let dynamodb: DynamoDBClient;
  let ecs: ECSClient;
  let sfn: SFNClient;

  const item = async (TableName: string, key: { pk: string; sk: string }) => {
    const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key: marshall(key), ConsistentRead: true }));
    return Item && unmarshall(Item);
  };
  const put = (TableName: string, item: object) =>
    dynamodb.send(new PutItemCommand({ TableName, Item: marshall(item, { removeUndefinedValues: true }) }));
  const lock = () => item('state', keys.lock(ENCLAVE));

  const arnOf = (machine: string, name: string) =>
    `arn:aws:states:${EMULATED_REGION}:${EMULATED_ACCOUNT}:execution:${PREFIX}-${machine}:${name}`;

  const execute = async (machine: string, name: string, input: object) => {
    const stateMachineArn = `arn:aws:states:${EMULATED_REGION}:${EMULATED_ACCOUNT}:stateMachine:${PREFIX}-${machine}`;
    const start = new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) });
    const { executionArn } = await sfn.send(start);
    const { status, output, error, cause } = await eventually(`the end of ${name}`, async () => {
      const found = await sfn.send(new DescribeExecutionCommand({ executionArn }));
      return found.status !== 'RUNNING' && found;
    });
    return { status, error, cause, output: output === undefined ? undefined : JSON.parse(output) };
  };

  beforeAll(async () => {
    emulator = await startEmulator();
    const { url } = emulator;
    const configure = (path: string, body: object) =>
      fetch(`${url}/moto-api/${path}`, { method: 'POST', body: JSON.stringify(body) });
    await configure('config', { stepfunctions: { execute_state_machine: true } });
    // Its tasks run nothing: they may as well be over at once.
    const transition = { progression: 'immediate' };
    await configure('state-manager/set-transition', { model_name: 'ecs::task', transition });
    const client = {
      endpoint: url,
      region: EMULATED_REGION,
      credentials: { accessKeyId: 'emulated', secretAccessKey: 'emulated' },
    };
    dynamodb = new DynamoDBClient(client);
    ecs = new ECSClient(client);
    sfn = new SFNClient(client);
    const ec2 = new EC2Client(client);

    for (const TableName of ['state', 'history']) {
      await dynamodb.send(
        new CreateTableCommand({
          TableName,
          BillingMode: 'PAY_PER_REQUEST',
          KeySchema: [
            { AttributeName: 'pk', KeyType: 'HASH' },
            { AttributeName: 'sk', KeyType: 'RANGE' },
          ],
          AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
        }),
      );
    }
    await ecs.send(new CreateClusterCommand({ clusterName: PREFIX }));
    const family = taskDefinitionFamily(PREFIX);
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family,
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        cpu: '1024',
        memory: '2048',
        containerDefinitions: [{ name: CONTAINER_NAME, image: 'runner', cpu: 1024, memory: 2048 }],
      }),
    );
    const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}));
    const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({}));
    const parameters: WorkflowParameters = {
      stateTable: 'state',
      historyTable: 'history',
      cluster: PREFIX,
      taskDefinition: family,
      containerName: CONTAINER_NAME,
      subnets: Subnets.slice(0, 1).map(({ SubnetId }) => SubnetId!),
      securityGroups: SecurityGroups.slice(0, 1).map(({ GroupId }) => GroupId!),
    };
    const create = (name: string, document: object) =>
      sfn.send(
        new CreateStateMachineCommand({
          name,
          definition: JSON.stringify(document),
          roleArn: `arn:aws:iam::${EMULATED_ACCOUNT}:role/workflows`,
        }),
      );
    for (const action of ['deploy', 'destroy'] as const) {
      await create(stateMachineName(PREFIX, action), workflow(action, parameters));
    }
    await create(stateMachineName(PREFIX, 'drift'), driftWorkflow(parameters));
    await create(`${PREFIX}-nowhere`, workflow('deploy', { ...parameters, cluster: 'nowhere' }));
  });
  afterAll(() => emulator?.stop());

  /** The variables of every task that was run for it. */
  const tasksOf = async (run: string) => {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster: PREFIX }));
    if (taskArns.length === 0) return [];
    const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster: PREFIX, tasks: taskArns }));
    const environments = tasks.map(({ overrides }) => {
      const variables = overrides?.containerOverrides?.[0]?.environment ?? [];
      return Object.fromEntries(variables.map(({ name = '', value }) => [name, value]));
    });
    return environments.filter(({ RUN }) => RUN === run);
  };
  const by = 'runner';
  const at = '2026-01-01T00:00:00.000Z';
  const succeeded = { result: 'succeeded', at, by };
  const failed = { result: 'failed', class: 'quota', message: 'vCPU limit exceeded', at, by };
  const COALESCED = { status: 'SUCCEEDED', output: { result: 'coalesced' } };

  describe.each([
    ['deployment', 'deploy'],
    ['cleanup', 'destroy'],
  ])('%s', (machine, action) => {
    const run = (seq: number) => `e-${ENCLAVE}-aaaaaa-${seq}-${action}`;
    const runItem = (seq: number) => item('history', keys.run(ENCLAVE, run(seq)));
    /** What the operator's transaction writes before it starts a run. */
    const intend = async (seq: number, runMore: object = {}, lockMore: object = {}) => {
      await put('state', { ...keys.lock(ENCLAVE), run: run(seq), state: 'intended', ...lockMore });
      await put('history', { ...keys.run(ENCLAVE, run(seq)), name: run(seq), ...runMore });
    };
    const begin = (seq: number) => execute(machine, run(seq), { enclave_id: ENCLAVE, run: run(seq), action });

    it('claims the lock, runs the task, reads the outcome, releases', async () => {
      await intend(1, { outcome: succeeded });
      expect(await begin(1)).toEqual({ status: 'SUCCEEDED', output: { result: 'succeeded', run: run(1) } });
      expect(await lock()).toBeUndefined();
      expect(await tasksOf(run(1))).toEqual([
        { ENCLAVE_ID: ENCLAVE, RUN: run(1), ACTION: action, EXECUTION_ARN: arnOf(machine, run(1)) },
      ]);
    });

    it('starts a name once', async () => {
      await expect(begin(1)).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    });

    it("fails with the outcome's class and message, and releases", async () => {
      await intend(2, { outcome: failed });
      expect(await begin(2)).toEqual({ status: 'FAILED', error: 'quota', cause: 'vCPU limit exceeded' });
      expect(await lock()).toBeUndefined();
    });

    it('records a failure where the runner left none, and releases', async () => {
      await intend(3);
      const end = await begin(3);
      const outcome = OutcomeSchema.parse((await runItem(3))?.outcome);
      expect(outcome).toMatchObject({ result: 'failed', class: 'unknown', by: 'workflow' });
      expect(Date.parse(outcome.at)).toBeGreaterThan(0);
      expect(end).toEqual({ status: 'FAILED', error: 'unknown', cause: outcome.message });
      expect(await lock()).toBeUndefined();
    });

    it('records a cancellation that came before the runner', async () => {
      await intend(4, { cancelRequestedAt: at });
      expect(await begin(4)).toMatchObject({ status: 'FAILED', error: 'cancelled' });
      expect((await runItem(4))?.outcome).toMatchObject({ result: 'cancelled', class: 'cancelled' });
    });

    it('neither records nor releases where another task has the run', async () => {
      await intend(5, { taskArn: 'arn:aws:ecs:us-west-2:123456789012:task/treza-dev/twin' });
      expect(await begin(5)).toMatchObject({ status: 'FAILED', error: 'TaskMismatch' });
      expect(await lock()).toMatchObject({ run: run(5), state: 'claimed', executionArn: arnOf(machine, run(5)) });
      expect(await runItem(5)).not.toHaveProperty('outcome');
    });

    it('neither records nor releases where nobody knows the run', async () => {
      await put('state', { ...keys.lock(ENCLAVE), run: run(6), state: 'intended' });
      expect(await begin(6)).toMatchObject({ status: 'FAILED', error: 'RunItemMissing' });
      expect(await lock()).toMatchObject({ run: run(6) });
    });

    it.each([
      ['another run holds the lock', 7, { run: 'another' }],
      ['another execution has claimed this run', 8, { state: 'claimed', executionArn: 'arn:other' }],
    ])('ends coalesced without a task where %s', async (_reason, seq, lockMore) => {
      await intend(seq, {}, lockMore);
      const before = await lock();
      expect(await begin(seq)).toEqual(COALESCED);
      expect(await lock()).toEqual(before);
      expect(await tasksOf(run(seq))).toEqual([]);
    });

    it('claims a lock that intends it, and none that intends another execution', async () => {
      const lockFor = (name: string) => ({ action, intendedExecution: arnOf(machine, name) });
      await intend(10, { outcome: succeeded }, lockFor(run(10)));
      const before = await lock();
      const input = { enclave_id: ENCLAVE, run: run(10), action };
      expect(await execute(machine, `${machine}-chosen-by-a-stranger`, input)).toEqual(COALESCED);
      expect(await lock()).toEqual(before);
      expect(await begin(10)).toMatchObject({ output: { result: 'succeeded' } });
      expect(await lock()).toBeUndefined();
    });

    it('fails on a run of the other machine', async () => {
      const other = action === 'deploy' ? 'destroy' : 'deploy';
      const foreign = `e-${ENCLAVE}-aaaaaa-11-${other}`;
      await put('state', { ...keys.lock(ENCLAVE), run: foreign, state: 'intended' });
      const before = await lock();
      const end = await execute(machine, `${machine}-11`, { enclave_id: ENCLAVE, run: foreign, action });
      expect(end).toMatchObject({ status: 'FAILED', error: 'WrongAction' });
      expect(await lock()).toEqual(before);
      expect(await tasksOf(foreign)).toEqual([]);
      await dynamodb.send(new DeleteItemCommand({ TableName: 'state', Key: marshall(keys.lock(ENCLAVE)) }));
    });

    it('goes on with a lock it has claimed before', async () => {
      await intend(9, { outcome: succeeded }, { state: 'claimed', executionArn: arnOf(machine, run(9)) });
      expect(await begin(9)).toMatchObject({ output: { result: 'succeeded' } });
      expect(await lock()).toBeUndefined();
    });

    it("ends coalesced at the application's own start", async () => {
      const asTheApplication = { configuration: '{}', terraform_config: 'main.tf', wallet_address: '0x0' };
      const input = { enclave_id: ENCLAVE, action, ...asTheApplication };
      expect(await execute(machine, `${machine}-${ENCLAVE}-1`, input)).toEqual(COALESCED);
    });
  });

  it('records why no task could be made, and releases', async () => {
    const run = `e-${ENCLAVE}-bbbbbb-1-deploy`;
    await put('state', { ...keys.lock(ENCLAVE), run, state: 'intended' });
    await put('history', { ...keys.run(ENCLAVE, run), name: run });
    const end = await execute('nowhere', run, { enclave_id: ENCLAVE, run, action: 'deploy' });
    expect(end).toMatchObject({ status: 'FAILED', error: 'unknown' });
    const { outcome } = (await item('history', keys.run(ENCLAVE, run))) ?? {};
    expect(outcome).toMatchObject({ by: 'workflow', message: expect.stringContaining('could not be started') });
    expect(outcome.cause).toContain('Cluster not found');
    expect(await lock()).toBeUndefined();
  });

  describe('drift', () => {
    const begin = async (run: string, more: object) => {
      await put('history', { ...keys.fleetRun(run), name: run, ...more });
      return execute('drift', run, { run, action: 'drift' });
    };

    it('runs the task without any lock, and reads the outcome', async () => {
      const run = 'drift-1767225600-1';
      const end = await begin(run, { outcome: succeeded });
      expect(end).toEqual({ status: 'SUCCEEDED', output: { result: 'succeeded', run } });
      expect(await tasksOf(run)).toEqual([{ RUN: run, ACTION: 'drift', EXECUTION_ARN: arnOf('drift', run) }]);
      const { Count } = await dynamodb.send(new ScanCommand({ TableName: 'state' }));
      expect(Count).toBe(0);
    });

    it("fails with the outcome's class and message", async () => {
      const end = await begin('drift-1767225600-2', { outcome: failed });
      expect(end).toEqual({ status: 'FAILED', error: 'quota', cause: 'vCPU limit exceeded' });
    });

    it('records a failure where the runner left none', async () => {
      const run = 'drift-1767225600-3';
      expect(await begin(run, {})).toMatchObject({ status: 'FAILED', error: 'unknown' });
      const { outcome } = (await item('history', keys.fleetRun(run))) ?? {};
      expect(OutcomeSchema.parse(outcome)).toMatchObject({ result: 'failed', by: 'workflow' });
    });

    it('ends coalesced without a run', async () => {
      expect(await execute('drift', 'by-hand', { action: 'drift' })).toEqual(COALESCED);
    });
  });
});
