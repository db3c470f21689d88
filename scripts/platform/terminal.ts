/** What the platform's commands may touch of their surroundings. */
import { stderr, stdin, stdout } from 'node:process';
import { createInterface } from 'node:readline/promises';

export interface Terminal {
  /** A line about what was done. */
  say(text: string): void;
  /** What is wrong, as it is. */
  complain(text: string): void;
  /** Asks, where a person can answer. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
}

/** An expected failure: its text is for the user, and is all that is printed. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

export const terminal: Terminal = {
  say: (text) => stdout.write(`${text}\n`),
  complain: (text) => stderr.write(text),
  ask:
    stdin.isTTY && stdout.isTTY
      ? async (question) => {
          const lines = createInterface({ input: stdin, output: stderr });
          try {
            return await lines.question(question);
          } finally {
            lines.close();
          }
        }
      : undefined,
};

/** Nothing happens without `yes`, here or on the command line. */
export async function confirm(terminal: Terminal, question: string, answer: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (terminal.ask === undefined) throw new Refusal(`${question}: nobody can answer here; pass --yes to go ahead`);
  const given = (await terminal.ask(`${question}: type ${answer} to go ahead: `)).trim();
  if (given !== answer) throw new Refusal('nothing was changed');
}
