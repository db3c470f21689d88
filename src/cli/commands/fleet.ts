/** `freeze`, `unfreeze`, `confirm-deletions`: what holds for the whole fleet. */
import type { Control } from '../../enclave/items/fleet.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { actor } from '../actor.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { openStore, type Store } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface FreezeOptions extends GlobalOptions {
  readonly reason: string;
  readonly until?: string;
}

interface ConfirmOptions extends GlobalOptions {
  readonly yes?: boolean;
}

export async function freeze(io: Io, _args: readonly string[], options: FreezeOptions): Promise<ExitCode> {
  const until = options.until === undefined ? undefined : laterTime(io, options.until);
  return withControl(io, options, async (store, control) => {
    const frozen = {
      reason: options.reason,
      actor: actor(),
      at: new Date(io.clock.now()).toISOString(),
      ...(until === undefined ? {} : { until }),
    };
    await write(store, { freeze: frozen }, [], { freeze: control.freeze });
    io.out(
      `the fleet is frozen${until === undefined ? '' : ` until ${until}`}: no run and no repair is begun; runs under way ` +
        'go on, and so do `enclavectl delete`, pause and resume; lift it with `enclavectl unfreeze`\n',
    );
    return EXIT.yes;
  });
}

export const unfreeze = (io: Io, _args: readonly string[], options: GlobalOptions): Promise<ExitCode> =>
  withControl(io, options, async (store, control) => {
    if (control.freeze === undefined) {
      io.err('enclavectl: the fleet is not frozen\n');
      return EXIT.no;
    }
    await write(store, {}, ['freeze'], { freeze: control.freeze });
    io.out(`the fleet is no longer frozen (it was, by ${control.freeze.actor}: ${control.freeze.reason})\n`);
    return EXIT.yes;
  });

export const confirmDeletions = (io: Io, _args: readonly string[], options: ConfirmOptions): Promise<ExitCode> =>
  withControl(io, options, async (store, control) => {
    const hold = control.deletionHold;
    if (hold === undefined) {
      io.err('enclavectl: no deletions are held\n');
      return EXIT.no;
    }
    const vanished = (await store.lifecycles()).filter(isHeld);
    io.err(`held since ${hold.since}: ${hold.reason}\n${vanished.map(({ id }) => `  ${id}\n`).join('')}`);
    if (options.yes !== true) {
      const what = vanished.length === 1 ? '1 enclave' : `${vanished.length} enclaves`;
      if (!io.interactive) {
        throw new CliError(EXIT.refused, `this destroys ${what} and there is no terminal to ask: add --yes`);
      }
      const answer = await io.ask(`Destroy ${what} with all resources? [y/N] `).catch(() => '');
      if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(EXIT.refused, 'nothing was confirmed');
    }
    // Never before what is confirmed, should this machine's clock be slow.
    const now = new Date(io.clock.now()).toISOString();
    const times = [now, hold.since, ...vanished.map(({ missingSince = now }) => missingSince)];
    const deletionsConfirmed = { actor: actor(), at: times.reduce((a, b) => (a > b ? a : b)) };
    // The table is met anew: a confirmation also says that it is the right one.
    await write(store, { deletionsConfirmed }, ['deletionHold', 'tableId'], { deletionHold: hold });
    io.out('confirmed; follow it with `enclavectl events -f`\n');
    return EXIT.yes;
  });

/** Its record is gone, and it is not: what a confirmation destroys. */
function isHeld({ missingSince, phase, absentBecause }: Lifecycle): boolean {
  return missingSince !== undefined && phase !== 'destroyed' && absentBecause !== 'command';
}

function laterTime(io: Io, text: string): string {
  const time = Date.parse(text);
  if (!Number.isFinite(time) || time <= io.clock.now()) {
    throw new CliError(EXIT.usage, `--until ${text} is no time to come: write one such as 2030-01-31T18:00:00Z`);
  }
  return new Date(time).toISOString();
}

async function withControl(
  io: Io,
  options: GlobalOptions,
  work: (store: Store, control: Control) => Promise<ExitCode>,
): Promise<ExitCode> {
  const store = openStore(resolveTarget(io, options));
  try {
    const control = await store.control();
    if (control === undefined)
      throw new CliError(EXIT.no, 'no operator has run here yet: there is no fleet to speak of');
    return await work(store, control);
  } finally {
    store.close();
  }
}

async function write(store: Store, ...amendment: Parameters<Store['amendControl']>): Promise<void> {
  if ((await store.amendControl(...amendment)) === 'conflict') {
    throw new CliError(EXIT.refused, 'somebody else was faster: look again, and repeat');
  }
}
