/** Watching outlasts a database that is away for a moment. */
import { describe, expect, it } from 'vitest';
import { CliError, EXIT } from '../../../src/cli/exit.ts';
import { poll } from '../../../src/cli/poll.ts';
import type { Target } from '../../../src/cli/target.ts';
import { ConfigSchema } from '../../../src/reconciler/config.ts';
import { systemClock } from '../../../src/reconciler/ports/system-clock.ts';
import { ioFor } from '../../support/cli.ts';

const config = ConfigSchema.parse({});
const aws: Target = { config, endpoint: undefined, local: undefined };
/** The target's supervisor; no process has the number 2³¹-1. */
const localOf = (pid: number): Target => ({
  ...aws,
  local: { folder: '.local', endpoint: { ...config, pid, aws: '', dynamodb: '', operator: '' } },
});

const away = () => new CliError(EXIT.unreachable, 'cannot reach it');

/** Runs `answers` one a look, ends after the last; what was said on stderr, and how often it looked. */
async function watch(target: Target, answers: readonly (CliError | undefined)[]) {
  const stop = new AbortController();
  const clock = { ...systemClock, sleep: async () => {} };
  const { io, said } = ioFor({ signal: stop.signal, clock });
  let looks = 0;
  const ended = await poll(io, target, 1_000, async () => {
    const answer = answers[looks];
    looks += 1;
    if (looks === answers.length) stop.abort();
    if (answer !== undefined) throw answer;
  }).catch((error: CliError) => error);
  return { looks, said: said(), ended };
}

describe('a watch', () => {
  it('says once that the database is away, tries again, and says when it is back', async () => {
    const { looks, said, ended } = await watch(aws, [undefined, away(), away(), undefined, undefined]);
    expect({ looks, ended }).toEqual({ looks: 5, ended: undefined });
    expect(said).toBe('enclavectl: cannot reach it; trying again until Ctrl-C\nit can be reached again\n');
  });

  it('goes on while the local stack lives, and ends when it was stopped', async () => {
    expect((await watch(localOf(process.pid), [undefined, away(), undefined])).ended).toBeUndefined();
    const { looks, ended } = await watch(localOf(2 ** 31 - 1), [undefined, away(), undefined]);
    expect(looks).toBe(2);
    expect(ended).toMatchObject({ exitCode: EXIT.unreachable, message: 'the local stack was stopped' });
  });

  it('ends at once where nothing ever answered, or another thing is wrong', async () => {
    expect(await watch(aws, [away(), undefined])).toMatchObject({ looks: 1, ended: { exitCode: EXIT.unreachable } });
    const gone = new CliError(EXIT.no, 'there is no enclave');
    expect(await watch(aws, [undefined, gone, undefined])).toMatchObject({ looks: 2, ended: gone });
  });
});
