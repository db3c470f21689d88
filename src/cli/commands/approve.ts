/** `approve`: lets the operator apply what was planned of one enclave, and nothing else. */
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { actor } from '../actor.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { planText } from '../plan-text.ts';
import { openStore } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly generation?: string;
  readonly digest?: string;
}

/** A digest may be cut short, but not so that two plans are likely to share what is left. */
const SHORTEST_DIGEST = 12;

export async function approve(io: Io, [id = '']: readonly string[], options: Options): Promise<ExitCode> {
  const store = openStore(resolveTarget(io, options));
  try {
    const lifecycle = await store.lifecycle(id);
    if (lifecycle === undefined)
      throw new CliError(EXIT.no, `nothing is known of ${id}: \`enclavectl get\` lists enclaves`);
    const { planned, digest } = lastPlan(id, lifecycle);
    if (options.generation === undefined || options.digest === undefined) {
      if (!io.interactive) {
        throw new CliError(
          EXIT.refused,
          `say what is approved: --generation and --digest, as \`enclavectl plan ${id}\` shows them`,
        );
      }
      io.err(planText(io, id, planned));
      const answer = await io.ask(`Let the operator apply this to ${id} within a day? [y/N] `).catch(() => '');
      if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(EXIT.refused, 'nothing was approved');
    } else compare(id, planned.generation, digest, options.generation, options.digest);
    const at = new Date(io.clock.now()).toISOString();
    const key = `${at}-${io.random.id(6)}`;
    const { generation } = planned;
    await store.request({ v: 1, minReader: 1, id, key, verb: 'approve', actor: actor(), at, generation, digest });
    io.out(
      `${id}: generation ${generation}, plan ${digest.slice(0, SHORTEST_DIGEST)} approved for a day; follow it with ` +
        `\`enclavectl events ${id} -f\`\n`,
    );
    return EXIT.yes;
  } finally {
    store.close();
  }
}

function lastPlan(id: string, { planned, generation, ranAt }: Lifecycle) {
  const fresh = `\`enclavectl plan ${id}\` makes one`;
  if (planned?.digest === undefined) throw new CliError(EXIT.refused, `no plan of ${id} is known: ${fresh}`);
  if (planned.generation !== generation) {
    throw new CliError(
      EXIT.refused,
      `the last plan of ${id} is of generation ${planned.generation}, and ${generation} is wanted: ${fresh}`,
    );
  }
  if (ranAt !== undefined && Date.parse(ranAt) >= Date.parse(planned.askedAt)) {
    throw new CliError(EXIT.refused, `a run of ${id} has ended since it was planned: ${fresh}`);
  }
  return { planned, digest: planned.digest };
}

function compare(id: string, generation: number, digest: string, givenGeneration: string, givenDigest: string): void {
  if (givenDigest.length < SHORTEST_DIGEST) {
    throw new CliError(EXIT.usage, `--digest needs ${SHORTEST_DIGEST} characters or more of the digest`);
  }
  if (Number(givenGeneration) === generation && digest.startsWith(givenDigest)) return;
  throw new CliError(
    EXIT.refused,
    `the last plan of ${id} is ${digest.slice(0, SHORTEST_DIGEST)} of generation ${generation}: look at it before it is approved`,
  );
}
