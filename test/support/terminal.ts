/** A terminal of a given size: programs run on it, and what a person sees of what they wrote. */
import { spawn } from 'node:child_process';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Screen {
  /** Lines from top to bottom as they stand on the screen; blanks at their ends and empty lines at the end are cut. */
  readonly lines: readonly string[];
  /** Cells that got a second character on the same line, without the line being erased between: text that is lost. */
  readonly overwritten: number;
  /** The colour (an SGR number, such as 32 for green) of a cell of the first line with `text`; undefined: none. */
  colourOf(text: string, cell: number): number | undefined;
}

interface Cell {
  readonly character: string;
  readonly colour: number | undefined;
}

/** As many of the characters that take two cells as the tests write. */
const WIDE = /[\u3040-\u30ff\u4e00-\u9fff]/u;

/** Interprets what enclavectl writes to a terminal. Throws at a sequence it does not know: it must not be shown as text. */
export function screenOf(written: string, { columns, rows }: Size): Screen {
  let lines: Cell[][] = [[]];
  let row = 0;
  let column = 0;
  let wraps = true;
  let colour: number | undefined;
  let overwritten = 0;

  const newLine = () => {
    row += 1;
    if (row >= rows) {
      lines = lines.slice(1);
      row = rows - 1;
    }
    lines[row] ??= [];
  };
  const put = (character: string) => {
    if (column + (WIDE.test(character) ? 1 : 0) >= columns && wraps) {
      column = 0;
      newLine();
    }
    // Without wrapping, what does not fit lands in the last cell.
    column = Math.min(column, columns - 1);
    const line = lines[row] ?? [];
    lines[row] = line;
    while (line.length < column) line.push({ character: ' ', colour: undefined });
    if ((line[column]?.character ?? ' ') !== ' ') overwritten += 1;
    line[column] = { character, colour };
    column += 1;
    if (!WIDE.test(character)) return;
    line[column] = { character: '', colour };
    column += 1;
  };
  const obey = (parameters: string, command: string) => {
    const count = Number(parameters || '1');
    if (command === 'm') colour = Number(parameters || '0') || undefined;
    else if (command === 'A') row = Math.max(0, row - count);
    else if (command === 'H' && parameters === '') [row, column] = [0, 0];
    else if (command === 'J' && parameters === '') {
      lines = lines.slice(0, row + 1);
      lines[row] = (lines[row] ?? []).slice(0, column);
    } else if (parameters === '?7') wraps = command === 'h';
    else throw new Error(`an unknown sequence: ESC [${parameters}${command}`);
  };

  for (const part of written.split(/(\p{Cc}\[[?\d;]*[a-zA-Z]|\p{Cc})/u)) {
    const sequence = /^\p{Cc}\[([?\d;]*)([a-zA-Z])$/u.exec(part);
    if (sequence !== null) obey(sequence[1] ?? '', sequence[2] ?? '');
    else if (part === '\r') column = 0;
    else if (part === '\n') newLine();
    else if (/^\p{Cc}/u.test(part)) throw new Error(`an unknown control character: ${JSON.stringify(part)}`);
    else for (const character of part) put(character);
  }

  const texts = lines.map((line) => line.map(({ character }) => character).join(''));
  return {
    lines: texts
      .map((text) => text.trimEnd())
      .join('\n')
      .trimEnd()
      .split('\n'),
    overwritten,
    colourOf(text, cell) {
      const at = texts.findIndex((line) => line.includes(text));
      if (at === -1) throw new Error(`${text} is not on the screen:\n${texts.join('\n')}`);
      return lines[at]?.[cell]?.colour;
    },
  };
}

/** A program that has not ended by then hangs. */
const LONGEST_MS = 60_000;
const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * Everything the program writes to a pseudo-terminal of that size, until it ends, or until Ctrl-C once `isEnough` holds
 * of what it has written. `script` comes with every Debian and Ubuntu, in the package bsdutils.
 */
export function onTerminal(
  words: readonly string[],
  size: Size,
  env: Readonly<Record<string, string>> = {},
  isEnough?: (written: string) => boolean,
): Promise<string> {
  const command = `stty cols ${size.columns} rows ${size.rows} -echo && exec ${words.map(quoted).join(' ')}`;
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, SHELL: '/bin/sh', TERM: 'xterm-256color', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(LONGEST_MS),
  });
  const decoder = new TextDecoder();
  let written = '';
  let interrupted = false;
  child.stdout.on('data', (chunk: Buffer) => {
    written += decoder.decode(chunk, { stream: true });
    if (interrupted || isEnough?.(written) !== true) return;
    interrupted = true;
    child.stdin.write('\u0003');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    written += chunk.toString('utf8');
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT' ? '`script` is missing: install the package bsdutils' : error.message;
      reject(new Error(`${missing}\n${written}`, { cause: error }));
    });
    child.once('close', () => resolve(written));
  });
}
