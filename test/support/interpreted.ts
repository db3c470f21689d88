/** The workflows' documents, interpreted with scripted services. */
import { type WorkflowDocument, type WorkflowParameters, workflow } from '../../infra/workflows/index.ts';
import type { JsonMap, JsonValue } from '../../src/enclave/json.ts';
import { interpret, type ServiceCall, ServiceError } from '../../src/local/engine/interpreter.ts';
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';

export const parameters: WorkflowParameters = {
  stateTable: 'state',
  historyTable: 'history',
  cluster: 'cluster',
  taskDefinition: 'treza-dev-terraform-runner',
  containerName: 'terraform-runner',
  subnets: ['subnet-1'],
  securityGroups: ['sg-1'],
};
export const ARN = 'arn:aws:states:us-west-2:000000000000:execution:treza-dev-deployment:e-1-deploy';
export const TASK = 'arn:aws:ecs:us-west-2:000000000000:task/cluster/1';
export const input = { enclave_id: 'enc_1', run: 'e-1-deploy', action: 'deploy' };

export const refused = () => {
  throw new ServiceError('DynamoDB.ConditionalCheckFailedException', 'The conditional request failed');
};
export const taskFailed = (task: JsonMap) => () => {
  throw new ServiceError('States.TaskFailed', JSON.stringify(task));
};
export const stopped = (more: JsonMap = {}): JsonMap => ({
  TaskArn: TASK,
  LastStatus: 'STOPPED',
  StopCode: 'EssentialContainerExited',
  StoppedReason: 'Essential container in task exited',
  Containers: [{ ExitCode: 0 }],
  ...more,
});
export const stored = (more: JsonMap) => ({ Item: { pk: { S: 'run#enc_1' }, ...more } });
export const succeeded = {
  M: { result: { S: 'succeeded' }, at: { S: '2026-01-01T00:00:00.000Z' }, by: { S: 'runner' } },
};
export const failed = {
  M: { result: { S: 'failed' }, class: { S: 'quota' }, message: { S: 'vCPU limit exceeded' }, by: { S: 'runner' } },
};

type Handler = (parameters: JsonMap, call: ServiceCall) => JsonValue | Promise<JsonValue>;
interface Script {
  /** Answers in order; the last one stays. */
  claim?: Handler[];
  record?: Handler[];
  read?: Handler[];
  task?: Handler[];
  release?: Handler[];
}

export async function execute(
  script: Script,
  given: JsonValue = input,
  changed: Partial<WorkflowParameters> = {},
  documentOf: (parameters: WorkflowParameters) => WorkflowDocument = (all) => workflow('deploy', all),
) {
  const calls: { operation: string; parameters: JsonMap }[] = [];
  const answers: Record<string, Handler[]> = {
    claim: script.claim ?? [() => ({})],
    task: script.task ?? [() => stopped()],
    read: script.read ?? [() => stored({ taskArn: { S: TASK }, outcome: succeeded })],
    record: script.record ?? [() => ({})],
    release: script.release ?? [() => ({})],
  };
  const operationOf = (call: ServiceCall) => {
    if (call.resource.endsWith('ecs:runTask.sync')) return 'task';
    if (call.resource.endsWith('getItem')) return 'read';
    if (call.resource.endsWith('deleteItem')) return 'release';
    return call.parameters.TableName === 'state' ? 'claim' : 'record';
  };
  const end = await interpret(documentOf({ ...parameters, ...changed }), given, {
    clock: systemClock,
    execution: { id: ARN, name: 'e-1-deploy' },
    pauses: 'none',
    call: async (call) => {
      const operation = operationOf(call);
      calls.push({ operation, parameters: call.parameters });
      const queue = answers[operation]!;
      return (queue.length > 1 ? queue.shift()! : queue[0]!)(call.parameters, call);
    },
  }).end;
  const recorded = calls.filter((call) => call.operation === 'record').at(-1)?.parameters as
    | { ExpressionAttributeValues: { ':outcome': { M: Record<string, { S: string }> }; ':task': { S: string } } }
    | undefined;
  const outcome = recorded && plain(recorded.ExpressionAttributeValues[':outcome'].M);
  return { end, calls, order: calls.map((call) => call.operation), outcome, recorded };
}

function plain(map: Record<string, { S: string }>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, value.S]));
}
