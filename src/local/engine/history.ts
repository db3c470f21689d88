/** An execution's history: the events a reader of GetExecutionHistory needs, and no more. */
import { z } from 'zod';
import type { JsonMap, JsonValue } from '../../enclave/json.ts';

/** `details` are the event's own, under the name the API gives them. */
export const EventSchema = z.object({
  type: z.string(),
  at: z.number(),
  details: z.record(z.string(), z.json()),
});
export type HistoryEvent = Readonly<z.infer<typeof EventSchema>>;

const ECS = { resourceType: 'ecs', resource: 'runTask.sync' };

export const historyEvent = {
  started: (at: number, input: string): HistoryEvent => ({ type: 'ExecutionStarted', at, details: { input } }),
  submitted: (at: number, output: JsonValue): HistoryEvent => ({
    type: 'TaskSubmitted',
    at,
    details: { ...ECS, output: JSON.stringify(output) },
  }),
  taskSucceeded: (at: number, output: JsonValue): HistoryEvent => ({
    type: 'TaskSucceeded',
    at,
    details: { ...ECS, output: JSON.stringify(output) },
  }),
  taskFailed: (at: number, resource: string, error: string, cause: string): HistoryEvent => {
    const [resourceType = '', action = ''] = resource.replace('arn:aws:states:::', '').split(/:(.*)/);
    return { type: 'TaskFailed', at, details: { resourceType, resource: action, error, cause } };
  },
  succeeded: (at: number, output: string): HistoryEvent => ({ type: 'ExecutionSucceeded', at, details: { output } }),
  ended: (at: number, status: 'FAILED' | 'TIMED_OUT' | 'ABORTED', error: string, cause: string): HistoryEvent => ({
    type: { FAILED: 'ExecutionFailed', TIMED_OUT: 'ExecutionTimedOut', ABORTED: 'ExecutionAborted' }[status],
    at,
    details: { error, cause },
  }),
};

/** e.g. `TaskSubmitted` → `taskSubmittedEventDetails`. */
function detailsName(type: string): string {
  return `${type.charAt(0).toLowerCase()}${type.slice(1)}EventDetails`;
}

/** The events as GetExecutionHistory shows them, numbered from 1; times in seconds since 1970. */
export function wireEvents(events: readonly HistoryEvent[]): JsonMap[] {
  return events.map((event, index) => ({
    id: index + 1,
    previousEventId: index,
    timestamp: event.at / 1_000,
    type: event.type,
    [detailsName(event.type)]: event.details as JsonMap,
  }));
}
