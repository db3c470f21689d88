/** `unlock`: asks the operator for a run that breaks a dead run's lock on the Terraform state. */
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { actor } from '../actor.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { openStore } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly yes?: boolean;
}

export async function unlock(io: Io, ids: readonly string[], options: Options): Promise<ExitCode> {
  const [id = ''] = ids;
  const store = openStore(resolveTarget(io, options));
  try {
    const lifecycle = await store.lifecycle(id);
    if (lifecycle === undefined) {
      io.err(`enclavectl: nothing is known of ${id}: \`enclavectl get\` lists enclaves\n`);
      return EXIT.no;
    }
    const said = lockedBy(id, lifecycle);
    io.err(
      `${said}\nA run is begun now instead of later. It breaks the lock only if the run that made it is proven dead: its ` +
        'outcome is written, or ECS calls its task stopped. A lock that none of our runs made stays; docs/migrate.md ' +
        'says how a person breaks one.\n',
    );
    if (options.yes !== true) {
      if (!io.interactive) throw new CliError(EXIT.refused, 'there is no terminal to ask: add --yes');
      const answer = await io.ask(`Begin that run for ${id}? [y/N] `).catch(() => '');
      if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(EXIT.refused, 'nothing was requested');
    }
    const at = new Date(io.clock.now()).toISOString();
    const key = `${at}-${io.random.id(6)}`;
    await store.request({ v: 1, minReader: 1, id, key, verb: 'unlock', actor: actor(), at });
    io.out(`${id}: unlock requested; follow it with \`enclavectl events ${id} -f\`\n`);
    return EXIT.yes;
  } finally {
    store.close();
  }
}

function lockedBy(id: string, { run, failure }: Lifecycle): string {
  if (run !== undefined) {
    throw new CliError(
      EXIT.refused,
      `${run.name} is at work on ${id}: wait for its end, or look at \`enclavectl describe ${id}\``,
    );
  }
  if (failure?.class !== 'locked') {
    const last = failure === undefined ? 'its last run did not fail' : `its last failure is of class ${failure.class}`;
    throw new CliError(EXIT.refused, `no lock is in the way of ${id}: ${last}`);
  }
  return `${id}: ${failure.message}`;
}
