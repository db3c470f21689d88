/** `enclavectl describe`: all that is known of one enclave, for a person. */
import { stringify } from 'yaml';
import { CONDITION_TYPES, type Condition, type ConditionType } from '../../enclave/conditions.ts';
import type { Lock, OperatorEvent } from '../../enclave/items/items.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { Report } from '../../enclave/items/report.ts';
import type { RunItem } from '../../enclave/items/run.ts';
import { readRecord } from '../../enclave/record.ts';
import { appliedSpec } from '../../enclave/spec/applied.ts';
import { type EnclaveSpec, parseSpec } from '../../enclave/spec/spec.ts';
import type { RawRecord } from '../../reconciler/ports/index.ts';
import { issueLine, specContext } from '../check.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { indent, nameLines, printable, printableLines, shortAge } from '../output.ts';
import { openStore, reportingHost } from '../store.ts';
import { type ColouredCell, renderTable } from '../table.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';
import { measurementSection } from './describe-measurements.ts';
import { policySection } from './describe-policy.ts';

const RUNS_SHOWN = 10;
const EVENTS_SHOWN = 20;

/** Everything the sections are made of, as read. */
interface Known {
  readonly id: string;
  readonly record: RawRecord | undefined;
  readonly lifecycle: Lifecycle | undefined;
  readonly lock: Lock | undefined;
  readonly reports: readonly Report[];
  readonly runs: readonly RunItem[];
  readonly events: readonly OperatorEvent[];
  readonly now: number;
}

export async function describe(io: Io, [id = '']: readonly string[], options: GlobalOptions): Promise<ExitCode> {
  const target = resolveTarget(io, options);
  const store = openStore(target);
  try {
    const [record, lifecycle, lock, runs, events] = await Promise.all([
      store.record(id),
      store.lifecycle(id),
      store.lock(id),
      store.runs(id, RUNS_SHOWN),
      store.events(id, ''),
    ]);
    if (record === undefined && lifecycle === undefined) {
      throw new CliError(EXIT.no, `there is no enclave ${id}: \`enclavectl get\` lists them`);
    }
    const reports = await store.reports(id, reportingHost(lifecycle));
    const known: Known = { id, record, lifecycle, lock, reports, runs, events, now: io.clock.now() };
    io.out(summary(known));
    io.out(specSection(known, specContext(target.config)));
    io.out(policySection(id, record === undefined ? lifecycle?.snapshot?.policy : record.policy, known.now));
    io.out(conditions(io, known));
    io.out(measurementSection(known, target));
    io.out(reportSection(known));
    io.out(runSection(io, known));
    io.out(eventSection(io, known));
    return EXIT.yes;
  } finally {
    store.close();
  }
}

function summary({ id, record, lifecycle, lock, now }: Known): string {
  const read = record === undefined ? undefined : readRecord(record);
  const since = (time: string) => shortAge(Math.floor((now - Date.parse(time)) / 1_000));
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return nameLines([
    ['Id', id],
    ['Name', text(record?.name)],
    ['Owner', read?.identity.walletAddress],
    ['Region', text(record?.region) ?? lifecycle?.snapshot?.region],
    ['Created', read?.identity.createdAt],
    [
      'Status',
      read === undefined
        ? '(the record is gone)'
        : `${read.status}${read.updatedAt ? `, written ${read.updatedAt}` : ''}`,
    ],
    ['Desired', lifecycle === undefined ? undefined : desiredText(lifecycle)],
    [
      'Phase',
      lifecycle === undefined
        ? '(the operator has not seen it yet)'
        : `${lifecycle.phase} for ${since(lifecycle.phaseSince)}`,
    ],
    ['Message', lifecycle?.message],
    ['Generation', lifecycle && `${lifecycle.generation}, applied ${lifecycle.observedGeneration}`],
    ['Host', lifecycle?.pinned.instanceId],
    ['Run', lifecycle?.run && `${lifecycle.run.name} (${lifecycle.run.reason}), deadline ${lifecycle.run.deadlineAt}`],
    ['Lock', lock && `${lock.state} by ${lock.run}`],
    [
      'Attempts',
      lifecycle && lifecycle.attempts.count > 0
        ? `${lifecycle.attempts.count} failed (${lifecycle.attempts.key})`
        : undefined,
    ],
    ['Next attempt', lifecycle?.nextAttemptAt && nextAttempt(lifecycle, now)],
    ['Last failure', lifecycle?.failure && `${lifecycle.failure.class}: ${lifecycle.failure.message}`],
    ['Fix', lifecycle?.failure?.fix],
    ['Problems', read === undefined || read.problems.length === 0 ? undefined : read.problems.join('; ')],
  ]);
}

function desiredText({ desired, absentBecause, missingSince }: Lifecycle): string {
  if (missingSince !== undefined) return `${desired} (the record is missing since ${missingSince})`;
  return absentBecause === undefined
    ? desired
    : `${desired} (${absentBecause === 'command' ? 'commanded' : 'the record is gone'})`;
}

function nextAttempt({ nextAttemptAt = '', failure }: Lifecycle, now: number): string {
  const wait = Math.ceil((Date.parse(nextAttemptAt) - now) / 1_000);
  const when = wait > 0 ? `in ${shortAge(wait)} (${nextAttemptAt})` : `now due (${nextAttemptAt})`;
  return failure === undefined ? when : `${when}, because the last one failed: ${failure.class}`;
}

function specSection({ record, lifecycle }: Known, context: Parameters<typeof parseSpec>[1]): string {
  if (record === undefined) return '';
  const result = parseSpec(record, context, { applied: appliedSpec(lifecycle) });
  const warnings = result.warnings.map((issue) => issueLine('warning', issue)).join('');
  if (!result.ok) {
    return `\nSpec: invalid\n${result.errors.map((issue) => issueLine('error', issue)).join('')}${warnings}`;
  }
  return `\nSpec:\n${indent(printableLines(stringify(withoutValues(result.spec))))}${warnings}`;
}

/** Variables may hold what nobody should read over a shoulder: their names only. */
function withoutValues(spec: EnclaveSpec): object {
  const hidden = Object.fromEntries(
    Object.entries(spec.environmentVariables).map(([name, value]) => [name, `(${value.length} characters)`]),
  );
  return { ...spec, environmentVariables: hidden };
}

function conditions(io: Io, { lifecycle }: Known): string {
  if (lifecycle === undefined || lifecycle.conditions.length === 0) return '';
  const rows = lifecycle.conditions.map((it) => [
    it.type,
    statusCell(it),
    it.reason,
    it.lastTransitionTime,
    it.message,
  ]);
  return `\nConditions:\n${indent(renderTable(io, ['TYPE', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'], rows))}`;
}

/** Conditions that are bad news where they are True; Progressing is no news of either kind. */
const BAD_IF_TRUE = new Set(['Stalled', 'DeletionBlocked']);

function statusCell({ type, status }: Condition): ColouredCell {
  const isNeutral = status === 'Unknown' || type === 'Progressing' || !isConditionType(type);
  const isGood = (status === 'True') !== BAD_IF_TRUE.has(type);
  return { text: status, colour: isNeutral ? undefined : isGood ? 'green' : 'red' };
}

/** A newer operator's condition may mean either. */
function isConditionType(type: string): type is ConditionType {
  return (CONDITION_TYPES as readonly string[]).includes(type);
}

function reportSection({ reports }: Known): string {
  return reports
    .map((report) => {
      const { instanceId, at, sequence, appliedGeneration, health, error } = report;
      const enclaves = report.enclaves.map(
        (it) => `${it.name} ${it.state}, ${it.cpuCount} vCPU, ${it.memoryMiB} MiB${it.debug ? ', debug' : ''}`,
      );
      const body = nameLines([
        ['Received', `${at}, number ${sequence} of this boot`],
        ['Applied', `generation ${appliedGeneration}`],
        ['Enclaves', enclaves.join('; ') || 'none'],
        ['Health', health],
        ['Error', error && `${error.class}: ${error.message}`],
        ...Object.entries(report.measurements).toSorted(([a], [b]) => a.localeCompare(b)),
      ]);
      return `\nReport of ${printable(instanceId)} (as the host says, not attested):\n${indent(body)}`;
    })
    .join('');
}

function runSection(io: Io, { runs }: Known): string {
  if (runs.length === 0) return '';
  const rows = runs.map((run) => [
    run.name,
    run.reason,
    String(run.generation),
    run.requestedAt,
    run.outcome?.result ?? (run.cancelRequestedAt === undefined ? 'running' : 'being cancelled'),
    run.outcome === undefined ? (run.progress ?? '') : outcomeText(run.outcome),
  ]);
  return `\nRuns, newest first:\n${indent(renderTable(io, ['NAME', 'REASON', 'GENERATION', 'REQUESTED', 'RESULT', 'MESSAGE'], rows))}`;
}

function outcomeText({ class: errorClass, message = '' }: NonNullable<RunItem['outcome']>): string {
  return errorClass === undefined ? message : `${errorClass}: ${message}`;
}

function eventSection(io: Io, { events }: Known): string {
  if (events.length === 0) return '';
  const shown = events.slice(-EVENTS_SHOWN);
  const left = events.length - shown.length;
  const rows = shown.map((event) => [event.at, event.type, event.reason, event.message]);
  const more = left > 0 ? ` (${left} earlier ones: \`enclavectl events\`)` : '';
  return `\nEvents${more}:\n${indent(renderTable(io, ['TIME', 'TYPE', 'REASON', 'MESSAGE'], rows))}`;
}
