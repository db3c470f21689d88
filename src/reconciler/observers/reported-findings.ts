/** Reported findings: what a host's report shows to differ, by the rows of the comparison. Pure. */
import {
  ATTRIBUTES,
  type Attribute,
  compare,
  ENTRIES,
  type Finding,
  reportFacts,
  severityRank,
} from '../../drift/index.ts';
import type { Report } from '../../enclave/items/report.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';

const REPORTED: ReadonlySet<Attribute> = new Set(
  ATTRIBUTES.filter((attribute) => ENTRIES[attribute].part === 'report'),
);
/** What is judged where nobody knows what the host should run. */
const WITHOUT_SPEC: ReadonlySet<Attribute> = new Set([
  'enclave.running',
  'enclave.terminating',
  'enclave.debug',
  'enclave.extra',
  'enclave.allocator',
]);

/**
 * One finding for each attribute that a report shows. The operator observes again and again, so it counts an attribute's
 * patience by itself.
 */
export function reportedFindings(
  report: Report,
  enclaveId: string,
  applied: EnclaveSpec | undefined,
  debugAllowed: boolean,
): readonly Finding[] {
  // Rows that need more of a spec than this are left out where there is none.
  const spec = { ...applied, enableDebug: debugAllowed } as EnclaveSpec;
  const observed = { observedAt: 0, report: reportFacts(report, { tracksTime: true }) };
  const only = applied === undefined ? WITHOUT_SPEC : REPORTED;
  return compare({ enclaveId, environment: '', running: true, spec }, observed, { only, brief: true });
}

/** Of a generation that the operator did not apply, only what needs no spec. */
export function withoutSpec(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ attribute }) => WITHOUT_SPEC.has(attribute));
}

/** Gravest first, without those that another difference explains: what does not run cannot be of the wrong size. */
export function leadingFirst(findings: readonly Finding[]): readonly Finding[] {
  const drifted = findings.filter(({ verdict }) => verdict === 'Drift');
  const explained = new Set(drifted.flatMap(({ attribute }) => ENTRIES[attribute].explains ?? []));
  return findings
    .filter(({ attribute }) => !explained.has(attribute))
    .sort((a, b) => severityRank(a.severity) - severityRank(b.severity));
}
