/** Runs as Step Functions executions. */
import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  GetExecutionHistoryCommand,
  type HistoryEvent,
  ListExecutionsCommand,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { JsonMap } from '../enclave/json.ts';
import type { AnyRunAction } from '../enclave/names.ts';
import type { Config } from '../reconciler/config.ts';
import type { ExecutionView, Workflows } from '../reconciler/ports/index.ts';
import { executionArn, stateMachineArn, taskArnsIn } from './arns.ts';
import { call, onNames } from './errors.ts';

const PAGE_SIZE = 1_000;
/** StopExecution's limit for `cause`. */
const LONGEST_CAUSE = 32_768;

/** What an event says of a task: answers of `runTask`, or the cause of its failure. Other services' answers do not count. */
function taskText(event: HistoryEvent): string {
  const parts = [
    event.taskSubmittedEventDetails,
    event.taskSucceededEventDetails,
    event.taskFailedEventDetails,
    event.taskTimedOutEventDetails,
    event.taskStartFailedEventDetails,
    event.taskSubmitFailedEventDetails,
  ];
  return parts
    .filter((part) => part !== undefined && (part.resourceType === undefined || part.resourceType === 'ecs'))
    .map((part) => JSON.stringify(part))
    .join('\n');
}

function causeOf(answer: DescribeExecutionCommandOutput): string {
  const status = answer.status === 'FAILED' ? undefined : answer.status;
  return [status, answer.error, answer.cause].filter(Boolean).join(': ') || 'no cause given';
}

/**
 * Caveat: for the same name and the same input, while the execution runs, StartExecution answers as it did at first, so
 * `started` may be said twice of one execution. A closed one is always `exists`.
 */
export function createWorkflows(client: SFNClient, place: Pick<Config, 'region' | 'accountId' | 'prefix'>): Workflows {
  const begin = async (name: string, action: AnyRunAction, what: string, given: JsonMap) => {
    const input = JSON.stringify(given);
    const answer = await call(
      'states:StartExecution',
      what,
      () => client.send(new StartExecutionCommand({ stateMachineArn: stateMachineArn(place, action), name, input })),
      onNames('exists' as const, 'ExecutionAlreadyExists'),
    );
    return answer === 'exists' ? 'exists' : 'started';
  };

  // Keys in one order always: a repeated call must carry the very same input, or it is refused while it runs.
  return {
    start: (name, action, enclaveId) =>
      begin(name, action, `run ${name} of enclave ${enclaveId}`, { enclave_id: enclaveId, run: name, action }),

    startFleetRun: (name, action) => begin(name, action, `run ${name}`, { run: name, action }),

    async running(action) {
      const names = new Set<string>();
      let nextToken: string | undefined;
      do {
        const page = await call('states:ListExecutions', `running ${action} runs`, () =>
          client.send(
            new ListExecutionsCommand({
              stateMachineArn: stateMachineArn(place, action),
              statusFilter: 'RUNNING',
              maxResults: PAGE_SIZE,
              nextToken,
            }),
          ),
        );
        for (const execution of page.executions ?? []) if (execution.name !== undefined) names.add(execution.name);
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return names;
    },

    async describe(name, action): Promise<ExecutionView> {
      const arn = executionArn(place, action, name);
      const answer = await call(
        'states:DescribeExecution',
        `run ${name}`,
        () => client.send(new DescribeExecutionCommand({ executionArn: arn })),
        onNames('missing' as const, 'ExecutionDoesNotExist'),
      );
      if (answer === 'missing') return { state: 'missing', executionArn: arn };
      switch (answer.status) {
        case 'SUCCEEDED':
          return { state: 'succeeded', executionArn: arn };
        case 'FAILED':
        case 'TIMED_OUT':
        case 'ABORTED':
          return { state: 'failed', executionArn: arn, cause: causeOf(answer) };
        default:
          // RUNNING, PENDING_REDRIVE, and what AWS may add: only a known end counts as one.
          return { state: 'running', executionArn: arn };
      }
    },

    async tasks(name, action) {
      const arns = new Set<string>();
      let nextToken: string | undefined;
      do {
        const page = await call(
          'states:GetExecutionHistory',
          `run ${name}`,
          () =>
            client.send(
              new GetExecutionHistoryCommand({
                executionArn: executionArn(place, action, name),
                includeExecutionData: true,
                maxResults: PAGE_SIZE,
                nextToken,
              }),
            ),
          onNames({ events: [], nextToken: undefined }, 'ExecutionDoesNotExist'),
        );
        for (const event of page.events ?? []) for (const arn of taskArnsIn(taskText(event))) arns.add(arn);
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return [...arns];
    },

    async abort(name, action, cause) {
      await call(
        'states:StopExecution',
        `run ${name}`,
        () =>
          client.send(
            new StopExecutionCommand({
              executionArn: executionArn(place, action, name),
              cause: cause.slice(0, LONGEST_CAUSE),
            }),
          ),
        onNames('missing' as const, 'ExecutionDoesNotExist'),
      );
    },
  };
}
