/** What Terraform prints, read: its JSON lines, its errors, its plans. */
import { isPlainMap, type JsonMap } from '../../../src/enclave/json.ts';
import type { Diagnostic, PlannedChange, TerraformPlan } from './port.ts';

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const map = (value: unknown): JsonMap => (isPlainMap(value) ? value : {});

/** Lines that tell how the work goes on. None carries a value of a variable, an attribute or an output. */
const PROGRESS: ReadonlySet<string> = new Set([
  'apply_start',
  'apply_progress',
  'apply_complete',
  'apply_errored',
  'change_summary',
]);

export type OutputLine =
  | { readonly kind: 'progress'; readonly message: string }
  | { readonly kind: 'diagnostic'; readonly diagnostic: Diagnostic }
  | { readonly kind: 'other' };

/** Any line: what is no JSON, or JSON of another shape, is `other`. */
export function readLine(line: string): OutputLine {
  const parsed = parse(line);
  if (!isPlainMap(parsed)) return { kind: 'other' };
  if (parsed.type === 'diagnostic') {
    const { severity, summary, detail } = map(parsed.diagnostic);
    return {
      kind: 'diagnostic',
      diagnostic: { severity: text(severity) || 'error', summary: text(summary), detail: text(detail) },
    };
  }
  if (PROGRESS.has(text(parsed.type))) return { kind: 'progress', message: text(parsed['@message']) };
  return { kind: 'other' };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * The errors of a command that failed: its JSON diagnostics, or what it wrote as text (`Error: summary`, a blank line,
 * details) where it does not speak JSON.
 */
export function diagnosticsOf(stdout: string, stderr: string): readonly Diagnostic[] {
  const told: Diagnostic[] = [];
  for (const line of stdout.split('\n')) {
    const read = readLine(line);
    if (read.kind === 'diagnostic') told.push(read.diagnostic);
  }
  if (told.some(({ severity }) => severity === 'error')) return told;
  const plain = stderr.replace(/^[│╷╵]\s?/gmu, '');
  const [, summary = '', detail = ''] = /^Error: (.*)\n?([\s\S]*)/m.exec(plain) ?? [];
  if (summary !== '') return [...told, { severity: 'error', summary, detail: detail.trim() }];
  const last = plain.trim().split('\n').at(-1) ?? '';
  return [...told, { severity: 'error', summary: last || 'Terraform failed without an error message.', detail: '' }];
}

function changeOf(value: unknown): PlannedChange {
  const { address, type, change } = map(value);
  const { actions, before, after, importing } = map(change);
  return {
    address: text(address),
    type: text(type),
    change: {
      // What cannot be read counts as an action nobody knows, which the gate takes for a deletion.
      actions: Array.isArray(actions) ? actions.map(text) : ['unreadable'],
      before: isPlainMap(before) ? before : null,
      after: isPlainMap(after) ? after : null,
      ...(importing === undefined ? {} : { importing }),
    },
  };
}

/** Reads `terraform show -json <plan>`. Throws where it is no plan: an empty one would pass every gate. */
export function readPlan(json: string): TerraformPlan {
  const plan = parse(json);
  if (!isPlainMap(plan) || !text(plan.format_version).startsWith('1.')) {
    throw new Error('terraform show printed no plan of a format this runner knows');
  }
  return {
    ...(typeof plan.applyable === 'boolean' ? { applyable: plan.applyable } : {}),
    resource_changes: list(plan.resource_changes).map(changeOf),
    resource_drift: list(plan.resource_drift).map(changeOf),
  };
}

/** Reads `terraform output -json`: strings alone; what is sensitive stays out. */
export function readOutputs(json: string): Readonly<Record<string, string>> {
  const outputs: Record<string, string> = {};
  for (const [name, output] of Object.entries(map(parse(json)))) {
    const { value, sensitive } = map(output);
    if (typeof value === 'string' && sensitive !== true) outputs[name] = value;
  }
  return outputs;
}
