/** Entry point of enclavectl: wires the real streams, clock and signals to the program. */
import { createInterface } from 'node:readline/promises';
import { text } from 'node:stream/consumers';
import { systemClock, systemRandom } from '../reconciler/ports/system-clock.ts';
import type { Io } from './io.ts';
import { run } from './program.ts';

const stop = new AbortController();
// SIGHUP: the terminal was closed. What was started must be stopped all the same.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    // The second signal: whoever sends it does not want to wait for a clean end.
    if (stop.signal.aborted) process.exit(130);
    stop.abort(name);
  });
}
// The reader may go before the writer is done (`enclavectl get -w | head`): then nobody waits for more.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stop.abort('closed'));

const io: Io = {
  env: process.env,
  cwd: process.cwd(),
  out: (chunk) => void process.stdout.write(chunk),
  err: (chunk) => void process.stderr.write(chunk),
  readStdin: () => text(process.stdin),
  ask: async (question) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await lines.question(question, { signal: stop.signal });
    } finally {
      lines.close();
    }
  },
  terminal: process.stdout.isTTY === true,
  // A pseudo-terminal that was never given a size has zero of both.
  height: () => process.stdout.rows || 24,
  width: () => process.stdout.columns || 80,
  interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  signal: stop.signal,
  clock: systemClock,
  random: systemRandom,
};

process.exitCode = await run(process.argv.slice(2), io);
