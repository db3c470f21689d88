/** Looks again and again until Ctrl-C, and outlasts a database that is away for a moment. */
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';
import { isRunning, type Target } from './target.ts';

/**
 * Calls `look` every `pauseMs` until the signal.
 *
 * Errors: those of `look`; but an endpoint that answered before and cannot be reached now is said once, and tried again,
 * unless it was a local stack's, and that stack was stopped.
 */
export async function poll(io: Io, target: Target, pauseMs: number, look: () => Promise<void>): Promise<void> {
  let answered = false;
  let away = false;
  while (!io.signal.aborted) {
    try {
      await look();
      if (away) io.err('it can be reached again\n');
      answered = true;
      away = false;
    } catch (error) {
      if (!answered || !(error instanceof CliError) || error.exitCode !== EXIT.unreachable) throw error;
      if (target.local !== undefined && !isRunning(target.local)) {
        throw new CliError(EXIT.unreachable, 'the local stack was stopped', { cause: error });
      }
      if (!away) io.err(`enclavectl: ${error.message}; trying again until Ctrl-C\n`);
      away = true;
    }
    await io.clock.sleep(pauseMs, io.signal);
  }
}
