/** A table that follows what happens: redrawn in place on a terminal, a line a change elsewhere. */
import type { Io } from './io.ts';
import { printable, shortAge } from './output.ts';
import { type Row, renderRows } from './row.ts';

/** Lines are cut to the width that the terminal had; if it has just become narrower, a line that wrapped would make the next redraw start too low. */
const WRAP_OFF = '\u001b[?7l';
const WRAP_ON = '\u001b[?7h';

export interface LiveTable {
  show(rows: readonly Row[]): void;
  /** A line above the table, until the table is left. */
  note(text: string): void;
  /** Text below the table, which then stays as it is: what is shown or noted afterwards comes below. */
  leave(text: string): void;
}

/** As many rows as fit on the screen, and how many do not: the cursor cannot go above the screen. */
export function screenful(io: Io, rows: readonly Row[]): string {
  const fitting = Math.max(1, io.height() - 4);
  const rest = rows.length > fitting ? `… and ${rows.length - fitting} more\n` : '';
  return `${renderRows(io, rows.slice(0, fitting), false)}${rest}`;
}

export function liveTable(io: Io): LiveTable {
  return io.terminal ? redrawn(io) : lines(io);
}

function redrawn(io: Io): LiveTable {
  let drawn = 0;
  // Ctrl-C is echoed as ^C: the cursor need not stand at the beginning of its line.
  const erase = () => (drawn === 0 ? '' : `\r\u001b[${drawn}A\u001b[J`);
  return {
    show(rows) {
      const text = screenful(io, rows);
      io.out(`${erase()}${WRAP_OFF}${text}${WRAP_ON}`);
      drawn = text.split('\n').length - 1;
    },
    note(text) {
      io.out(`${erase()}${text}\n`);
      drawn = 0;
    },
    leave(text) {
      io.out(text);
      drawn = 0;
    },
  };
}

function lines(io: Io): LiveTable {
  const last = new Map<string, string>();
  return {
    show(rows) {
      for (const row of rows) {
        const { desired, phase, status, host, inSync, message } = row;
        const version = JSON.stringify([desired, phase, status, host, inSync, message]);
        if (last.get(row.id) === version) continue;
        last.set(row.id, version);
        const sync = inSync === null ? '' : inSync ? 'in sync' : 'not in sync';
        const cells = [row.id, row.name, desired, phase, status, host, sync, shortAge(row.ageSeconds), message];
        io.out(
          `${cells
            .filter(Boolean)
            .map((cell) => printable(String(cell)))
            .join('  ')}\n`,
        );
      }
    },
    note: (text) => io.out(`${text}\n`),
    leave: (text) => io.out(text),
  };
}
