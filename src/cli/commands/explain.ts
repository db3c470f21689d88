/** `enclavectl explain`: one field of a record, or all of them. */
import { CHANGE_MEANINGS } from '../../enclave/spec/change.ts';
import { explainField, type FieldDoc, nearestField } from '../../enclave/spec/explain.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { printable } from '../output.ts';

export async function explain(io: Io, [path = '']: readonly string[]): Promise<ExitCode> {
  const doc = explainField(path);
  if (doc === undefined) {
    const meant = nearestField(path);
    const hint = meant === undefined ? '`enclavectl explain` lists all' : `did you mean ${meant}?`;
    throw new CliError(EXIT.no, `a record has no field ${printable(path)}: ${hint}`);
  }
  io.out(heading(doc));
  if (doc.fields.length > 0) io.out(`\nFIELDS\n${tree(doc.fields, doc.path, 1)}`);
  return EXIT.yes;
}

function heading(doc: FieldDoc): string {
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['FIELD', doc.path || 'the record'],
    ['TYPE', doc.unit === undefined ? doc.type : `${doc.type}, ${doc.unit}`],
    ['TAKES', doc.range],
    ['DEFAULT', doc.path !== '' && doc.required ? 'none: it is required' : doc.default],
    ['EXAMPLE', doc.example],
    ['CHANGE', doc.change && `${doc.change}: ${CHANGE_MEANINGS[doc.change]}`],
  ];
  const shown = lines.filter(([, value]) => value !== undefined).map(([name, value]) => `${name.padEnd(8)} ${value}\n`);
  return `${shown.join('')}\n${doc.meaning}\n`;
}

function tree(fields: readonly FieldDoc[], parent: string, depth: number): string {
  return fields
    .map((field) => {
      const name = parent === '' ? field.path : field.path.slice(parent.length + 1);
      const type = field.required ? `${field.type}, required` : field.type;
      return `${'  '.repeat(depth)}${name} <${type}>  ${field.meaning}\n${tree(field.fields, field.path, depth + 1)}`;
    })
    .join('');
}
