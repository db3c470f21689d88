import { describe, expect, it } from 'vitest';
import type { State, StateMap, WorkflowDocument } from '../../../../infra/workflows/index.ts';
import type { JsonValue } from '../../../../src/enclave/json.ts';
import { interpret, type ServiceCall, ServiceError } from '../../../../src/local/engine/interpreter.ts';
import { VIRTUAL_START_MS, VirtualClock } from '../../../support/virtual-clock.ts';

const task = (more: object): State => ({ Type: 'Task', Resource: 'arn:x', ...more }) as State;
const document = (States: StateMap, TimeoutSeconds = 100): WorkflowDocument => ({
  Comment: '',
  StartAt: 'First',
  TimeoutSeconds,
  States,
});

function begin(States: StateMap, call: (call: ServiceCall) => Promise<JsonValue>, timeoutSeconds = 100) {
  const clock = new VirtualClock();
  const execution = { id: 'arn:me', name: 'me' };
  return {
    clock,
    run: interpret(document(States, timeoutSeconds), { a: 1 }, { clock, execution, call, pauses: 'none' }),
  };
}

/** A call that ends only by its signal, and tells. */
function endless() {
  const seen = { aborted: false };
  const call = ({ signal }: ServiceCall) =>
    new Promise<JsonValue>((resolve) => {
      signal.addEventListener('abort', () => {
        seen.aborted = true;
        resolve('too late');
      });
    });
  return { seen, call };
}

describe('interpret', () => {
  it('supplies the context object: the execution, the state, and when it was entered', async () => {
    const Parameters = {
      'id.$': '$$.Execution.Id',
      'name.$': '$$.Execution.Name',
      'input.$': '$$.Execution.Input.a',
      'state.$': '$$.State.Name',
      'entered.$': '$$.State.EnteredTime',
    };
    const { run } = begin({ First: task({ Parameters, End: true }) }, async (call) => call.parameters);
    const entered = new Date(VIRTUAL_START_MS).toISOString();
    expect(await run.end).toEqual({
      status: 'SUCCEEDED',
      output: { id: 'arn:me', name: 'me', input: 1, state: 'First', entered },
    });
  });

  it("fails a state at its own deadline, and aborts the call's signal", async () => {
    const { seen, call } = endless();
    const { clock, run } = begin({ First: task({ TimeoutSeconds: 10, End: true }) }, call);
    await clock.advance(9_999);
    expect(seen.aborted).toBe(false);
    await clock.advance(1);
    expect(await run.end).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
    expect(seen.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('ends the execution at the deadline of the machine, and aborts what it started', async () => {
    const { seen, call } = endless();
    const { clock, run } = begin({ First: task({ End: true }) }, call, 20);
    await clock.advance(20_000);
    expect(await run.end).toMatchObject({ status: 'TIMED_OUT' });
    expect(seen.aborted).toBe(true);
  });

  it('makes no further call after an abort, whatever the retries say', async () => {
    let calls = 0;
    const call = ({ signal }: ServiceCall) => {
      calls += 1;
      return new Promise<JsonValue>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new ServiceError('Any', 'aborted')));
      });
    };
    const Retry = [{ ErrorEquals: ['States.ALL'], MaxAttempts: 5 }];
    const { clock, run } = begin({ First: task({ Retry, End: true }) }, call);
    await clock.advance(0);
    run.abort();
    expect(await run.end).toEqual({ status: 'ABORTED' });
    await clock.advance(1_000);
    expect(calls).toBe(1);
    expect(clock.pending).toBe(0);
  });
});
