/** Entry point of enclavectl: wires the real streams, clock and signals to the program. */
import { createInterface } from 'node:readline/promises';
import { text } from 'node:stream/consumers';
import { systemClock, systemRandom } from '../reconciler/clock.ts';
import type { Io } from './io.ts';
import { run } from './program.ts';

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // The second signal: whoever sends it does not want to wait for a clean end.
    if (stop.signal.aborted) process.exit(130);
    stop.abort(name);
  });
}
// The reader of a pipe may go before the writer is done (`enclavectl get | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2));

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
  height: () => process.stdout.rows ?? 24,
  interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  signal: stop.signal,
  clock: systemClock,
  random: systemRandom,
};

process.exitCode = await run(process.argv.slice(2), io);
