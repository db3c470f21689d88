/** One execution of a state machine, interpreted in this process. */
import { StateMachine, type StateMachineDefinition } from 'aws-local-stepfunctions';
import type { State, WorkflowDocument } from '../../../infra/workflows/index.ts';
import { isPlainMap, type JsonMap, type JsonValue } from '../../enclave/json.ts';
import type { Clock } from '../../reconciler/ports/index.ts';

/** A Task state's call of a service. */
export interface ServiceCall {
  /** e.g. `arn:aws:states:::dynamodb:updateItem`. */
  readonly resource: string;
  readonly parameters: JsonMap;
  /** Aborted when the state times out or the execution ends: whatever the call started must be stopped. */
  readonly signal: AbortSignal;
}

/** A failed call, named as Step Functions names it: what `Retry` and `Catch` match. */
export class ServiceError extends Error {
  override readonly name: string;

  constructor(error: string, cause: string) {
    super(cause);
    this.name = error;
  }
}

export type ExecutionEnd =
  | { readonly status: 'SUCCEEDED'; readonly output: JsonValue }
  | { readonly status: 'FAILED' | 'TIMED_OUT'; readonly error: string; readonly cause: string }
  | { readonly status: 'ABORTED' };

export interface Interpretation {
  /** Never rejects. */
  readonly end: Promise<ExecutionEnd>;
  abort(): void;
}

export interface InterpreterOptions {
  readonly clock: Clock;
  /** Becomes `$$.Execution`. */
  readonly execution: { readonly id: string; readonly name: string };
  /** `none`: Wait states and pauses between retries take no time. */
  readonly pauses?: 'real' | 'none';
  call(call: ServiceCall): Promise<JsonValue>;
}

/** Longer than any state: the interpreter's own timers use the port, so the library's must never fire. */
const NEVER_SECONDS = 2_000_000;

function seconds(state: State | WorkflowDocument): number | undefined {
  return typeof state.TimeoutSeconds === 'number' ? state.TimeoutSeconds : undefined;
}

/**
 * The definition as the library wants it, telling which state is entered when it is: the library looks a state up
 * exactly then, and supplies neither `$$.State.Name` nor `$$.State.EnteredTime` itself.
 */
function observed(document: WorkflowDocument, enter: (name: string) => void): StateMachineDefinition {
  const states = {};
  for (const [name, state] of Object.entries(document.States)) {
    const given = state.Type === 'Task' ? { ...state, TimeoutSeconds: NEVER_SECONDS } : state;
    Object.defineProperty(states, name, {
      enumerable: true,
      get: () => {
        enter(name);
        return given;
      },
    });
  }
  return { StartAt: document.StartAt, States: states };
}

/** Calls with the state's own deadline. The signal is aborted at the deadline, so that a task does not live on. */
async function callWithin(state: State, parameters: JsonMap, root: AbortSignal, options: InterpreterOptions) {
  const deadline = new AbortController();
  const expired = Promise.withResolvers<never>();
  const limit = seconds(state);
  const cancel =
    limit === undefined
      ? () => undefined
      : options.clock.schedule(limit * 1_000, () => {
          expired.reject(new ServiceError('States.Timeout', `the state took longer than ${limit} s`));
          deadline.abort();
        });
  try {
    const signal = AbortSignal.any([root, deadline.signal]);
    return await Promise.race([
      options.call({ resource: String(state.Resource), parameters, signal }),
      expired.promise,
    ]);
  } finally {
    cancel();
  }
}

function failureOf(thrown: unknown): ExecutionEnd {
  const error = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  if (error instanceof Error) return { status: 'FAILED', error: error.name, cause: error.message };
  return { status: 'FAILED', error: 'States.Runtime', cause: String(error) };
}

/** Starts an execution. The document must be valid; the tests of infra/workflows validate it. */
export function interpret(document: WorkflowDocument, input: JsonValue, options: InterpreterOptions): Interpretation {
  const { clock } = options;
  const aborted = new AbortController();
  const current = { Name: '', EnteredTime: '' };
  const definition = observed(document, (name) => {
    current.Name = name;
    current.EnteredTime = new Date(clock.now()).toISOString();
  });

  const names = Object.keys(document.States);
  const handlers: Record<string, (parameters: unknown) => Promise<never>> = {};
  for (const [name, state] of Object.entries(document.States)) {
    if (state.Type !== 'Task') continue;
    handlers[name] = (parameters) => {
      // The library goes on retrying after an abort; a call that never settles ends it, and is collected.
      if (aborted.signal.aborted) return new Promise(() => undefined);
      return callWithin(state, isPlainMap(parameters) ? parameters : {}, aborted.signal, options) as Promise<never>;
    };
  }
  const none = options.pauses === 'none' ? Object.fromEntries(names.map((name) => [name, 0])) : {};

  const machine = new StateMachine(definition, { validationOptions: { noValidate: true } });
  const run = machine.run(input as never, {
    overrides: { taskResourceLocalHandlers: handlers, waitTimeOverrides: none, retryIntervalOverrides: none },
    context: { Execution: { Id: options.execution.id, Name: options.execution.name }, State: current },
  });

  const ended = Promise.withResolvers<ExecutionEnd>();
  const stop = (end: ExecutionEnd) => {
    ended.resolve(end);
    aborted.abort();
    run.abort();
  };
  const limit = seconds(document);
  const cancel =
    limit === undefined
      ? () => undefined
      : clock.schedule(limit * 1_000, () =>
          stop({ status: 'TIMED_OUT', error: 'States.Timeout', cause: `the execution took longer than ${limit} s` }),
        );
  run.result.then(
    (output) => ended.resolve({ status: 'SUCCEEDED', output }),
    (thrown: unknown) => ended.resolve(failureOf(thrown)),
  );
  return {
    end: ended.promise.finally(cancel),
    abort: () => stop({ status: 'ABORTED' }),
  };
}
