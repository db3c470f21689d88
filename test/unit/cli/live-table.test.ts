/** The live table: redrawn in place on a terminal, a line a change elsewhere. */
import { describe, expect, it } from 'vitest';
import { liveTable } from '../../../src/cli/live-table.ts';
import type { Row } from '../../../src/cli/row.ts';
import { ioFor } from '../../support/cli.ts';
import { screenOf } from '../../support/terminal.ts';

const row = (id: string, phase: string, more: Partial<Row> = {}): Row => ({
  ...{ id, name: 'n', desired: 'Running', phase, status: 'DEPLOYING', host: null, inSync: null, ageSeconds: 1 },
  message: null,
  ...more,
});

/** What a terminal shows that understands the few sequences in use. */
function screen(written: string): string[] {
  const lines = [''];
  let at = 0;
  let column = 0;
  // Sequences, line ends, and text between them.
  for (const part of written.split(/(\p{Cc}\[[?\d;]*[a-zA-Z]|[\r\n])/u)) {
    const up = /\[(\d+)A$/.exec(part);
    if (part.startsWith('\u001b') && up) at -= Number(up[1]);
    else if (part === '\u001b[J') lines.splice(at, lines.length, '');
    else if (part === '\r') column = 0;
    else if (part === '\n') {
      column = 0;
      at += 1;
      lines[at] ??= '';
    } else if (!part.startsWith('\u001b')) {
      const line = lines[at] ?? '';
      lines[at] = line.slice(0, column).padEnd(column) + part + line.slice(column + part.length);
      column += part.length;
    }
  }
  return lines.filter((line) => line !== '').map((line) => line.replace(/ +/g, ' '));
}

describe('on a terminal', () => {
  it('redraws in place, below what was noted', () => {
    const { io, written } = ioFor({ terminal: true });
    const table = liveTable(io);
    table.note('starting');
    table.show([row('a', 'pending')]);
    table.show([row('a', 'provisioning'), row('b', 'pending')]);
    table.note('one process was started again');
    table.show([row('a', 'ready', { status: 'DEPLOYED' }), row('b', 'provisioning')]);
    expect(screen(written())).toEqual([
      'starting',
      'one process was started again',
      'ID NAME DESIRED PHASE STATUS HOST IN SYNC AGE MESSAGE',
      'a n Running ready DEPLOYED 1s',
      'b n Running provisioning DEPLOYING 1s',
    ]);
  });

  it('begins at the edge again after an echoed ^C', () => {
    const { io, written } = ioFor({ terminal: true });
    const table = liveTable(io);
    table.show([row('a', 'pending')]);
    io.out('^C');
    table.show([row('a', 'ready')]);
    expect(screen(written())).toEqual([
      'ID NAME DESIRED PHASE STATUS HOST IN SYNC AGE MESSAGE',
      'a n Running ready DEPLOYING 1s',
    ]);
  });

  it('leaves alone what was written below it', () => {
    const { io, written } = ioFor({ terminal: true });
    const table = liveTable(io);
    table.show([row('a', 'ready')]);
    table.leave('what to try next\n');
    table.note('one process was started again');
    expect(screen(written()).slice(1)).toEqual([
      'a n Running ready DEPLOYING 1s',
      'what to try next',
      'one process was started again',
    ]);
  });

  it('draws no more rows than fit, since the cursor cannot go above the screen', () => {
    const { io, written } = ioFor({ terminal: true, height: () => 10 });
    const rows = Array.from({ length: 50 }, (_, index) => row(`e${index}`, 'ready'));
    const table = liveTable(io);
    table.show(rows);
    table.show(rows);
    expect(screen(written())).toHaveLength(8);
    expect(screen(written()).at(-1)).toBe('… and 44 more');
  });

  it('keeps every line within the width of the terminal, and the id whole', () => {
    const id = 'enc_1755986905612_ouocac870';
    const host = 'i-0123456789abcdef0';
    const rows = [row(id, 'provisioning', { host, name: 'a name of 24 characters', message: '説明'.repeat(60) })];
    for (let columns = id.length; columns <= 300; columns += 1) {
      const { io, written } = ioFor({ terminal: true, width: () => columns, env: { NO_COLOR: '1' } });
      liveTable(io).show(rows);
      // As the terminal's driver sends line ends.
      const { lines, overwritten } = screenOf(written().replaceAll('\n', '\r\n'), { columns, rows: 24 });
      expect([columns, lines.length, overwritten]).toEqual([columns, 2, 0]);
      expect(lines[1]).toMatch(new RegExp(`^${id}( |$)`));
    }
  });

  it('has colours, unless NO_COLOR is set', () => {
    for (const [env, coloured] of [
      [{}, true],
      [{ NO_COLOR: '1' }, false],
      [{ TERM: 'dumb' }, false],
    ] as const) {
      const { io, written } = ioFor({ terminal: true, env });
      liveTable(io).show([row('a', 'ready', { status: 'DEPLOYED' })]);
      expect([env, written().includes('\u001b[32m')]).toEqual([env, coloured]);
    }
  });
});

describe('without a terminal', () => {
  it('prints a line a change, and none for an age', () => {
    const { io, written } = ioFor({ terminal: false });
    const table = liveTable(io);
    table.show([row('a', 'pending'), row('b', 'pending')]);
    table.show([row('a', 'pending', { ageSeconds: 2 }), row('b', 'ready', { inSync: true, message: 'x\u001b[2J' })]);
    expect(written()).toBe(
      'a  n  Running  pending  DEPLOYING  1s\n' +
        'b  n  Running  pending  DEPLOYING  1s\n' +
        'b  n  Running  ready  DEPLOYING  in sync  1s  x [2J\n',
    );
  });
});
