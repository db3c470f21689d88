/** `plan`: asks the operator for a full plan of one enclave now, and shows what it finds. */
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { Planned } from '../../enclave/items/plan.ts';
import { actor } from '../actor.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { planText } from '../plan-text.ts';
import { openStore, type Store } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly output: 'table' | 'json';
  readonly timeout: string;
}

const LOOK_MS = 1_000;

export async function plan(io: Io, [id = '']: readonly string[], options: Options): Promise<ExitCode> {
  const limitMs = Number(options.timeout) * 1_000;
  if (!(limitMs > 0)) throw new CliError(EXIT.usage, `--timeout is ${options.timeout}, and no number of seconds`);
  const store = openStore(resolveTarget(io, options));
  try {
    const lifecycle = await store.lifecycle(id);
    if (lifecycle === undefined)
      throw new CliError(EXIT.no, `nothing is known of ${id}: \`enclavectl get\` lists enclaves`);
    refuse(id, lifecycle);
    const at = new Date(io.clock.now()).toISOString();
    const key = `${at}-${io.random.id(6)}`;
    await store.request({ v: 1, minReader: 1, id, key, verb: 'plan', actor: actor(), at });
    io.err(`${id}: plan requested; a task is started for it, which takes a minute or two\n`);
    const planned = await answerOf(io, store, id, lifecycle.planned?.run, limitMs);
    if (options.output === 'json') io.out(`${JSON.stringify({ id, ...planned }, undefined, 2)}\n`);
    else io.out(planText(io, id, planned));
    if (planned.verdict === 'Unknown') return EXIT.usage;
    if (planned.digest !== undefined && isManual(await store.lifecycle(id))) {
      io.err(
        `\nTo let it be applied: enclavectl approve ${id} --generation ${planned.generation} --digest ${planned.digest}\n`,
      );
    }
    return planned.verdict === 'Match' ? EXIT.yes : EXIT.no;
  } finally {
    store.close();
  }
}

function refuse(id: string, { desired, run, adopted, pinned, touched }: Lifecycle): void {
  if (desired === 'Absent') throw new CliError(EXIT.refused, `${id} is being destroyed: there is nothing to plan`);
  if (run !== undefined) throw new CliError(EXIT.refused, `${run.name} is at work on ${id}: wait for its end`);
  if (!touched) throw new CliError(EXIT.refused, `${id} was never deployed: there is nothing to compare with`);
  if (adopted && pinned.legacy === undefined) {
    throw new CliError(
      EXIT.refused,
      `the Terraform state of ${id} is not prepared: \`enclavectl adopt ${id}\` does that`,
    );
  }
}

async function answerOf(
  io: Io,
  store: Store,
  id: string,
  before: string | undefined,
  limitMs: number,
): Promise<Planned> {
  const until = io.clock.monotonic() + limitMs;
  while (!io.signal.aborted && io.clock.monotonic() < until) {
    const { planned, planAsked } = (await store.lifecycle(id)) ?? {};
    if (planned !== undefined && planned.run !== before && planAsked === undefined) return planned;
    await io.clock.sleep(LOOK_MS, io.signal);
  }
  const freeze = (await store.control())?.freeze;
  const why = freeze === undefined ? 'it may still come' : `the fleet is frozen by ${freeze.actor}: ${freeze.reason}`;
  throw new CliError(
    EXIT.usage,
    `no plan of ${id} within ${limitMs / 1_000} s: ${why}; see \`enclavectl describe ${id}\``,
  );
}

function isManual(lifecycle: Lifecycle | undefined): boolean {
  const drift = lifecycle?.policy?.drift as { readonly approval?: unknown } | undefined;
  return drift?.approval === 'manual';
}
