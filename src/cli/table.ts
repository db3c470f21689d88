/** Tables and colours; apart, so that commands without them do not load the library. */
import Table from 'cli-table3';
import { type Io, wantsColour } from './io.ts';
import { printable } from './output.ts';

const BORDERLESS = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    ['', '-mid', '-left', '-right'].map((part) => [`${side}${part}`, '']),
  ),
);

/** Columns as kubectl prints them: no borders, two blanks between. Ends with a newline. */
export function renderTable(
  io: Pick<Io, 'env' | 'terminal'>,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const table = new Table({
    chars: { ...BORDERLESS, middle: '  ' },
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
  });
  const colour = wantsColour(io);
  table.push([...head]);
  for (const row of rows) table.push(row.map((cell) => paint(printable(cell), colour)));
  const lines = table.toString().split('\n');
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

const GREEN = new Set(['DEPLOYED', 'ready', 'True', 'succeeded', 'valid']);
const RED = new Set(['FAILED', 'stalled', 'invalid', 'False', 'failed', 'Warning', 'error']);
const DIM = new Set(['DESTROYED', 'destroyed', 'PAUSED', 'paused']);

function paint(cell: string, colour: boolean): string {
  if (!colour) return cell;
  const code = GREEN.has(cell) ? 32 : RED.has(cell) ? 31 : DIM.has(cell) ? 2 : undefined;
  return code === undefined ? cell : `\u001b[${code}m${cell}\u001b[0m`;
}
