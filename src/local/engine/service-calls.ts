/** The services a workflow calls: DynamoDB for real, ECS in this process. */
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { isPlainMap, type JsonMap, type JsonValue } from '../../enclave/json.ts';
import { omit } from '../../enclave/omit.ts';
import { ecsTask, pascal } from './ecs-shapes.ts';
import { type ServiceCall, ServiceError } from './interpreter.ts';
import type { Task, Tasks } from './tasks.ts';

export interface ServiceCallsOptions {
  readonly dynamodb: DynamoDBClient;
  readonly tasks: Tasks;
}

/** What an execution's history keeps of a call. */
export interface CallNotes {
  submitted(task: JsonValue): void;
}

async function callDynamodb(client: DynamoDBClient, action: string, parameters: JsonMap): Promise<JsonValue> {
  // The document's parameters are the API's own; DynamoDB checks them.
  const input = parameters as never;
  const send = () => {
    switch (action) {
      case 'getItem':
        return client.send(new GetItemCommand(input));
      case 'putItem':
        return client.send(new PutItemCommand(input));
      case 'updateItem':
        return client.send(new UpdateItemCommand(input));
      case 'deleteItem':
        return client.send(new DeleteItemCommand(input));
      default:
        throw new ServiceError('States.Runtime', `dynamodb:${action} is not embedded`);
    }
  };
  try {
    return JSON.parse(JSON.stringify(omit(await send(), '$metadata')));
  } catch (error) {
    if (error instanceof ServiceError || !(error instanceof Error)) throw error;
    const name = '$fault' in error ? error.name : 'SdkClientException';
    throw new ServiceError(`DynamoDB.${name}`, error.message);
  }
}

function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isPlainMap(value) ? value[name] : undefined;
}

/** Name and environment of the one container override. */
function overrides(parameters: JsonMap): { container: string; environment: Record<string, string> } {
  const list = member(parameters.Overrides, 'ContainerOverrides');
  const first: JsonValue | undefined = Array.isArray(list) ? list[0] : undefined;
  const variables = member(first, 'Environment');
  const environment: Record<string, string> = {};
  for (const variable of Array.isArray(variables) ? variables : []) {
    const name = member(variable, 'Name');
    const value = member(variable, 'Value');
    if (typeof name !== 'string' || typeof value !== 'string') {
      throw new ServiceError('States.Runtime', 'an environment override is not a pair of strings');
    }
    environment[name] = value;
  }
  const container = member(first, 'Name');
  return { container: typeof container === 'string' ? container : 'container', environment };
}

async function runTaskSync(tasks: Tasks, call: ServiceCall, notes: CallNotes): Promise<JsonValue> {
  const { Cluster: cluster, TaskDefinition: family } = call.parameters;
  if (typeof cluster !== 'string' || typeof family !== 'string') {
    throw new ServiceError('ECS.InvalidParameterException', 'Cluster and TaskDefinition must be strings');
  }
  const started = tasks.run({ cluster, family, ...overrides(call.parameters) });
  notes.submitted({ Failures: [], Tasks: [pascal(ecsTask(started)) ?? null] });
  // The state timed out or the execution was stopped: Step Functions stops the task, and does not wait for it.
  const stop = () => void tasks.stop(started.arn, 'The Step Functions execution that started it has ended.');
  call.signal.addEventListener('abort', stop, { once: true });
  if (call.signal.aborted) stop();
  const stopped: Task = await tasks.whenStopped(started.arn);
  call.signal.removeEventListener('abort', stop);
  const result = pascal(ecsTask(stopped)) ?? null;
  if (stopped.exitCode !== 0) throw new ServiceError('States.TaskFailed', JSON.stringify(result));
  return result;
}

/** Carries out a Task state's call. Errors are {@link ServiceError}s, named as Step Functions names them. */
export async function callService(
  call: ServiceCall,
  options: ServiceCallsOptions,
  notes: CallNotes,
): Promise<JsonValue> {
  const dynamodb = /^arn:aws:states:::dynamodb:(\w+)$/.exec(call.resource)?.[1];
  if (dynamodb !== undefined) return callDynamodb(options.dynamodb, dynamodb, call.parameters);
  if (call.resource === 'arn:aws:states:::ecs:runTask.sync') return runTaskSync(options.tasks, call, notes);
  throw new ServiceError('States.Runtime', `${call.resource} is not embedded`);
}
