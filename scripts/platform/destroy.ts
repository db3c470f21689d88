/** Takes a platform down, never from under an enclave; data and the key that encrypts it stay. */
import { RETAINED } from '../../infra/platform/index.ts';
import { requireBootstrap } from './bootstrap.ts';
import { synth, type Work } from './deploy.ts';
import type { Standing } from './standing.ts';
import { confirm, Refusal } from './terminal.ts';
import { managed } from './terraform.ts';

const SHOWN = 20;

export function refuseWhileStanding(environment: string, standing: readonly Standing[]): void {
  if (standing.length === 0) return;
  const lines = standing.slice(0, SHOWN).map(({ id, because }) => `  ${id} (${because})`);
  if (standing.length > SHOWN) lines.push(`  and ${standing.length - SHOWN} more`);
  throw new Refusal(
    `${environment} still has ${standing.length === 1 ? 'an enclave' : `${standing.length} enclaves`}:\n` +
      `${lines.join('\n')}\n` +
      'Destroy each (`enclavectl delete ID`, or in the application), wait until none is left, then try again.',
  );
}

export async function destroy(work: Work, standing: () => Promise<readonly Standing[]>): Promise<void> {
  const { terraform, terminal, yes } = work;
  const { environment, accountId, region } = work.config;
  await requireBootstrap(work.s3(region), work.config);
  refuseWhileStanding(environment, await standing());
  // Nothing is imported on the way out.
  terminal.say(`wrote ${synth({ ...work, config: { ...work.config, adopt: false } })}`);
  await terraform.run('init', '-input=false', '-reconfigure');
  await confirm(
    terminal,
    `destroy ${environment} (account ${accountId}); tables and states are kept`,
    environment,
    yes,
  );
  // Asked again: minutes may have passed since, and the operator was at work.
  refuseWhileStanding(environment, await standing());
  const known = await managed(terraform);
  const kept = RETAINED.filter((address) => known.has(address));
  if (kept.length > 0) await terraform.run('state', 'rm', ...kept);
  await terraform.run('destroy', '-input=false', '-auto-approve');
  terminal.say(
    `destroyed ${environment}. Kept: tables, states and their key. To take them up again, list them under \`adopt\`; ` +
      'see docs/platform.md',
  );
}
