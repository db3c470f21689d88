/** Reading the operator's own items: parsed, or refused by name. */
import type { z } from 'zod';
import { LARGEST_REPORT_BYTES, type Report, ReportSchema } from '../../enclave/items/report.ts';
import type { JsonMap } from '../../enclave/json.ts';
import { omit } from '../../enclave/omit.ts';
import { OperatorError } from '../../reconciler/ports/index.ts';

/** An item without its keys: what was written is what is read. */
function body(item: JsonMap): JsonMap {
  return omit(item, 'pk', 'sk');
}

/** A path in a host-written item may be as long as the item. */
const LONGEST_PROBLEM = 300;

/** First problem of an item, in one line. */
function firstProblem(error: z.ZodError): string {
  const issue = error.issues[0];
  const text = issue === undefined ? 'not readable' : `${issue.path.join('.') || 'item'}: ${issue.message}`;
  return text.slice(0, LONGEST_PROBLEM);
}

/** The item; undefined where there is none or it is malformed, which `onMalformed` is told. */
export function readOr<S extends z.ZodType>(
  schema: S,
  item: JsonMap | undefined,
  onMalformed: (problem: string) => void,
): z.infer<S> | undefined {
  if (item === undefined) return undefined;
  const parsed = schema.safeParse(body(item));
  if (parsed.success) return parsed.data;
  onMalformed(firstProblem(parsed.error));
  return undefined;
}

/**
 * The item; undefined where there is none. A malformed one is not taken for none: the operator would start over beside
 * what exists.
 */
export function readOrRefuse<S extends z.ZodType>(
  schema: S,
  item: JsonMap | undefined,
  operation: string,
  what: string,
): z.infer<S> | undefined {
  return readOr(schema, item, (problem) => {
    throw new OperatorError(
      'Blocked',
      operation,
      `${what} is malformed at ${problem}; repair the item, or delete it where nothing of the enclave exists in AWS`,
    );
  });
}

/** Reads what a host wrote as its report; passes the reason to `onUnreadable` if it is unusable. */
export function readReport(
  item: JsonMap | undefined,
  instanceId: string,
  onUnreadable: (problem: string) => void,
): Report | undefined {
  if (item === undefined) return undefined;
  const bytes = Buffer.byteLength(JSON.stringify(item));
  if (bytes > LARGEST_REPORT_BYTES) {
    onUnreadable(`the report has ${bytes} bytes and may have at most ${LARGEST_REPORT_BYTES} bytes`);
    return undefined;
  }
  const report = readOr(ReportSchema, item, onUnreadable);
  if (report === undefined || report.instanceId === instanceId) return report;
  onUnreadable('instanceId: the report names another instance than its key');
  return undefined;
}

/** The reader an item asks for; 1 where it says nothing readable. */
export function minReaderOf(item: JsonMap | undefined): number {
  return typeof item?.minReader === 'number' ? item.minReader : 1;
}
