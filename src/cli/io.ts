/** What a command may touch of its surroundings: streams, environment, files' root, time. */
import type { Clock, Random } from '../reconciler/ports/index.ts';

export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where `.local/` and relative file names are looked for. */
  readonly cwd: string;
  /** To stdout: answers only, so that they can be piped. */
  out(text: string): void;
  /** To stderr: everything said about the answer. */
  err(text: string): void;
  /** All of stdin. */
  readStdin(): Promise<string>;
  /** Asks on the terminal; only called where `interactive`. */
  ask(question: string): Promise<string>;
  /** True where stdout is a terminal: colours, redrawing. */
  readonly terminal: boolean;
  /** Lines of the terminal; it can change at any time. */
  height(): number;
  /** Columns of the terminal; it can change at any time. */
  width(): number;
  /** True where a person can answer a question. */
  readonly interactive: boolean;
  /** Aborts on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
}

/** Colours only on a terminal, and not where NO_COLOR (https://no-color.org) is set to anything. */
export function wantsColour(io: Pick<Io, 'env' | 'terminal'>): boolean {
  return io.terminal && !io.env.NO_COLOR && io.env.TERM !== 'dumb';
}
