// @ts-expect-error The package declares no types.
import aslValidator from 'asl-validator';
import { describe, expect, it } from 'vitest';
import { driftWorkflow, workflow } from '../../../../infra/workflows/index.ts';
import { OutcomeSchema } from '../../../../src/enclave/items/run.ts';
import type { JsonValue } from '../../../../src/enclave/json.ts';
import { ServiceError } from '../../../../src/local/engine/interpreter.ts';
import {
  ARN,
  execute,
  failed,
  input,
  parameters,
  refused,
  stopped,
  stored,
  succeeded,
  TASK,
  taskFailed,
} from '../../../support/interpreted.ts';

describe('the documents', () => {
  const documents = [
    ['deploy', workflow('deploy', parameters)],
    ['destroy', workflow('destroy', parameters)],
    ['drift', driftWorkflow(parameters)],
  ] as const;

  it.each(documents)('%s is valid ASL', (_action, document) => {
    const { isValid, errorsText } = aslValidator(document, { checkPaths: true, checkArn: true });
    expect(isValid, errorsText('\n')).toBe(true);
  });

  it.each(documents)('%s reaches every state, and ends a task before the machine', (_action, document) => {
    const targets = new Set([document.StartAt]);
    JSON.stringify(document.States, (key, value) => {
      if (key === 'Next' || key === 'Default') targets.add(value);
      return value;
    });
    expect([...targets].sort()).toEqual(Object.keys(document.States).sort());
    expect(document.States.RunTask!.TimeoutSeconds).toBeLessThan(document.TimeoutSeconds);
  });

  it.each(documents)('%s gives every Task a timeout', (_action, document) => {
    const tasks = Object.values(document.States).filter((state) => state.Type === 'Task');
    expect(tasks.length).toBeGreaterThan(2);
    for (const task of tasks) expect(task.TimeoutSeconds).toBeTypeOf('number');
  });
});

describe('the claim', () => {
  it('takes the lock for this run and this execution, then runs the task with strings only', async () => {
    const { end, calls, order } = await execute({});
    expect(end).toEqual({ status: 'SUCCEEDED', output: { result: 'succeeded', run: 'e-1-deploy' } });
    expect(order).toEqual(['claim', 'task', 'read', 'release']);
    expect(calls[0]!.parameters).toMatchObject({
      Key: { pk: { S: 'enclave#enc_1' }, sk: { S: 'lock' } },
      ExpressionAttributeValues: { ':run': { S: 'e-1-deploy' }, ':me': { S: ARN } },
    });
    expect(calls[1]!.parameters).toMatchObject({
      Overrides: {
        ContainerOverrides: [
          {
            Environment: [
              { Name: 'ENCLAVE_ID', Value: 'enc_1' },
              { Name: 'RUN', Value: 'e-1-deploy' },
              { Name: 'ACTION', Value: 'deploy' },
              { Name: 'EXECUTION_ARN', Value: ARN },
            ],
          },
        ],
      },
    });
  });

  it.each([
    [
      "the application's direct start of cleanup",
      {
        enclave_id: 'enc_1',
        action: 'destroy',
        configuration: '{}',
        terraform_config: 'main.tf',
        wallet_address: 'me',
      },
    ],
    ['a run that is not a string', { ...input, run: 5 }],
    ['a missing id', { run: 'e-1-deploy' }],
    ['an input that is no map', 'hello'],
  ])('ends coalesced without any call: %s', async (_reason, given) => {
    const { end, order } = await execute({}, given as JsonValue);
    expect(end).toEqual({ status: 'SUCCEEDED', output: { result: 'coalesced' } });
    expect(order).toEqual([]);
  });

  it('ends coalesced without Terraform when another run holds the lock', async () => {
    const { end, order } = await execute({ claim: [refused] });
    expect(end).toEqual({ status: 'SUCCEEDED', output: { result: 'coalesced' } });
    expect(order).toEqual(['claim']);
  });

  it.each([
    ['deploy', 'destroy'],
    ['destroy', 'deploy'],
  ] as const)('fails without any call where the %s machine is given a %s run', async (machine, action) => {
    const run = `e-enc_1-aaaaaa-1-${action}`;
    const { end, order } = await execute({}, { ...input, run, action: machine }, {}, (all) => workflow(machine, all));
    expect(end).toMatchObject({ status: 'FAILED', error: 'WrongAction' });
    expect(end).toMatchObject({ cause: expect.stringContaining(machine) });
    expect(order).toEqual([]);
  });

  it('tries a throttled claim again', async () => {
    const throttled = () => {
      throw new ServiceError('DynamoDB.ProvisionedThroughputExceededException', 'slow down');
    };
    const { end, order } = await execute({ claim: [throttled, throttled, () => ({})] });
    expect(end.status).toBe('SUCCEEDED');
    expect(order.filter((operation) => operation === 'claim')).toHaveLength(3);
  });
});

describe('a run that ended', () => {
  it("fails with the outcome's class and message, and releases", async () => {
    const { end, order } = await execute({
      task: [taskFailed(stopped({ Containers: [{ ExitCode: 1 }] }))],
      read: [() => stored({ taskArn: { S: TASK }, outcome: failed })],
    });
    expect(end).toEqual({ status: 'FAILED', error: 'quota', cause: 'vCPU limit exceeded' });
    expect(order).toEqual(['claim', 'task', 'read', 'release']);
  });

  it('fails and releases even where the outcome names neither class nor message', async () => {
    const { end, order } = await execute({
      read: [() => stored({ taskArn: { S: TASK }, outcome: { M: { result: { S: 'failed' } } } })],
    });
    expect(end).toMatchObject({ status: 'FAILED', error: 'unknown' });
    expect(order.at(-1)).toBe('release');
  });

  it('takes a lock that is no longer ours as released', async () => {
    expect((await execute({ release: [refused] })).end.status).toBe('SUCCEEDED');
  });

  it('neither records nor releases where another task works on the run', async () => {
    for (const task of [() => stopped(), taskFailed(stopped({ Containers: [{ ExitCode: 3 }] }))]) {
      const { end, order } = await execute({
        task: [task],
        read: [() => stored({ taskArn: { S: `${TASK}-other` }, outcome: succeeded })],
      });
      expect(end).toMatchObject({ status: 'FAILED', error: 'TaskMismatch' });
      expect(order).toEqual(['claim', 'task', 'read']);
    }
  });

  it('neither records nor releases where the run item is missing', async () => {
    const { end, order } = await execute({ read: [() => ({})] });
    expect(end).toMatchObject({ status: 'FAILED', error: 'RunItemMissing' });
    expect(order).toEqual(['claim', 'task', 'read']);
  });
});

describe('a task that left no outcome', () => {
  const silent = [() => stored({ taskArn: { S: TASK } })];

  it.each([
    ['exit 137', taskFailed(stopped({ Containers: [{ ExitCode: 137 }] })), 'unknown'],
    ['exit 0', () => stopped(), 'unknown'],
    [
      'an image that cannot be pulled',
      taskFailed(stopped({ StopCode: 'TaskFailedToStart', StoppedReason: 'CannotPullContainerError: 0.dkr' })),
      'unknown',
    ],
  ] as const)('records a failure with the raw cause apart, then releases: %s', async (_reason, task, errorClass) => {
    const { end, order, outcome } = await execute({ task: [task], read: silent });
    expect(order).toEqual(['claim', 'task', 'read', 'record', 'release']);
    expect(OutcomeSchema.parse(outcome)).toMatchObject({ result: 'failed', class: errorClass, by: 'workflow' });
    expect(outcome!.at).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(outcome!.message).not.toMatch(/arn:|dkr/);
    expect(end).toEqual({ status: 'FAILED', error: errorClass, cause: outcome!.message });
  });

  it('keeps what ECS said as the cause', async () => {
    const task = stopped({ Containers: [{ ExitCode: 137 }] });
    const { outcome } = await execute({ task: [taskFailed(task)], read: silent });
    expect(JSON.parse(outcome!.cause!)).toEqual(task);
  });

  it('is recorded as cancelled where that was asked', async () => {
    const { end, outcome } = await execute({
      task: [taskFailed(stopped({ StopCode: 'UserInitiated' }))],
      read: [() => stored({ cancelRequestedAt: { S: '2026-01-01T00:00:00.000Z' } })],
    });
    expect(OutcomeSchema.parse(outcome)).toMatchObject({ result: 'cancelled', class: 'cancelled' });
    expect(end).toMatchObject({ status: 'FAILED', error: 'cancelled' });
  });

  it('reads again when a runner took or ended the run between reading and recording', async () => {
    const { end, order } = await execute({
      record: [refused],
      read: [() => stored({}), () => stored({ taskArn: { S: `${TASK}-twin` } })],
    });
    expect(end).toMatchObject({ status: 'FAILED', error: 'TaskMismatch' });
    expect(order).toEqual(['claim', 'task', 'read', 'record', 'read']);
  });
});

describe('a task that did not end or start', () => {
  it('keeps the lock when the state times out, and stops the task', async () => {
    let stoppedBySignal = false;
    const { end, order } = await execute(
      {
        task: [
          (_parameters, call) =>
            new Promise(() => {
              call.signal.addEventListener('abort', () => {
                stoppedBySignal = true;
              });
            }),
        ],
      },
      input,
      { taskTimeoutSeconds: 0.05 },
    );
    expect(end).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
    expect(order).toEqual(['claim', 'task']);
    expect(stoppedBySignal).toBe(true);
  });

  it.each([
    ['a cause that was cut short', '{"TaskArn":"arn'],
    ['a task that is not said to be stopped', JSON.stringify(stopped({ LastStatus: 'RUNNING' }))],
  ])('keeps the lock when ECS names no stopped task: %s', async (_reason, cause) => {
    const fail = () => {
      throw new ServiceError('States.TaskFailed', cause);
    };
    const { end, order } = await execute({ task: [fail] });
    expect(end).toEqual({ status: 'FAILED', error: 'States.TaskFailed', cause });
    expect(order).toEqual(['claim', 'task']);
  });

  it.each([
    ['ECS.AmazonECSException', 'Capacity is unavailable at this time', 'capacity', 7],
    ['AmazonECS.Unknown', '{"Failures":[{"Reason":"RESOURCE:FARGATE"}],"Tasks":[]}', 'capacity', 7],
    ['ECS.ThrottlingException', 'Rate exceeded', 'throttled', 7],
    ['ECS.AccessDeniedException', 'not authorized to perform: ecs:RunTask on arn:…', 'permission', 1],
    ['ECS.ClusterNotFoundException', 'Cluster not found.', 'unknown', 1],
  ])('records and releases when no task was made: %s', async (error, cause, errorClass, attempts) => {
    const fail = () => {
      throw new ServiceError(error, cause);
    };
    const { end, order, outcome, recorded } = await execute({ task: [fail], read: [() => stored({})] });
    expect(order.filter((operation) => operation === 'task')).toHaveLength(attempts);
    expect(order.slice(-3)).toEqual(['read', 'record', 'release']);
    expect(outcome).toMatchObject({ result: 'failed', class: errorClass, cause });
    expect(recorded!.ExpressionAttributeValues[':task']).toEqual({ S: 'none' });
    expect(end).toMatchObject({ status: 'FAILED', error: errorClass });
  });

  it('leaves the lock to a task that was made although RunTask failed', async () => {
    const fail = () => {
      throw new ServiceError('ECS.ServerException', 'no reply');
    };
    const { end, order } = await execute({ task: [fail], read: [() => stored({ taskArn: { S: TASK } })] });
    expect(end).toMatchObject({ status: 'FAILED', error: 'TaskMismatch' });
    expect(order).not.toContain('release');
  });

  const noCapacity = taskFailed(stopped({ StopCode: 'TaskFailedToStart', StoppedReason: 'Capacity is unavailable' }));

  it('launches again where the task found no capacity, and forgets the failure when that works', async () => {
    const { end, order } = await execute({ task: [noCapacity, noCapacity, () => stopped()] });
    expect(end.status).toBe('SUCCEEDED');
    expect(order).toEqual(['claim', 'task', 'task', 'task', 'read', 'release']);
    const silent = await execute({
      task: [noCapacity, () => stopped()],
      read: [() => stored({ taskArn: { S: TASK } })],
    });
    expect(silent.outcome).toMatchObject({ class: 'unknown', cause: 'The task ended without an error.' });
  });

  it('gives up after the last launch, with the class capacity', async () => {
    const { order, outcome } = await execute({ task: [noCapacity], read: [() => stored({})] }, input, { launches: 3 });
    expect(order.filter((operation) => operation === 'task')).toHaveLength(3);
    expect(outcome).toMatchObject({ result: 'failed', class: 'capacity' });
    expect(order.at(-1)).toBe('release');
  });
});
