/** `retry` and `adopt`: requests to the operator, which deletes each in the write that commits its effect. */
import { actor } from '../actor.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { openStore } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

type RequestVerb = 'retry' | 'adopt';

export const retry = (io: Io, ids: readonly string[], options: GlobalOptions) => request(io, ids, options, 'retry');
export const adopt = (io: Io, ids: readonly string[], options: GlobalOptions) => request(io, ids, options, 'adopt');

async function request(io: Io, ids: readonly string[], options: GlobalOptions, verb: RequestVerb): Promise<ExitCode> {
  const store = openStore(resolveTarget(io, options));
  try {
    let code: ExitCode = EXIT.yes;
    for (const id of new Set(ids)) {
      const [record, lifecycle] = await Promise.all([store.record(id), store.lifecycle(id)]);
      if (record === undefined && lifecycle === undefined) {
        io.err(`enclavectl: there is no enclave ${id}: \`enclavectl get\` lists them\n`);
        code = EXIT.no;
        continue;
      }
      const at = new Date(io.clock.now()).toISOString();
      await store.request({ v: 1, minReader: 1, id, key: `${at}-${io.random.id(6)}`, verb, actor: actor(), at });
      io.out(`${id}: ${verb} requested; follow it with \`enclavectl events ${id} -f\`\n`);
    }
    return code;
  } finally {
    store.close();
  }
}
