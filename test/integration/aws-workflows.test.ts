/** Step Functions and ECS, before an endpoint that answers as AWS documents. */
import { describe, expect, it } from 'vitest';
import { awsAtEndpoint, jsonError } from '../support/memory-endpoint.ts';

const aws = awsAtEndpoint({ prefix: 'p', accountId: '123456789012', cluster: 'c', environment: 'dev' });

describe('Step Functions', () => {
  it('starts a run by its name, with the same input every time', async () => {
    aws.endpoint.script(() => ({ body: { executionArn: 'x', startDate: 1 } }));
    expect(await aws.ports.workflows.start('e-1', 'deploy', 'id "quoted"')).toBe('started');
    expect(aws.inputs()).toEqual([
      {
        stateMachineArn: 'arn:aws:states:us-west-2:123456789012:stateMachine:p-deployment',
        name: 'e-1',
        input: '{"enclave_id":"id \\"quoted\\"","run":"e-1","action":"deploy"}',
      },
    ]);
  });

  it('says exists where the name was used', async () => {
    aws.endpoint.script(() => jsonError('ExecutionAlreadyExists'));
    expect(await aws.ports.workflows.start('e-1', 'destroy', 'id')).toBe('exists');
    expect(aws.inputs()[0]?.stateMachineArn).toMatch(/:p-cleanup$/);
  });

  it('lists running executions over all pages', async () => {
    aws.endpoint.script((_, index) => ({
      body: { executions: [{ name: `e-${index}` }], ...(index < 2 ? { nextToken: `t${index}` } : {}) },
    }));
    expect([...(await aws.ports.workflows.running('deploy'))]).toEqual(['e-0', 'e-1', 'e-2']);
    expect(aws.inputs().map((input) => [input.statusFilter, input.nextToken])).toEqual([
      ['RUNNING', undefined],
      ['RUNNING', 't0'],
      ['RUNNING', 't1'],
    ]);
  });

  it.each([
    ['RUNNING', { state: 'running' }],
    ['PENDING_REDRIVE', { state: 'running' }],
    ['SOMETHING_NEW', { state: 'running' }],
    ['SUCCEEDED', { state: 'succeeded' }],
    ['FAILED', { state: 'failed', cause: 'E: why' }],
    ['TIMED_OUT', { state: 'failed', cause: 'TIMED_OUT: E: why' }],
    ['ABORTED', { state: 'failed', cause: 'ABORTED: E: why' }],
  ])('describes %s', async (status, expected) => {
    aws.endpoint.script(() => ({ body: { status, error: 'E', cause: 'why' } }));
    expect(await aws.ports.workflows.describe('e-1', 'deploy')).toEqual({
      executionArn: 'arn:aws:states:us-west-2:123456789012:execution:p-deployment:e-1',
      ...expected,
    });
  });

  it('an execution the service does not know is missing, has no tasks, and need not be aborted', async () => {
    aws.endpoint.script(() => jsonError('ExecutionDoesNotExist'));
    expect(await aws.ports.workflows.describe('e-1', 'deploy')).toMatchObject({ state: 'missing' });
    expect(await aws.ports.workflows.tasks('e-1', 'deploy')).toEqual([]);
    await aws.ports.workflows.abort('e-1', 'deploy', 'why');
  });

  it('finds every ECS task of a history, and no ARN that other services mention', async () => {
    const arn = (name: string) => `arn:aws:ecs:us-west-2:123456789012:task/c/${name}`;
    const ecs = { resourceType: 'ecs', resource: 'runTask.sync' };
    const pages = [
      [
        { type: 'ExecutionStarted', executionStartedEventDetails: { input: JSON.stringify({ a: arn('input') }) } },
        {
          type: 'TaskSucceeded',
          taskSucceededEventDetails: { resourceType: 'dynamodb', resource: 'getItem', output: arn('dynamodb') },
        },
        {
          type: 'TaskSubmitted',
          taskSubmittedEventDetails: { ...ecs, output: JSON.stringify({ Tasks: [{ TaskArn: arn('first') }] }) },
        },
        { type: 'TaskFailed', taskFailedEventDetails: { ...ecs, cause: JSON.stringify({ TaskArn: arn('first') }) } },
      ],
      [{ type: 'TaskTimedOut', taskTimedOutEventDetails: { ...ecs, cause: `timed out: ${arn('second')}.` } }],
    ];
    aws.endpoint.script((_, index) => ({
      body: {
        events: pages[index]?.map((event, id) => ({ id, timestamp: 1, ...event })),
        ...(index === 0 ? { nextToken: 'more' } : {}),
      },
    }));
    expect(await aws.ports.workflows.tasks('e-1', 'deploy')).toEqual([arn('first'), arn('second')]);
  });

  it.each([
    ['Throttled', jsonError('ThrottlingException')],
    ['Throttled', jsonError('ExecutionLimitExceeded')],
    ['Blocked', jsonError('StateMachineDoesNotExist')],
    ['Blocked', jsonError('AccessDeniedException')],
    ['Transient', jsonError('InternalFailure', 'oops', 500)],
    ['Transient', { drop: true as const }],
    ['Terminal', jsonError('InvalidName')],
  ])('throws %s for %o', async (expected, answer) => {
    aws.endpoint.script(() => answer);
    await expect(aws.ports.workflows.start('e-1', 'deploy', 'id')).rejects.toMatchObject({
      name: 'OperatorError',
      class: expected,
      operation: 'states:StartExecution',
    });
  });
});

describe('ECS', () => {
  const arn = (index: number, cluster = 'c') => `arn:aws:ecs:us-west-2:123456789012:task/${cluster}/${index}`;

  it('describes any number of tasks, a hundred of one cluster at a time', async () => {
    aws.endpoint.script(({ input }) => ({
      body: { tasks: (input.tasks as string[]).map((taskArn) => ({ taskArn, lastStatus: 'RUNNING' })) },
    }));
    const arns = [...Array.from({ length: 205 }, (_, index) => arn(index)), arn(1, 'other'), arn(1)];
    const states = await aws.ports.tasks.describe(arns);
    expect(states.size).toBe(206);
    expect(aws.inputs().map((input) => [input.cluster, (input.tasks as string[]).length])).toEqual([
      ['c', 100],
      ['c', 100],
      ['c', 5],
      ['other', 1],
    ]);
  });

  it('tells stopped from active, and unknown only where ECS says so', async () => {
    aws.endpoint.script(() => ({
      body: {
        tasks: [
          { taskArn: arn(1), lastStatus: 'STOPPED' },
          { taskArn: arn(2), lastStatus: 'DEPROVISIONING' },
        ],
        failures: [{ arn: arn(3), reason: 'MISSING' }],
      },
    }));
    expect([...(await aws.ports.tasks.describe([arn(1), arn(2), arn(3)]))]).toEqual([
      [arn(1), 'stopped'],
      [arn(2), 'active'],
      [arn(3), 'unknown'],
    ]);
  });

  it.each([
    { reason: 'another failure', body: { tasks: [], failures: [{ arn: arn(1), reason: 'THROTTLED' }] } },
    { reason: 'no mention', body: { tasks: [], failures: [] } },
  ])('throws on $reason: a lock is freed on the strength of the answer', async ({ body }) => {
    aws.endpoint.script(() => ({ body }));
    await expect(aws.ports.tasks.describe([arn(1)])).rejects.toMatchObject({ class: 'Transient' });
  });

  it('asks nothing about no task', async () => {
    expect((await aws.ports.tasks.describe([])).size).toBe(0);
    expect(aws.endpoint.requests).toEqual([]);
  });

  it('stops a task in its own cluster; one that is gone is stopped', async () => {
    aws.endpoint.script((_, index) =>
      index === 0 ? { body: {} } : jsonError('InvalidParameterException', 'The referenced task was not found.'),
    );
    await aws.ports.tasks.stop(arn(1, 'other'), 'x'.repeat(500));
    await aws.ports.tasks.stop(arn(1), 'why');
    expect(aws.inputs()[0]).toEqual({ cluster: 'other', task: arn(1, 'other'), reason: 'x'.repeat(255) });
    aws.endpoint.script(() => jsonError('InvalidParameterException', 'Something else.'));
    await expect(aws.ports.tasks.stop(arn(1), 'why')).rejects.toMatchObject({ class: 'Terminal' });
  });
});
