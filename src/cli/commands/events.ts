/** `enclavectl events`: what happened, from the history table; polled, so that no stream reader is taken away. */
import { EVENT_WINDOW_MS } from '../../enclave/items/event-window.ts';
import type { OperatorEvent } from '../../enclave/items/items.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { printable } from '../output.ts';
import { poll } from '../poll.ts';
import { openStore } from '../store.ts';
import { renderTable } from '../table.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

const POLL_MS = 2_000;
/** Writers' clocks differ, and repeats go into an older item: each poll looks this far behind the newest event seen. */
const OVERLAP_MS = EVENT_WINDOW_MS + 60_000;

interface Options extends GlobalOptions {
  readonly follow?: boolean;
  readonly output: 'table' | 'json';
}

export async function events(io: Io, [id]: readonly string[], options: Options): Promise<ExitCode> {
  const target = resolveTarget(io, options);
  const store = openStore(target);
  try {
    const seen = new Set<string>();
    let newest = '';
    const look = async () => {
      const since = newest === '' ? '' : new Date(Date.parse(newest) - OVERLAP_MS).toISOString();
      const fresh = (await store.events(id, since)).filter((event) => !seen.has(keyOf(event)));
      if (fresh.length > 0) io.out(render(io, fresh, options, newest === ''));
      for (const event of fresh) {
        seen.add(keyOf(event));
        if (event.at > newest) newest = event.at;
      }
    };
    if (options.follow === true) await poll(io, target, POLL_MS, look);
    else await look();
    if (newest === '' && options.follow !== true) io.err('no events\n');
    return EXIT.yes;
  } finally {
    store.close();
  }
}

function keyOf(event: OperatorEvent): string {
  return `${event.id} ${event.at} ${event.reason} ${event.count ?? 1} ${event.message}`;
}

/** Following needs columns that do not depend on later rows, so each row is a line of its own. */
function render(io: Io, list: readonly OperatorEvent[], options: Options, first: boolean): string {
  if (options.output === 'json') return list.map((event) => `${JSON.stringify(event)}\n`).join('');
  if (options.follow === true) return list.map((event) => `${eventCells(event).map(printable).join('  ')}\n`).join('');
  return first ? renderTable(io, ['TIME', 'TYPE', 'REASON', 'ENCLAVE', 'MESSAGE'], list.map(eventCells)) : '';
}

export function eventCells(event: OperatorEvent): readonly string[] {
  const repeats = event.count === undefined || event.count < 2 ? '' : ` (${event.count} times since ${event.firstAt})`;
  return [event.at, event.type, event.reason, event.id, `${event.message}${repeats}`];
}
