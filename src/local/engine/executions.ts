/** Executions of the state machines: started once a name, kept in the journal, aborted when this process ends. */
import { z } from 'zod';
import type { WorkflowDocument } from '../../../infra/workflows/index.ts';
import type { JsonValue } from '../../enclave/json.ts';
import type { Clock, Log } from '../../reconciler/ports/index.ts';
import type { Journal } from '../journal.ts';
import { EventSchema, type HistoryEvent, historyEvent } from './history.ts';
import { type ExecutionEnd, type Interpretation, interpret, type ServiceCall, ServiceError } from './interpreter.ts';
import type { CallNotes } from './service-calls.ts';

export const ExecutionSchema = z.object({
  arn: z.string(),
  machineArn: z.string(),
  name: z.string(),
  /** Verbatim. */
  input: z.string(),
  status: z.enum(['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED']),
  /** Rises with every execution: the order of lists. */
  seq: z.number(),
  startedAt: z.number(),
  stoppedAt: z.number().optional(),
  output: z.string().optional(),
  error: z.string().optional(),
  cause: z.string().optional(),
  events: z.array(EventSchema),
});
export type Execution = Readonly<z.infer<typeof ExecutionSchema>>;

export interface ExecutionsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: Journal;
  /** State machines by ARN. */
  readonly machines: ReadonlyMap<string, WorkflowDocument>;
  call(call: ServiceCall, notes: CallNotes): Promise<JsonValue>;
}

export interface Executions {
  readonly machines: ReadonlyMap<string, WorkflowDocument>;
  /** `conflict`: the name was used before, with another input or by an execution that is closed. */
  start(machineArn: string, name: string, input: string): Execution | 'conflict';
  get(arn: string): Execution | undefined;
  /** Newest first. */
  list(machineArn: string): readonly Execution[];
  stop(arn: string, error: string, cause: string): Execution | undefined;
  /** Aborts all. */
  close(): void;
}

/** Step Functions forgets closed executions after 90 days; this, beyond as many. */
const MOST_CLOSED = 5_000;
/** As Step Functions cuts causes. */
const LONGEST_CAUSE = 32_768;
const KEY = 'execution:';
const STOPPED_WITH_US = 'The embedded AWS was stopped while the execution ran.';

/** Starts with the executions of the journal. Those that were running when the process ended are ABORTED. */
export function createExecutions(options: ExecutionsOptions): Executions {
  const { clock, journal, log } = options;
  const executions = new Map<string, Execution>();
  const running = new Map<string, Interpretation>();
  let seq = 0;

  const save = (execution: Execution) => {
    executions.set(execution.arn, execution);
    journal.set(KEY + execution.arn, execution as JsonValue);
  };

  const note = (arn: string, event: HistoryEvent) => {
    const execution = executions.get(arn);
    if (execution?.status === 'RUNNING') save({ ...execution, events: [...execution.events, event] });
  };

  const forget = () => {
    if (executions.size < MOST_CLOSED * 1.1) return;
    const closed = [...executions.values()].filter((execution) => execution.status !== 'RUNNING');
    for (const { arn } of closed.sort((a, b) => a.seq - b.seq).slice(0, closed.length - MOST_CLOSED)) {
      executions.delete(arn);
      journal.delete(KEY + arn);
    }
  };

  const finish = (arn: string, end: ExecutionEnd, reason: { readonly error: string; readonly cause: string }) => {
    const execution = executions.get(arn);
    running.delete(arn);
    if (execution === undefined || execution.status !== 'RUNNING') return;
    const at = clock.now();
    if (end.status === 'SUCCEEDED') {
      const output = JSON.stringify(end.output);
      const events = [...execution.events, historyEvent.succeeded(at, output)];
      save({ ...execution, status: end.status, stoppedAt: at, output, events });
      return;
    }
    const { error, cause } = end.status === 'ABORTED' ? reason : end;
    const cut = cause.slice(0, LONGEST_CAUSE);
    const events = [...execution.events, historyEvent.ended(at, end.status, error, cut)];
    save({ ...execution, status: end.status, stoppedAt: at, error, cause: cut, events });
    log.debug({ execution: arn, status: end.status, error, cause: cut }, 'execution ended');
  };

  const call = async (arn: string, serviceCall: ServiceCall): Promise<JsonValue> => {
    const ecs = serviceCall.resource.includes(':ecs:');
    try {
      const result = await options.call(serviceCall, {
        submitted: (output) => note(arn, historyEvent.submitted(clock.now(), output)),
      });
      if (ecs) note(arn, historyEvent.taskSucceeded(clock.now(), result));
      return result;
    } catch (error) {
      if (error instanceof ServiceError) {
        note(arn, historyEvent.taskFailed(clock.now(), serviceCall.resource, error.name, error.message));
      }
      throw error;
    }
  };

  const abort = (arn: string, error: string, cause: string) => {
    const interpretation = running.get(arn);
    finish(arn, { status: 'ABORTED' }, { error, cause });
    interpretation?.abort();
  };

  for (const [key, value] of [...journal.entries]) {
    if (!key.startsWith(KEY)) continue;
    const read = ExecutionSchema.safeParse(value);
    if (!read.success) {
      journal.delete(key);
      continue;
    }
    executions.set(read.data.arn, read.data);
    seq = Math.max(seq, read.data.seq);
    if (read.data.status === 'RUNNING') abort(read.data.arn, 'EmbeddedAwsStopped', STOPPED_WITH_US);
  }

  return {
    machines: options.machines,
    start(machineArn, name, input) {
      const document = options.machines.get(machineArn);
      if (document === undefined) throw new Error(`no state machine ${machineArn}`);
      const arn = `${machineArn.replace(':stateMachine:', ':execution:')}:${name}`;
      const known = executions.get(arn);
      if (known !== undefined) return known.status === 'RUNNING' && known.input === input ? known : 'conflict';
      forget();
      seq += 1;
      const startedAt = clock.now();
      const events = [historyEvent.started(startedAt, input)];
      const execution: Execution = { arn, machineArn, name, input, status: 'RUNNING', seq, startedAt, events };
      save(execution);
      const interpretation = interpret(document, JSON.parse(input), {
        clock,
        execution: { id: arn, name },
        call: (serviceCall) => call(arn, serviceCall),
      });
      running.set(arn, interpretation);
      void interpretation.end.then((end) => finish(arn, end, { error: '', cause: '' }));
      return execution;
    },
    get: (arn) => executions.get(arn),
    list: (machineArn) =>
      [...executions.values()].filter((execution) => execution.machineArn === machineArn).sort((a, b) => b.seq - a.seq),
    stop(arn, error, cause) {
      if (!executions.has(arn)) return undefined;
      abort(arn, error, cause);
      return executions.get(arn);
    },
    close() {
      for (const arn of [...running.keys()]) abort(arn, 'EmbeddedAwsStopped', STOPPED_WITH_US);
    },
  };
}
