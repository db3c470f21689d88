/** Runs enclavectl in this process, with captured streams. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';

export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export type CliOptions = Partial<Omit<Io, 'out' | 'err' | 'readStdin'>> & {
  readonly stdin?: string;
  readonly answer?: string;
  onOut?(text: string): void;
};

/** An empty folder, where no local stack can be found. */
export const emptyFolder = () => mkdtempSync(join(tmpdir(), 'enclavectl-'));

/** Streams that remember; all else as on a machine without a terminal, unless given. */
export function ioFor(options: CliOptions = {}) {
  const { stdin = '', answer = '', onOut, ...rest } = options;
  let out = '';
  let err = '';
  const io: Io = {
    env: {},
    cwd: emptyFolder(),
    terminal: false,
    height: () => 24,
    width: () => 80,
    interactive: false,
    signal: new AbortController().signal,
    clock: systemClock,
    random: systemRandom,
    ask: async (question) => {
      err += question;
      return answer;
    },
    ...rest,
    out: (text) => {
      out += text;
      onOut?.(text);
    },
    err: (text) => {
      err += text;
    },
    readStdin: async () => stdin,
  };
  return { io, written: () => out, said: () => err };
}

export async function cli(argv: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const { io, written, said } = ioFor(options);
  const code = await run(argv, io);
  return { code, out: written(), err: said() };
}
