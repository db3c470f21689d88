/** `enclavectl orphans`: hosts that carry our tags and are of no enclave, as the operator last found them. */
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { shortAge } from '../output.ts';
import { openStore } from '../store.ts';
import { renderTable } from '../table.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly output: 'table' | 'json';
}

export async function orphans(io: Io, _args: readonly string[], options: Options): Promise<ExitCode> {
  const store = openStore(resolveTarget(io, options));
  try {
    const found = (await store.control())?.orphans ?? [];
    if (options.output === 'json') {
      io.out(`${JSON.stringify(found, undefined, 2)}\n`);
      return EXIT.yes;
    }
    if (found.length === 0) io.err('no orphans\n');
    else {
      const now = io.clock.now();
      const rows = found.map(({ id, region, instanceId, state, since }) => {
        return [id, instanceId, region, state, shortAge((now - Date.parse(since)) / 1_000)];
      });
      io.out(renderTable(io, ['ENCLAVE', 'HOST', 'REGION', 'STATE', 'KNOWN FOR'], rows));
    }
    return EXIT.yes;
  } finally {
    store.close();
  }
}
