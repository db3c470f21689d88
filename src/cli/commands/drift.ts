/** `enclavectl drift`: what differs, as the operator last found it; of one enclave, by a look of its own. */
import { createAwsPorts } from '../../aws/index.ts';
import { ROWS, reportedAttributes } from '../../drift/index.ts';
import type { DriftRow } from '../../enclave/drift-answer.ts';
import type { Lifecycle } from '../../enclave/lifecycle-item.ts';
import { DEFAULT_POLICY, driftModeOf, type EnclavePolicy } from '../../enclave/policy.ts';
import { attributesOf, isOfFindings } from '../../machines/index.ts';
import { compareClosely, isUnmanaged } from '../../reconciler/close-comparison.ts';
import { inspect, subjectOf } from '../../reconciler/inspection.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { clip, shortAge } from '../output.ts';
import { openStore, reportingHost } from '../store.ts';
import { renderTable } from '../table.ts';
import { type GlobalOptions, resolveTarget, type Target } from '../target.ts';

interface Options extends GlobalOptions {
  readonly output: 'table' | 'json';
}

const WIDEST = 60;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

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
    const { config } = target;
    const ports = createAwsPorts({ config, log: SILENT, clock: io.clock, random: io.random });
    const inspection = await inspect(subjectOf(lifecycle, config.region), ports, io.signal);
    ports.close();
    for (const { what, why } of inspection.unseen) io.err(`${what}: not seen (${why})\n`);
    if (isUnmanaged(lifecycle, inspection)) io.err(asFoundText(id));
    const reports = await store.reports(id, reportingHost(lifecycle));
    const rows = compareClosely(lifecycle, inspection, reports, config.environment, io.clock.now());
    return show(io, rows, options.output);
  } finally {
    store.close();
  }
}

function asFoundText(id: string): string {
  const what = 'was taken over, and its host has not been prepared';
  return `${id} ${what}: only its existence and state are compared (\`enclavectl adopt ${id}\` prepares it)\n`;
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

function listed({ id, findings = [], drift: tracked, desired, policy }: Lifecycle) {
  if (desired === 'Absent') return [];
  const found = findings.map(({ attribute, severity, repair, since }) => ({ id, attribute, severity, repair, since }));
  if (tracked === undefined || isOfFindings(tracked.fingerprint)) return found;
  return [{ id, ...trackedOf(tracked, policy), since: tracked.since }, ...found];
}

/** The state of the host, or what the enclave reports: named as the operator does, as grave as the row it is about. */
function trackedOf({ fingerprint }: NonNullable<Lifecycle['drift']>, stored: Lifecycle['policy']) {
  const [name = fingerprint] = attributesOf(fingerprint);
  const attributes = reportedAttributes(fingerprint);
  // Those of one reason are equally grave, and begin with the same repair.
  const row = ROWS.find(({ attribute }) => attributes.includes(attribute));
  const policy = (stored ?? DEFAULT_POLICY) as unknown as EnclavePolicy;
  const modes = attributes.map((each) => policy.drift.overrides[each] ?? driftModeOf(policy, name));
  const told = modes.find((mode) => mode === 'alert' || mode === 'off');
  const repair = told !== undefined && modes.every((mode) => mode === told) ? told : (row?.rung ?? 'repair');
  return { attribute: name, severity: row?.severity ?? 'critical', repair };
}

function show(io: Io, rows: readonly DriftRow[], output: Options['output']): ExitCode {
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
      clip(row.observed ?? (row.why === undefined ? '' : `(${row.why})`), WIDEST),
    ]);
    io.out(renderTable(io, ['ATTRIBUTE', 'VERDICT', 'SEVERITY', 'REPAIR', 'FOR', 'DESIRED', 'OBSERVED'], cells));
  }
  return differs ? EXIT.no : EXIT.yes;
}

function age(io: Io, since: string): string {
  return shortAge(Math.floor((io.clock.now() - Date.parse(since)) / 1_000));
}
