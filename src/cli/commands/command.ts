/** `delete`, `pause`, `resume`: the commands the application writes into `status`, with its gates. */
import { type CommandStatus, readRecord } from '../../enclave/record.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { openStore, type Store } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly force?: boolean;
  readonly yes?: boolean;
}

/** A status the application writes as a command, and the statuses from which it offers it. */
interface Gate {
  readonly verb: string;
  readonly status: CommandStatus;
  readonly from: readonly string[];
  readonly said: string;
}
const PAUSE: Gate = { verb: 'pause', status: 'PAUSING', from: ['DEPLOYED'], said: 'pausing' };
const RESUME: Gate = { verb: 'resume', status: 'RESUMING', from: ['PAUSED'], said: 'resuming' };
const DESTROY: Gate = {
  verb: 'delete',
  status: 'PENDING_DESTROY',
  from: ['DEPLOYED', 'PAUSED', 'FAILED'],
  said: 'being destroyed',
};

export const pause = (io: Io, ids: readonly string[], options: Options) => command(io, ids, options, PAUSE);
export const resume = (io: Io, ids: readonly string[], options: Options) => command(io, ids, options, RESUME);

export async function destroy(io: Io, ids: readonly string[], options: Options): Promise<ExitCode> {
  if (options.yes !== true && !io.interactive) {
    throw new CliError(EXIT.refused, `delete destroys ${ids.join(', ')} and there is no terminal to ask: add --yes`);
  }
  const target = resolveTarget(io, options);
  if (options.yes !== true) {
    // A wrong environment is noticed here or never.
    const { enclavesTable, region } = target.config;
    const where = `table ${enclavesTable}, ${target.local === undefined ? region : 'local stack'}`;
    const answer = await io.ask(`Destroy ${ids.join(', ')} (${where}) with all resources? [y/N] `).catch(() => '\n');
    // Ctrl-C leaves the cursor behind the question.
    if (answer === '\n') io.err(answer);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(EXIT.refused, 'nothing was deleted');
  }
  return command(io, ids, options, DESTROY, target);
}

/** Commands every id it can; the exit code is that of the worst. */
async function command(
  io: Io,
  ids: readonly string[],
  options: Options,
  gate: Gate,
  target = resolveTarget(io, options),
): Promise<ExitCode> {
  const store = openStore(target);
  try {
    let worst: ExitCode = EXIT.yes;
    for (const id of new Set(ids)) {
      try {
        await write(io, store, id, gate, options.force === true);
        io.out(`${id}: ${gate.said}\n`);
      } catch (error) {
        if (!(error instanceof CliError) || error.exitCode === EXIT.unreachable) throw error;
        io.err(`enclavectl: ${error.message}\n`);
        worst = error.exitCode > worst ? error.exitCode : worst;
      }
    }
    return worst;
  } finally {
    store.close();
  }
}

async function write(io: Io, store: Store, id: string, gate: Gate, force: boolean): Promise<void> {
  const raw = await store.record(id);
  if (raw === undefined) throw new CliError(EXIT.no, `there is no enclave ${id}: \`enclavectl get\` lists them`);
  const { status } = readRecord(raw);
  if (!gate.from.includes(status) && !force) {
    throw new CliError(
      EXIT.refused,
      `cannot ${gate.verb} ${id}: it is ${status || 'without status'}, and ${gate.verb} takes ${gate.from.join(', ')}; ` +
        `wait (\`enclavectl get ${id} -w\`), or insist with --force`,
    );
  }
  const set = { status: gate.status, updatedAt: new Date(io.clock.now()).toISOString() };
  if ((await store.update(id, set, { status: raw.status, createdAt: raw.createdAt })) === 'conflict') {
    throw new CliError(EXIT.refused, `${id} changed meanwhile: look again (\`enclavectl get ${id}\`) and repeat`);
  }
}
