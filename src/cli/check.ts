/** Documents checked against the specification, and how findings are printed. */
import type { JsonMap } from '../enclave/json.ts';
import { show } from '../enclave/spec/issues.ts';
import {
  type AppliedSpec,
  type EnclaveSpec,
  parseSpec,
  type SpecContext,
  type SpecIssue,
} from '../enclave/spec/spec.ts';
import type { Config } from '../reconciler/config.ts';
import { type RecordDocument, readAllDocuments } from './documents.ts';
import type { Io } from './io.ts';
import { printable } from './output.ts';

export interface Checked {
  readonly where: string;
  /** Null where the document has none, or none that is text. */
  readonly id: string | null;
  readonly record: JsonMap | undefined;
  /** Absent: invalid. */
  readonly spec: EnclaveSpec | undefined;
  readonly errors: readonly SpecIssue[];
  readonly warnings: readonly SpecIssue[];
}

export function specContext(config: Config): SpecContext {
  const { regions, region, environment, allowedReferences } = config;
  return { regions, defaultRegion: region, environment, allowedReferences };
}

/** Every document of every file, checked; of documents with one id all but the first are invalid. */
export async function checkFiles(io: Io, filenames: readonly string[], config: Config): Promise<readonly Checked[]> {
  const context = { ...specContext(config), refusesUnknownFields: true };
  const firstOf = new Map<string, string>();
  return (await readAllDocuments(io, filenames)).map((document) => {
    const checked = checkDocument(document, context);
    const { id, where } = checked;
    const first = id === null ? undefined : firstOf.get(id);
    if (id !== null && first === undefined) firstOf.set(id, where);
    return first === undefined ? checked : duplicate(checked, first);
  });
}

function duplicate(checked: Checked, first: string): Checked {
  const message = `${first} also has the id ${show(checked.id)}`;
  const issue: SpecIssue = { field: 'id', code: 'ID_DUPLICATE', message, fix: 'Remove one, or give it another id.' };
  return { ...checked, spec: undefined, errors: [issue, ...checked.errors] };
}

function checkDocument(document: RecordDocument, context: SpecContext): Checked {
  const { where, record } = document;
  if (record === undefined) {
    const fix = document.code === 'SYNTAX' ? 'Mend the YAML or JSON.' : 'Write one `field: value` a line.';
    const errors = [{ field: '', code: document.code, message: document.problem, fix }];
    return { where, id: null, record, spec: undefined, errors, warnings: [] };
  }
  return checkRecord(where, record, context);
}

export function checkRecord(where: string, record: JsonMap, context: SpecContext, applied?: AppliedSpec): Checked {
  const id = typeof record.id === 'string' ? record.id : null;
  const result = parseSpec(record, context, { applied });
  return result.ok
    ? { where, id, record, spec: result.spec, errors: [], warnings: result.warnings }
    : { where, id, record, spec: undefined, errors: result.errors, warnings: result.warnings };
}

/** `error    providerConfig.cpuCount: CPU_TOO_MANY: … Fix: …`, indented under its document. */
export function issueLine(kind: 'error' | 'warning', issue: SpecIssue): string {
  const field = issue.field === '' ? '' : `${issue.field}: `;
  const message = issue.message.replace(/[.;]?$/, '.');
  return `  ${kind.padEnd(7)}  ${printable(`${field}${issue.code}: ${message} ${issue.fix}`)}\n`;
}

/** `records.yaml, document 2 (enc_1)`. */
export function titleOf(checked: Pick<Checked, 'where' | 'id'>): string {
  return printable(checked.id === null ? checked.where : `${checked.where} (${checked.id})`);
}
