/** Tables and colours; apart, so that commands without them do not load the library. */
import Table from 'cli-table3';
import { type Io, wantsColour } from './io.ts';
import { printable } from './output.ts';

/** A cell whose colour its text does not say: `True` is good news of one condition and bad news of another. */
export interface ColouredCell {
  readonly text: string;
  readonly colour: 'green' | 'red' | undefined;
}
export type Cell = string | ColouredCell;

const BORDERLESS = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    ['', '-mid', '-left', '-right'].map((part) => [`${side}${part}`, '']),
  ),
);

/** Columns as kubectl prints them: no borders, two blanks between. Ends with a newline. */
export function renderTable(
  io: Pick<Io, 'env' | 'terminal'>,
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
): string {
  const table = new Table({
    chars: { ...BORDERLESS, middle: '  ' },
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
  });
  const colour = wantsColour(io);
  table.push([...head]);
  for (const row of rows) table.push(row.map((cell) => paint(cell, colour)));
  const lines = table.toString().split('\n');
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

const CODES = { green: 32, red: 31, dim: 2 } as const;
const GREEN = new Set(['DEPLOYED', 'ready', 'True', 'succeeded', 'valid']);
const RED = new Set(['FAILED', 'stalled', 'invalid', 'False', 'failed', 'Warning', 'error']);
const DIM = new Set(['DESTROYED', 'destroyed', 'PAUSED', 'paused']);

/** Control characters go first: the codes of the colour are the only ones that may reach the terminal. */
function paint(cell: Cell, colour: boolean): string {
  const text = printable(typeof cell === 'string' ? cell : cell.text);
  const code = typeof cell === 'string' ? codeOf(text) : cell.colour && CODES[cell.colour];
  return !colour || code === undefined ? text : `\u001b[${code}m${text}\u001b[0m`;
}

function codeOf(text: string): number | undefined {
  return GREEN.has(text) ? CODES.green : RED.has(text) ? CODES.red : DIM.has(text) ? CODES.dim : undefined;
}
