/** The Step Functions API over the embedded executions. */
import type { JsonMap } from '../../enclave/json.ts';
import type { Random } from '../../reconciler/ports/index.ts';
import type { Execution, Executions } from '../engine/executions.ts';
import { wireEvents } from '../engine/history.ts';
import { ApiError, type Operations, optionalText, pageSize, text } from './protocol.ts';

const NAME = /^[A-Za-z0-9_-]{1,80}$/;
const LONGEST_INPUT = 262_144;

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000);

function summary(execution: Execution): JsonMap {
  return {
    executionArn: execution.arn,
    stateMachineArn: execution.machineArn,
    name: execution.name,
    status: execution.status,
    startDate: seconds(execution.startedAt),
    stopDate: seconds(execution.stoppedAt),
  };
}

function checkedInput(input: string): string {
  if (input.length > LONGEST_INPUT) throw new ApiError('InvalidExecutionInput', 'the input is longer than 256 KB');
  try {
    JSON.parse(input);
    return input;
  } catch {
    throw new ApiError('InvalidExecutionInput', 'the input is not JSON');
  }
}

/** A page of a list that only grows at its front: the token is what the next page begins below. */
function page<T>(items: readonly T[], size: number, key: (item: T) => number, token: string | undefined) {
  const below = token === undefined ? undefined : Number(Buffer.from(token, 'base64url').toString());
  if (below !== undefined && !Number.isSafeInteger(below)) throw new ApiError('InvalidToken', 'unknown nextToken');
  const rest = below === undefined ? items : items.filter((item) => key(item) < below);
  const shown = rest.slice(0, size);
  const last = shown.at(-1);
  const more = rest.length > shown.length && last !== undefined;
  return { shown, nextToken: more ? Buffer.from(String(key(last))).toString('base64url') : undefined };
}

/**
 * StartExecution, DescribeExecution, ListExecutions, StopExecution, GetExecutionHistory.
 *
 * StartExecution is idempotent as AWS documents it: the same name and input while the execution runs answer the same
 * execution; a closed one, or another input, is ExecutionAlreadyExists.
 */
export function stepFunctions(executions: Executions, random: Random): Operations {
  const machine = (input: JsonMap): string => {
    const arn = text(input, 'stateMachineArn');
    if (!executions.machines.has(arn)) {
      throw new ApiError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
    }
    return arn;
  };
  const execution = (input: JsonMap): Execution => {
    const arn = text(input, 'executionArn');
    const found = executions.get(arn);
    if (found === undefined) throw new ApiError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
    return found;
  };

  return {
    StartExecution(input) {
      const machineArn = machine(input);
      const name = optionalText(input, 'name') ?? random.id(32);
      if (!NAME.test(name)) throw new ApiError('InvalidName', `Invalid Name: '${name}'`);
      const started = executions.start(machineArn, name, checkedInput(optionalText(input, 'input') ?? '{}'));
      if (started === 'conflict') {
        throw new ApiError('ExecutionAlreadyExists', `Execution Already Exists: '${name}'`);
      }
      return { executionArn: started.arn, startDate: seconds(started.startedAt) };
    },
    DescribeExecution(input) {
      const found = execution(input);
      return { ...summary(found), input: found.input, output: found.output, error: found.error, cause: found.cause };
    },
    ListExecutions(input) {
      const status = optionalText(input, 'statusFilter');
      const all = executions.list(machine(input)).filter((item) => status === undefined || item.status === status);
      const token = optionalText(input, 'nextToken');
      const { shown, nextToken } = page(all, pageSize(input, 1_000, 100), (item) => item.seq, token);
      return { executions: shown.map(summary), nextToken };
    },
    StopExecution(input) {
      const { arn } = execution(input);
      const stopped = executions.stop(arn, optionalText(input, 'error') ?? '', optionalText(input, 'cause') ?? '');
      return { stopDate: seconds(stopped?.stoppedAt) };
    },
    GetExecutionHistory(input) {
      const events = wireEvents(execution(input).events);
      const ordered = input.reverseOrder === true ? events.reverse() : events;
      const token = optionalText(input, 'nextToken');
      // Forward, the later event is further from the front: its key must be the lower one.
      const key = (event: JsonMap) => Number(event.id) * (input.reverseOrder === true ? 1 : -1);
      const { shown, nextToken } = page(ordered, pageSize(input, 1_000, 100), key, token);
      return { events: shown, nextToken };
    },
  };
}
