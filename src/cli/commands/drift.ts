/** `enclavectl drift`: what differs, as the operator last stored it; of one enclave, as the operator observes it now. */
import { attributesOfDrift, namesOfDrift, ROWS } from '../../drift/index.ts';
import type { DriftAnswer, DriftRow } from '../../enclave/items/drift-answer.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { driftModeOf, policyOf } from '../../enclave/spec/policy.ts';
import { isConfigurationDrift } from '../../machines/index.ts';
import { actor } from '../actor.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { clip, printable, shortAge } from '../output.ts';
import { openStore, type Store } from '../store.ts';
import { renderTable } from '../table.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly output: 'table' | 'json';
  readonly timeout: string;
}

const WIDEST = 60;
const POLL_MS = 1_000;

/** What the command needs of the tables. */
export type DriftStore = Pick<Store, 'lifecycle' | 'lifecycles' | 'request' | 'driftAnswer'>;

export async function drift(io: Io, [id]: readonly string[], options: Options): Promise<ExitCode> {
  const store = openStore(resolveTarget(io, options));
  try {
    return await driftFrom(io, store, id, options);
  } finally {
    store.close();
  }
}

export async function driftFrom(
  io: Io,
  store: DriftStore,
  id: string | undefined,
  options: Pick<Options, 'output' | 'timeout'>,
): Promise<ExitCode> {
  const limitMs = Number(options.timeout) * 1_000;
  if (!(limitMs > 0)) throw new CliError(EXIT.usage, `--timeout is ${options.timeout}, and no number of seconds`);
  if (id === undefined) return list(io, await store.lifecycles(), options.output);
  const lifecycle = await store.lifecycle(id);
  if (lifecycle === undefined)
    throw new CliError(EXIT.no, `nothing is known of ${id}: \`enclavectl get\` lists enclaves`);
  if (lifecycle.applied === undefined || lifecycle.desired === 'Absent')
    throw new CliError(EXIT.refused, `${id} is not deployed: there is nothing to compare with`);
  const answer = await ask(io, store, id, limitMs);
  return answer === undefined
    ? unanswered(io, id, (await store.lifecycle(id)) ?? lifecycle, options)
    : answered(io, answer, options.output);
}

/** Undefined: no operator has answered in time. */
async function ask(io: Io, store: DriftStore, id: string, limitMs: number): Promise<DriftAnswer | undefined> {
  const at = new Date(io.clock.now()).toISOString();
  const key = `${at}-${io.random.id(6)}`;
  await store.request({ v: 1, minReader: 1, id, key, verb: 'drift', actor: actor(), at });
  io.err(`${id}: comparison requested; an operator answers within seconds\n`);
  const until = io.clock.monotonic() + limitMs;
  while (!io.signal.aborted) {
    const answer = await store.driftAnswer(id, key);
    if (answer !== undefined || io.clock.monotonic() >= until) return answer;
    await io.clock.sleep(POLL_MS, io.signal);
  }
  return undefined;
}

function answered(io: Io, { id, refused, unmanaged, unseen, rows }: DriftAnswer, output: Options['output']): ExitCode {
  if (refused !== undefined) throw new CliError(EXIT.refused, `${id} was not compared: ${printable(refused)}`);
  for (const { what, why } of unseen) io.err(`${printable(`${what}: not seen (${why})`)}\n`);
  if (unmanaged === true) io.err(unmanagedText(id));
  show(io, rows, output);
  return rows.some(({ verdict }) => verdict === 'Drift') ? EXIT.no : EXIT.yes;
}

/** The last findings may be over, and others may have come: what differs now could not be told. */
function unanswered(
  io: Io,
  id: string,
  lifecycle: Lifecycle,
  { timeout, output }: Pick<Options, 'output' | 'timeout'>,
): ExitCode {
  const rows = listed(lifecycle).map(storedRow);
  const last =
    rows.length === 0
      ? 'It has stored no findings.'
      : 'These are the last findings that it has stored, and since when it has known them.';
  io.err(
    `enclavectl: no operator answered the request for ${id} within ${timeout} s: check that one leads, and that it is as new as this enclavectl. ${last}\n`,
  );
  if (rows.length > 0 || output === 'json') show(io, rows, output);
  return EXIT.usage;
}

function storedRow({ attribute, severity, repair, since }: ReturnType<typeof listed>[number]): DriftRow {
  const row = ROWS.find((each) => each.attribute === attribute);
  return {
    attribute,
    verdict: 'Drift',
    severity: severity as DriftRow['severity'],
    repair,
    owned: row?.owned ?? 'operator',
    security: row?.security ?? false,
    desired: null,
    observed: null,
    observedAt: null,
    since,
    why: 'stored by the operator',
  };
}

function unmanagedText(id: string): string {
  const what = 'was taken over, and its host has not been prepared';
  return `${id} ${what}: only its existence and state are compared (\`enclavectl adopt ${id}\` prepares it)\n`;
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

function listed(lifecycle: Lifecycle) {
  const { id, findings = [], drift: tracked, desired } = lifecycle;
  if (desired === 'Absent') return [];
  const found = findings.map(({ attribute, severity, repair, since }) => ({ id, attribute, severity, repair, since }));
  if (tracked === undefined || isConfigurationDrift({ drift: tracked })) return found;
  const names: readonly string[] = attributesOfDrift(tracked);
  if (found.some(({ attribute }) => names.includes(attribute))) return found;
  return [{ id, ...trackedOf(tracked, lifecycle), since: tracked.since }, ...found];
}

/** The state of the host, or what the enclave reports: named as the operator does, as grave as the row it is about. */
function trackedOf(drift: NonNullable<Lifecycle['drift']>, lifecycle: Lifecycle) {
  const [name = ''] = namesOfDrift(drift);
  const attributes = attributesOfDrift(drift);
  // Those of one reason are equally grave, and begin with the same repair.
  const row = ROWS.find(({ attribute }) => attributes.includes(attribute));
  const policy = policyOf(lifecycle);
  const modes = attributes.map((each) => policy.drift.overrides[each] ?? driftModeOf(policy, name));
  const told = modes.find((mode) => mode === 'alert' || mode === 'off');
  const repair = told !== undefined && modes.every((mode) => mode === told) ? told : (row?.rung ?? 'repair');
  return { attribute: name, severity: row?.severity ?? 'critical', repair };
}

function show(io: Io, rows: readonly DriftRow[], output: Options['output']): void {
  if (output === 'json') {
    io.out(`${JSON.stringify(rows, undefined, 2)}\n`);
    return;
  }
  const cells = rows.map((row) => [
    row.attribute,
    row.verdict,
    row.verdict === 'Drift' ? row.severity : '',
    row.verdict === 'Drift' ? row.repair : '',
    row.since === undefined ? '' : age(io, row.since),
    clip(row.desired ?? '', WIDEST),
    clip(row.observed ?? (row.why === undefined ? '' : `(${row.why})`), WIDEST),
    row.observedAt === null ? '' : `${age(io, row.observedAt)} ago`,
  ]);
  const head = ['ATTRIBUTE', 'VERDICT', 'SEVERITY', 'REPAIR', 'FOR', 'DESIRED', 'OBSERVED', 'OBSERVED AT'];
  io.out(renderTable(io, head, cells));
}

function age(io: Io, since: string): string {
  return shortAge(Math.floor((io.clock.now() - Date.parse(since)) / 1_000));
}
