/** `enclavectl get`: a list of enclaves, or one; once, or again on every change. */
import { stringify } from 'yaml';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { screenful } from '../live-table.ts';
import { poll } from '../poll.ts';
import { type Row, renderRows, toRow, toRows } from '../row.ts';
import { openStore, type Store } from '../store.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

/** A watch lists whole tables: cheap on this machine, paid for in AWS. */
const WATCH_LOCAL_MS = 1_000;
const WATCH_AWS_MS = 5_000;
const CLEAR_SCREEN = '\u001b[H\u001b[J';

interface Options extends GlobalOptions {
  readonly output: 'table' | 'wide' | 'json' | 'yaml';
  readonly watch?: boolean;
}

export async function get(io: Io, [id]: readonly string[], options: Options): Promise<ExitCode> {
  const target = resolveTarget(io, options);
  const store = openStore(target);
  try {
    let printed = '';
    const look = async () => {
      const rows = id === undefined ? await list(store, io) : [await one(store, io, id)];
      // Ages change all the time, and are no reason to print again.
      const version = JSON.stringify(rows.map((row) => ({ ...row, ageSeconds: 0 })));
      if (version !== printed) {
        const clear = options.watch === true && io.terminal && options.output !== 'json' ? CLEAR_SCREEN : '';
        io.out(clear + render(io, rows, options));
      }
      printed = version;
    };
    if (options.watch !== true) await look();
    else await poll(io, target, target.local === undefined ? WATCH_AWS_MS : WATCH_LOCAL_MS, look);
    return EXIT.yes;
  } finally {
    store.close();
  }
}

async function list(store: Store, io: Io): Promise<readonly Row[]> {
  const [records, lifecycles] = await Promise.all([store.records(), store.lifecycles()]);
  return toRows(records, lifecycles, io.clock.now());
}

async function one(store: Store, io: Io, id: string): Promise<Row> {
  const [record, lifecycle] = await Promise.all([store.record(id), store.lifecycle(id)]);
  if (record === undefined && lifecycle === undefined) {
    throw new CliError(EXIT.no, `there is no enclave ${id}: \`enclavectl get\` lists them`);
  }
  return toRow(id, record, lifecycle, io.clock.now());
}

function render(io: Io, rows: readonly Row[], { output, watch }: Options): string {
  switch (output) {
    case 'json':
      // A watch prints one document a line, so that a reader can tell where one ends.
      return `${JSON.stringify({ items: rows }, null, watch === true ? 0 : 2)}\n`;
    case 'yaml':
      return `---\n${stringify({ items: rows })}`;
    default:
      if (rows.length === 0) {
        io.err('no enclaves: create one with `enclavectl apply -f examples/service.yaml`\n');
        return '';
      }
      return watch === true && io.terminal && output === 'table'
        ? screenful(io, rows)
        : renderRows(io, rows, output === 'wide');
  }
}
