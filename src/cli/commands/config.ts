/** `enclavectl config`: every value and where it comes from. */
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { renderTable } from '../table.ts';
import { type GlobalOptions, readConfig } from '../target.ts';

export async function config(
  io: Io,
  _args: readonly string[],
  options: GlobalOptions & { readonly output: 'table' | 'json' },
): Promise<ExitCode> {
  const { settings } = readConfig(io, options);
  if (options.output === 'json') {
    io.out(`${JSON.stringify(settings, null, 2)}\n`);
  } else {
    const rows = settings.map(({ key, value, source }) => [
      key,
      Array.isArray(value) ? value.join(',') : value,
      source,
    ]);
    io.out(
      renderTable(
        io,
        ['KEY', 'VALUE', 'SOURCE'],
        rows.map((row) => row.map(String)),
      ),
    );
  }
  return EXIT.yes;
}
