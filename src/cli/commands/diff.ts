/** `enclavectl diff`: what applying records would change, and what that does to the running enclaves. */

import type { JsonMap } from '../../enclave/json.ts';
import { omit } from '../../enclave/omit.ts';
import { appliedSpec } from '../../enclave/spec/applied.ts';
import {
  CHANGE_MEANINGS,
  type ChangeClass,
  classifyChange,
  type FieldChange,
  immutableChanges,
} from '../../enclave/spec/change.ts';
import { type AppliedSpec, parseSpec, type SpecContext, type SpecIssue } from '../../enclave/spec/spec.ts';
import { type Checked, checkFiles, issueLine, specContext, titleOf } from '../check.ts';
import { againstApplied } from '../check-applied.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { printable } from '../output.ts';
import { changedFields } from '../owned-fields.ts';
import { openStore } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly filename: readonly string[];
  readonly output: 'table' | 'json';
}

interface Difference {
  readonly where: string;
  readonly id: string | null;
  /** `same`, `differs`, `new`: there is no record yet, `invalid`: the document could not be applied. */
  readonly verdict: 'same' | 'differs' | 'new' | 'invalid';
  /** Attributes of the record that would be written. */
  readonly fields: readonly string[];
  /** What the change does; null where one side describes no enclave. */
  readonly class: ChangeClass | null;
  readonly changes: readonly FieldChange[];
  readonly errors: readonly SpecIssue[];
}

export async function diff(io: Io, _args: readonly string[], options: Options): Promise<ExitCode> {
  const target = resolveTarget(io, options);
  const context = specContext(target.config);
  const checked = await againstApplied(await checkFiles(io, options.filename, target.config), target);
  const store = openStore(target);
  try {
    const differences: Difference[] = [];
    for (const document of checked) {
      const valid = document.spec !== undefined && document.id !== null;
      const id = document.id ?? '';
      const stored = valid ? await store.record(id) : undefined;
      const applied = stored === undefined ? undefined : appliedSpec(await store.lifecycle(id));
      differences.push(compare(document, stored, context, applied));
    }
    io.out(
      options.output === 'json'
        ? `${JSON.stringify(differences.map(toJson), null, 2)}\n`
        : differences.map(toText).join(''),
    );
    return differences.every(({ verdict }) => verdict === 'same') ? EXIT.yes : EXIT.no;
  } finally {
    store.close();
  }
}

function compare(
  { where, id, record, spec, errors }: Checked,
  stored: JsonMap | undefined,
  context: SpecContext,
  applied: AppliedSpec | undefined,
): Difference {
  const base = { where, id, fields: [], class: null, changes: [], errors };
  if (record === undefined || spec === undefined) return { ...base, verdict: 'invalid' };
  if (stored === undefined) return { ...base, verdict: 'new' };
  const changed = changedFields(record, stored);
  const fields = Object.keys(changed);
  if (fields.length === 0) return { ...base, verdict: 'same', class: 'none' };

  const immutable = immutableChanges(stored, { ...stored, ...changed });
  if (immutable.length > 0) return { ...base, verdict: 'invalid', fields, errors: immutable };
  const before = parseSpec(stored, context, { applied });
  const after = parseSpec({ ...stored, ...changed }, context, { applied });
  if (!before.ok || !after.ok) return { ...base, verdict: 'differs', fields };
  const change = classifyChange(before.spec, after.spec);
  return { ...base, verdict: 'differs', fields, class: change.class, changes: change.changes };
}

function toJson(given: Difference) {
  const difference = omit(given, 'where');
  return difference;
}

function toText(difference: Difference): string {
  const { verdict, fields, changes, errors } = difference;
  const title = titleOf(difference);
  switch (verdict) {
    case 'same':
      return `${title}: no difference\n`;
    case 'new':
      return `${title}: would be created\n`;
    case 'invalid':
      return `${title}: cannot be applied\n${errors.map((issue) => issueLine('error', issue)).join('')}`;
    case 'differs': {
      const effect = difference.class === null ? 'The stored record is invalid.' : CHANGE_MEANINGS[difference.class];
      const lines = changes.map(
        ({ field, change, from, to }) => `  ${field} (${change}): ${show(from)} -> ${show(to)}\n`,
      );
      return `${title}: ${fields.join(', ')} would change: ${difference.class ?? 'unknown'}. ${effect}\n${lines.join('')}`;
    }
  }
}

function show(value: unknown): string {
  return value === undefined ? '(absent)' : printable(JSON.stringify(value) ?? String(value));
}
