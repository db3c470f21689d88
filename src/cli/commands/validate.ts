/** `enclavectl validate`: checks records without database and network. */
import { type Checked, checkFiles, issueLine, titleOf } from '../check.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { type GlobalOptions, readConfig } from '../target.ts';

interface Options extends GlobalOptions {
  readonly filename: readonly string[];
  readonly output: 'table' | 'json';
}

export async function validate(io: Io, _args: readonly string[], options: Options): Promise<ExitCode> {
  const checked = await checkFiles(io, options.filename, readConfig(io, options).config);
  io.out(
    options.output === 'json' ? `${JSON.stringify(checked.map(toJson), null, 2)}\n` : checked.map(toText).join(''),
  );
  return checked.every(({ spec }) => spec !== undefined) ? EXIT.yes : EXIT.no;
}

function toJson({ id, spec, errors, warnings }: Checked) {
  return { id, valid: spec !== undefined, errors, warnings };
}

function toText(checked: Checked): string {
  const { spec, errors, warnings } = checked;
  const count = (issues: readonly unknown[], what: string) =>
    issues.length === 0 ? '' : `, ${issues.length} ${what}${issues.length === 1 ? '' : 's'}`;
  return [
    `${titleOf(checked)}: ${spec === undefined ? 'invalid' : 'valid'}`,
    `${count(errors, 'error')}${count(warnings, 'warning')}\n`,
    ...errors.map((issue) => issueLine('error', issue)),
    ...warnings.map((issue) => issueLine('warning', issue)),
  ].join('');
}
