/** `enclavectl orphans`: hosts that carry our tags, and Terraform states, that are of no enclave, as the operator last found them. */
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
    const { orphans: found = [], orphanStates: states = [] } = (await store.control()) ?? {};
    if (options.output === 'json') {
      io.out(`${JSON.stringify([...found, ...states], undefined, 2)}\n`);
      return EXIT.yes;
    }
    const now = io.clock.now();
    if (found.length + states.length === 0) io.err('no orphans\n');
    if (found.length > 0) {
      const rows = found.map(({ id, region, instanceId, state, since }) => {
        return [id, instanceId, region, state, shortAge(Math.floor((now - Date.parse(since)) / 1_000))];
      });
      io.out(renderTable(io, ['ENCLAVE', 'HOST', 'REGION', 'STATE', 'KNOWN FOR'], rows));
    }
    if (states.length > 0) {
      const rows = states.map(({ id, key, modifiedAt, since }) => {
        return [id, key, modifiedAt, shortAge(Math.floor((now - Date.parse(since)) / 1_000))];
      });
      io.out(renderTable(io, ['ENCLAVE', 'TERRAFORM STATE', 'WRITTEN', 'KNOWN FOR'], rows));
    }
    return EXIT.yes;
  } finally {
    store.close();
  }
}
