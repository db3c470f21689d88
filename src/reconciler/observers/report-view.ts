/** The enclave as its host reports it: whether the report may be believed, and which difference leads. Pure. */
import { type Attribute, ENTRIES, type Finding, isLeftToHost, type Verdict } from '../../drift/index.ts';
import type { Reason } from '../../enclave/conditions.ts';
import { isPermanentHostError } from '../../enclave/host-errors.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import type { Report } from '../../enclave/items/report.ts';
import { missingRegisters } from '../../enclave/measurements.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';
import type { EnclaveView } from '../../machines/index.ts';
import { type PolicyView, underPolicy } from './compare.ts';
import { errorOf, messageOf } from './report-messages.ts';
import { leadingFirst, reportedFindings, withoutSpec } from './reported-findings.ts';

export interface ReportLook {
  readonly reports: readonly Report[];
  /** How long the newest report of the host has stood unchanged, by the local clock, ms. */
  readonly silentMs: number;
}

export interface Expected {
  readonly debugAllowed: boolean;
  /** Longest silence of a host that is believed, ms. */
  readonly silenceMs: number;
  /** What the host was told to run; undefined: nobody knows, and sizes and measurements are not compared. */
  readonly applied: EnclaveSpec | undefined;
  /** @default everything is repaired */
  readonly policy?: PolicyView | undefined;
}

const REPAIRS_ALL: PolicyView = { mayDiffer: () => false, isReportedOnly: () => false };

/** A host's word goes into the next configuration: a digest, or nothing. */
const DIGEST = /^sha256:[0-9a-f]{64}$/;

const NO_REPORT: EnclaveView = {
  verdict: 'Unknown',
  reason: 'NoReport',
  fresh: false,
  running: undefined,
  health: 'unknown',
  measured: false,
  debug: false,
  mismeasured: false,
  imageDigest: undefined,
  bootId: undefined,
  sequence: undefined,
};

/** What one difference is called, what it is in words, and whether anything is repaired for it. */
interface Difference {
  readonly reason: Reason;
  readonly attribute?: Attribute;
  readonly message?: string | undefined;
}

/**
 * Judges the report, if it may be believed at all.
 *
 * A report counts only if it comes from the host in question and is newer than that host's last start: by boot where
 * the start made a new one, else by sequence. Silence, and a host that could not see its own enclaves, make Unknown,
 * never Drift.
 */
export function viewEnclave(
  look: ReportLook,
  instanceId: string | undefined,
  lifecycle: Lifecycle,
  expected: Expected,
): EnclaveView {
  const view = judge(look, instanceId, lifecycle, expected);
  const withheld = enforces(expected.applied) ? withheldFrom(view, expected) : undefined;
  return withheld === undefined ? view : { ...view, withheld };
}

/** Quarantine requires evidence; a missing report is not evidence. */
function enforces(applied: EnclaveSpec | undefined): applied is EnclaveSpec {
  return applied?.attestation.enforce === 'quarantine' && applied.attestation.expectedMeasurements.length > 0;
}

/** Why the enclave must not be Ready, regardless of the drift policy. */
function withheldFrom(view: EnclaveView, { debugAllowed }: Expected): EnclaveView['withheld'] {
  if (view.debug && !debugAllowed) return { reason: 'DebugEnclave' };
  if (view.mismeasured) return { reason: 'MeasurementMismatch' };
  return view.verdict === 'Unknown' ? { reason: view.reason, message: view.message } : view.withheld;
}

function judge(
  look: ReportLook,
  instanceId: string | undefined,
  lifecycle: Lifecycle,
  expected: Expected,
): EnclaveView {
  const report = look.reports.find((candidate) => candidate.instanceId === instanceId);
  if (report === undefined) return isWithoutAgent(lifecycle, []) ? { ...NO_REPORT, reason: 'LegacyHost' } : NO_REPORT;
  const fresh = isFresh(report, lifecycle.baseline);
  const observed = report.observed !== false;
  const found = reportedFindings(report, lifecycle.id, expected.applied, expected.debugAllowed);
  const measurements = found.find(({ attribute }) => attribute === 'enclave.measurements')?.verdict;
  const unproven = enforces(expected.applied)
    ? unprovenBy(report, lifecycle, expected.applied, measurements === 'Unknown')
    : undefined;
  const seen = {
    fresh,
    running: observed ? report.enclaves.some(({ state }) => state === 'RUNNING') : undefined,
    health: report.health,
    measured: Object.keys(report.measurements).length > 0,
    debug: report.enclaves.some((candidate) => candidate.debug),
    debugRequested: expected.debugAllowed,
    // Contradicts every set that is expected. Self-reported: a finding, no proof.
    mismeasured: measurements === 'Drift',
    imageDigest: DIGEST.test(report.imageDigest ?? '') ? report.imageDigest : undefined,
    bootId: report.bootId,
    sequence: report.sequence,
    generation: lifecycle.observedGeneration,
    ...(unproven === undefined ? {} : { withheld: unproven }),
    ...refusalOf(report, fresh, lifecycle.observedGeneration),
  };
  const say = (verdict: Verdict, { reason, message, attribute }: Difference): EnclaveView => ({
    ...seen,
    verdict,
    reason,
    ...(message === undefined ? {} : { message }),
    ...(attribute === undefined ? {} : { attribute }),
  });
  if (!fresh) return say('Unknown', { reason: 'StaleReport' });
  if (look.silentMs > expected.silenceMs) return say('Unknown', { reason: 'ReportSilent' });
  if (report.appliedGeneration < lifecycle.observedGeneration) {
    return say('Unknown', { reason: 'GenerationPending', message: errorOf(report) });
  }
  if (isCompleted(report, expected)) {
    if (unproven !== undefined) return say('Unknown', unproven);
    const isOther = seen.mismeasured && enforces(expected.applied);
    return isOther
      ? say('Unknown', { reason: 'MeasurementMismatch' })
      : { ...say('Match', { reason: 'Completed' }), findings: [] };
  }
  if (!observed) return say('Unknown', { reason: 'EnclavesUnobserved', message: errorOf(report) });
  if (isLeftToHost(report)) return say('Unknown', { reason: 'EnclaveNotRunning', message: errorOf(report) });
  // Of a generation that is newer than the last run's, nobody knows here what it should be.
  const isApplied = report.appliedGeneration === lifecycle.observedGeneration;
  const compared = leadingFirst(isApplied ? found : withoutSpec(found));
  const { policy = REPAIRS_ALL } = expected;
  const findings = underPolicy(compared, policy);
  const conclude = (verdict: Verdict, difference: Difference) => ({
    ...say(verdict, difference),
    // An enclave that is as it should be differs in nothing that its report leaves out.
    findings: verdict === 'Match' ? findings.filter((each) => each.verdict !== 'Unknown') : findings,
  });
  // What the spec itself wants reported only leaves the enclave as it should be.
  const differences = compared
    .filter(({ verdict, rung }) => verdict === 'Drift' && rung !== 'alert')
    .map((finding) => differenceOf(finding, report, expected.applied));
  const counting = differences.filter(({ attribute }) => !policy.mayDiffer(attribute));
  // What is told only keeps nothing else from being repaired.
  const repaired = counting.find((each) => !policy.isReportedOnly(each));
  if (repaired !== undefined) return conclude('Drift', repaired);
  // Missing evidence is no difference: no repair makes a host report it.
  if (unproven !== undefined) return conclude('Unknown', unproven);
  const [told] = counting;
  if (told !== undefined) return { ...conclude('Drift', told), told: true };
  // Whatever the policy says: an enclave that does not run is no match, nor is one that is not to be trusted.
  const left = differences.find(({ attribute }) => seen.running !== true || ENTRIES[attribute].security === true);
  return left === undefined
    ? conclude('Match', { reason: 'Running' })
    : conclude('Unknown', { reason: left.reason, message: left.message });
}

function differenceOf({ attribute, rung }: Finding, report: Report, applied: EnclaveSpec | undefined) {
  const { reason = 'Drifted' } = ENTRIES[attribute];
  return { attribute, rung, reason, message: messageOf(attribute, report, applied) };
}

/** An adopted host that has never reported. Reports expire while a host is paused; `baseline` remembers that there was one. */
export function isWithoutAgent({ adopted, baseline }: Lifecycle, reports: readonly Report[]): boolean {
  return adopted && reports.length === 0 && baseline?.bootId === undefined;
}

/** A report from before the host's last start says nothing about this attempt. */
function refusalOf(report: Report, fresh: boolean, generation: number): Pick<EnclaveView, 'refusal'> {
  const refusal = fresh && isPermanentHostError(report.error, generation) ? errorOf(report) : undefined;
  return refusal === undefined ? {} : { refusal };
}

/** What the report leaves out that an enforcing record needs; undefined: it can be compared. */
function unprovenBy(
  { measurements, appliedGeneration }: Report,
  { observedGeneration }: Lifecycle,
  { attestation: { expectedMeasurements } }: EnclaveSpec,
  isUnknown: boolean,
): { readonly reason: Reason; readonly message: string } | undefined {
  if (appliedGeneration > observedGeneration) {
    const message = `The host reports generation ${appliedGeneration}, and generation ${observedGeneration} was applied.`;
    const advice =
      "The operator accepts no evidence from a generation that it did not apply; find out what wrote the host's configuration.";
    return { reason: 'GenerationMismatch', message: `${message} ${advice}` };
  }
  if (!isUnknown) return undefined;
  const missing = missingRegisters(expectedMeasurements, measurements).map((register) => register.toUpperCase());
  const message = `The host's report lacks ${missing.join(', ')}, which attestation.expectedMeasurements names.`;
  const advice = 'Correct the expected measurements, or deploy an image that has these registers.';
  return { reason: 'MeasurementsUnverified', message: `${message} ${advice}` };
}

/** Only a batch workload completes, and not while an unrequested debug enclave runs. */
function isCompleted({ completed, enclaves }: Report, { applied, debugAllowed }: Expected): boolean {
  if (!completed || (applied !== undefined && applied.workloadType !== 'batch')) return false;
  return debugAllowed || !enclaves.some(({ debug }) => debug);
}

/** Newer than the last start of the host: by boot where that made a new one, else by sequence. */
export function isFresh(report: Report, baseline: Lifecycle['baseline']): boolean {
  if (baseline === undefined || baseline.bootId === undefined) return true;
  if (report.bootId !== baseline.bootId) return true;
  return !baseline.newBoot && report.sequence > (baseline.sequence ?? -1);
}
