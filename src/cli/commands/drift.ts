/** `enclavectl drift`: what differs, as the operator last found it; of one enclave, by a look of its own. */
import { lookClosely } from '../../aws/close-look.ts';
import type { Lifecycle } from '../../enclave/lifecycle-item.ts';
import { attributesOf, isOfFindings } from '../../machines/index.ts';
import { compared, type Row, subjectOf } from '../compared.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { clip, shortAge } from '../output.ts';
import { openStore } from '../store.ts';
import { renderTable } from '../table.ts';
import { type GlobalOptions, resolveTarget, type Target } from '../target.ts';

interface Options extends GlobalOptions {
  readonly output: 'table' | 'json';
}

const WIDEST = 60;

export async function drift(io: Io, [id]: readonly string[], options: Options): Promise<ExitCode> {
  const target = resolveTarget(io, options);
  const store = openStore(target);
  try {
    if (id === undefined) return list(io, await store.lifecycles(), options.output);
    const lifecycle = await store.lifecycle(id);
    if (lifecycle === undefined)
      throw new CliError(EXIT.no, `nothing is known of ${id}: \`enclavectl get\` lists enclaves`);
    const { applied, desired } = lifecycle;
    if (applied === undefined || desired === 'Absent')
      throw new CliError(EXIT.refused, `${id} is not deployed: there is nothing to compare with`);
    reachLocal(target);
    const look = await lookClosely(target.config, subjectOf(lifecycle, target.config.region));
    for (const { what, why } of look.unseen) io.err(`${what}: not seen (${why})\n`);
    const rows = compared(lifecycle, look, await store.reports(id), target.config.environment, io.clock.now());
    return show(io, rows, options.output);
  } finally {
    store.close();
  }
}

/** The local stack answers for all of AWS; the SDK reads where from the process' own environment. */
function reachLocal({ local }: Target): void {
  if (local === undefined) return;
  const credentials = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };
  Object.assign(process.env, { AWS_ENDPOINT_URL: local.endpoint.aws, ...credentials });
}

/** Nothing but what the operator has written down. */
function list(io: Io, lifecycles: readonly Lifecycle[], output: Options['output']): ExitCode {
  const found = lifecycles.flatMap((lifecycle) => listed(lifecycle));
  if (output === 'json') io.out(`${JSON.stringify(found, undefined, 2)}\n`);
  else if (found.length === 0) io.err('nothing differs, as far as it was seen\n');
  else {
    const rows = found.map(({ id, attribute, severity, repair, since }) => {
      return [id, attribute, severity, repair, age(io, since)];
    });
    io.out(renderTable(io, ['ENCLAVE', 'ATTRIBUTE', 'SEVERITY', 'REPAIR', 'FOR'], rows));
  }
  return found.length === 0 ? EXIT.yes : EXIT.no;
}

function listed({ id, findings = [], drift: tracked, desired }: Lifecycle) {
  if (desired === 'Absent') return [];
  const found = findings.map(({ attribute, severity, repair, since }) => ({ id, attribute, severity, repair, since }));
  if (tracked === undefined || isOfFindings(tracked.fingerprint)) return found;
  // The state of the host, or what the enclave reports, is no row of the comparison.
  const { since } = tracked;
  const [attribute = tracked.fingerprint] = attributesOf(tracked.fingerprint);
  return [{ id, attribute, severity: 'critical', repair: 'repair', since }, ...found];
}

function show(io: Io, rows: readonly Row[], output: Options['output']): ExitCode {
  const differs = rows.some(({ verdict }) => verdict === 'Drift');
  if (output === 'json') io.out(`${JSON.stringify(rows, undefined, 2)}\n`);
  else {
    const cells = rows.map((row) => [
      row.attribute,
      row.verdict,
      row.verdict === 'Drift' ? row.severity : '',
      row.verdict === 'Drift' ? row.repair : '',
      row.since === undefined ? '' : age(io, row.since),
      clip(row.desired ?? '', WIDEST),
      clip(row.observed ?? '', WIDEST),
    ]);
    io.out(renderTable(io, ['ATTRIBUTE', 'VERDICT', 'SEVERITY', 'REPAIR', 'FOR', 'DESIRED', 'OBSERVED'], cells));
  }
  return differs ? EXIT.no : EXIT.yes;
}

function age(io: Io, since: string): string {
  return shortAge(Math.floor((io.clock.now() - Date.parse(since)) / 1_000));
}
