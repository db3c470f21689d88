import { describe, expect, it } from 'vitest';
import { driftWorkflow, stateMachineName, type WorkflowParameters } from '../../../../infra/workflows/index.ts';
import { keys } from '../../../../src/enclave/items/items.ts';
import { OutcomeSchema } from '../../../../src/enclave/items/run.ts';
import type { JsonValue } from '../../../../src/enclave/json.ts';
import { ServiceError } from '../../../../src/local/engine/interpreter.ts';
import { ARN, execute, failed, refused, stopped, stored, TASK, taskFailed } from '../../../support/interpreted.ts';

const RUN = 'drift-1767225600-1';
const input = { run: RUN, action: 'drift' };
const look = (
  script: Parameters<typeof execute>[0],
  given: JsonValue = input,
  changed: Partial<WorkflowParameters> = {},
) => execute(script, given, changed, driftWorkflow);

describe('the drift workflow', () => {
  it('is named beside the two of the contract', () => {
    const names = (['deploy', 'destroy', 'drift'] as const).map((action) => stateMachineName('treza-dev', action));
    expect(names).toEqual(['treza-dev-deployment', 'treza-dev-cleanup', 'treza-dev-drift']);
  });

  it('takes no lock: it runs the task for the run and reads its outcome', async () => {
    const { end, order, calls } = await look({});
    expect(end).toEqual({ status: 'SUCCEEDED', output: { result: 'succeeded', run: RUN } });
    expect(order).toEqual(['task', 'read']);
    const [task, read] = calls.map((call) => call.parameters) as [{ Overrides: JsonValue }, { Key: JsonValue }];
    expect(task.Overrides).toEqual({
      ContainerOverrides: [
        {
          Name: 'terraform-runner',
          Environment: [
            { Name: 'RUN', Value: RUN },
            { Name: 'ACTION', Value: 'drift' },
            { Name: 'EXECUTION_ARN', Value: ARN },
          ],
        },
      ],
    });
    const { pk, sk } = keys.fleetRun(RUN);
    expect(read).toMatchObject({ TableName: 'history', Key: { pk: { S: pk }, sk: { S: sk } } });
  });

  it.each([
    ['no run', { action: 'drift' }],
    ['a run that is not a string', { ...input, run: 5 }],
    ['an input that is no map', 'hello'],
  ])('ends coalesced without any call: %s', async (_reason, given) => {
    const { end, order } = await look({}, given);
    expect(end).toEqual({ status: 'SUCCEEDED', output: { result: 'coalesced' } });
    expect(order).toEqual([]);
  });

  it("fails with the outcome's class and message", async () => {
    const { end, order } = await look({
      task: [taskFailed(stopped({ Containers: [{ ExitCode: 1 }] }))],
      read: [() => stored({ taskArn: { S: TASK }, outcome: failed })],
    });
    expect(end).toEqual({ status: 'FAILED', error: 'quota', cause: 'vCPU limit exceeded' });
    expect(order).toEqual(['task', 'read']);
  });

  it('records a failure where the runner left none, with the raw cause apart', async () => {
    const task = stopped({ Containers: [{ ExitCode: 137 }] });
    const { end, order, outcome, recorded } = await look({
      task: [taskFailed(task)],
      read: [() => stored({ taskArn: { S: TASK } })],
    });
    expect(order).toEqual(['task', 'read', 'record']);
    expect(recorded).toMatchObject({ Key: { pk: { S: 'fleet' }, sk: { S: RUN } } });
    expect(OutcomeSchema.parse(outcome)).toMatchObject({ result: 'failed', class: 'unknown', by: 'workflow' });
    expect(JSON.parse(outcome!.cause!)).toEqual(task);
    expect(end).toEqual({ status: 'FAILED', error: 'unknown', cause: outcome!.message });
  });

  it('reads again when a runner ended the run between reading and recording', async () => {
    const { end, order } = await look({
      record: [refused],
      read: [() => stored({}), () => stored({ taskArn: { S: TASK }, outcome: failed })],
    });
    expect(end).toMatchObject({ status: 'FAILED', error: 'quota' });
    expect(order).toEqual(['task', 'read', 'record', 'read']);
  });

  it('records nothing where another task works on the run, or nobody knows the run', async () => {
    const twin = await look({ read: [() => stored({ taskArn: { S: `${TASK}-other` } })] });
    expect(twin.end).toMatchObject({ status: 'FAILED', error: 'TaskMismatch' });
    const unknown = await look({ read: [() => ({})] });
    expect(unknown.end).toMatchObject({ status: 'FAILED', error: 'RunItemMissing' });
    for (const { order, end } of [twin, unknown]) {
      expect(order).toEqual(['task', 'read']);
      expect(end).not.toMatchObject({ cause: expect.stringContaining('lock') });
    }
  });

  it('launches again where the task found no capacity, as often as other runs', async () => {
    const none = taskFailed(stopped({ StopCode: 'TaskFailedToStart', StoppedReason: 'Capacity is unavailable' }));
    const found = await look({ task: [none, () => stopped()] });
    expect(found.end).toMatchObject({ status: 'SUCCEEDED', output: { run: RUN } });
    const { order, outcome } = await look({ task: [none], read: [() => stored({})] }, input, { launches: 3 });
    expect(order).toEqual(['task', 'task', 'task', 'read', 'record']);
    expect(outcome).toMatchObject({ result: 'failed', class: 'capacity' });
  });

  it('tries a throttled RunTask again, and records the class when that does not help', async () => {
    const throttled = () => {
      throw new ServiceError('ECS.ThrottlingException', 'Rate exceeded');
    };
    const { order, outcome } = await look({ task: [throttled], read: [() => stored({})] });
    expect(order.filter((operation) => operation === 'task')).toHaveLength(7);
    expect(outcome).toMatchObject({ class: 'throttled' });
  });
});
