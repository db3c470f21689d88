/**
 * Mutants for the drift oracle: one mistake each in the machine, the observers, the drift table's use or the CLI. The first
 * of each is quickly found.
 */
import type { Attribute } from '../../src/drift/index.ts';
import type { Mutant } from '../simulation/mutants.ts';

export interface DriftMutant extends Mutant {
  /** A row that finds it. */
  readonly row: Attribute;
}

const MACHINE: readonly DriftMutant[] = [
  {
    name: 'every repair may be made outside the maintenance window',
    file: 'src/reconciler/repair/permission.ts',
    find: 'if (drift === undefined || !isDisruptive(drift)) return undefined;',
    replace: 'return undefined;',
    row: 'host.instanceType',
  },
  {
    name: 'the host is never replaced as the last step',
    file: 'src/machines/repair-ladder.ts',
    find: "return may ? [...steps, 'replace'] : steps;",
    replace: 'return steps;',
    row: 'host.running',
  },
  {
    name: 'the first repair step is also the last',
    file: 'src/machines/repair-ladder.ts',
    find: 'stepsFrom(lead, drift.step)',
    replace: '[drift.step]',
    row: 'host.statusChecks',
  },
  {
    name: 'a repair does not wait for its patience',
    file: 'src/machines/drift.ts',
    find: "return now.kind !== 'report' || elapsed(drift.since, context.assessment.now) >= patienceMs(context);",
    replace: 'return true;',
    row: 'enclave.terminating',
  },
  {
    name: 'the permission to repair ignores alert',
    file: 'src/reconciler/repair/permission.ts',
    find: "if (mode === 'alert' || mode === 'off') {",
    replace: "if (mode === 'off') {",
    row: 'host.running',
  },
  {
    name: 'an urgent security finding waits for the maintenance window',
    file: 'src/reconciler/repair/permission.ts',
    find: '&& !attributes.some(isUrgent)',
    replace: '',
    row: 'enclave.measurements',
  },
];

const OBSERVERS: readonly DriftMutant[] = [
  {
    name: 'a policy of alert is ignored',
    file: 'src/reconciler/observers/compare.ts',
    find: "return mode === 'alert' ||",
    replace: 'return',
    row: 'host.metadata',
  },
  {
    name: "no list shows a security group's rules",
    file: 'src/reconciler/observers/compare.ts',
    find: "  'rules',\n",
    replace: '',
    row: 'network.rules',
  },
  {
    name: 'what another difference explains leads',
    file: 'src/reconciler/observers/reported-findings.ts',
    find: '.filter(({ attribute }) => !explained.has(attribute))',
    replace: '',
    row: 'enclave.allocator',
  },
  {
    name: 'what the host reports under alert keeps all else from being repaired',
    file: 'src/reconciler/observers/report-view.ts',
    find: 'const repaired = counting.find((each) => !policy.isReportedOnly(each));',
    replace: 'const [repaired] = counting;',
    row: 'enclave.extra',
  },
  {
    name: 'the inspection does not ask SSM for the agent',
    file: 'src/reconciler/observers/inspection.ts',
    find: "readFrom(instanceId, 'agent',",
    replace: "readFrom(undefined as string | undefined, 'agent',",
    row: 'host.agent',
  },
];

const TABLE: readonly DriftMutant[] = [
  {
    name: 'no row is of security',
    file: 'src/drift/repair.ts',
    find: "return { severity, rung: steps[0] ?? 'alert', owned, security };",
    replace: "return { severity, rung: steps[0] ?? 'alert', owned, security: security && false };",
    row: 'network.publicIp',
  },
  {
    name: 'the last repair step comes first',
    file: 'src/drift/repair.ts',
    find: "rung: steps[0] ?? 'alert'",
    replace: "rung: steps.at(-1) ?? 'alert'",
    row: 'host.statusChecks',
  },
  {
    name: 'lost tags are as harmless as changed ones',
    file: 'src/drift/compare.ts',
    find: 'const { facets, severity = row.severity, rung = row.rung, owned = row.owned } = judgement;',
    replace: 'const { facets, rung = row.rung, owned = row.owned } = judgement;\n  const { severity } = row;',
    row: 'tags',
  },
];

const COMMAND: readonly DriftMutant[] = [
  {
    name: 'the command prints the repair as the severity',
    file: 'src/cli/commands/drift.ts',
    find: "row.verdict === 'Drift' ? row.severity : '',",
    replace: "row.verdict === 'Drift' ? row.repair : '',",
    row: 'key.state',
  },
  {
    name: 'the answer names a repair that the policy forbids',
    file: 'src/reconciler/reconcile/close-comparison.ts',
    find: 'isReportedOnly(finding, mode)',
    replace: "(rung === 'replace' && isReportedOnly(finding, mode))",
    row: 'logs.group',
  },
  {
    name: 'the answer promises a replacement that the policy does not allow',
    file: 'src/reconciler/reconcile/close-comparison.ts',
    find: 'isReportedOnly(finding, mode)',
    replace: "(rung !== 'replace' && isReportedOnly(finding, mode))",
    row: 'host.volume',
  },
  {
    name: 'the answer calls what was stored unknown',
    file: 'src/reconciler/reconcile/close-comparison.ts',
    find: "return { ...row, verdict: 'Drift', ...noted };",
    replace: 'return { ...row, ...noted };',
    row: 'enclave.attested',
  },
  {
    name: "the answer does not say when the host's report was written",
    file: 'src/reconciler/reconcile/close-comparison.ts',
    find: "  report: 'report',\n",
    replace: '',
    row: 'enclave.extra',
  },
  {
    name: 'the command succeeds where something differs',
    file: 'src/cli/commands/drift.ts',
    find: "return rows.some(({ verdict }) => verdict === 'Drift') ? EXIT.no : EXIT.yes;",
    replace: 'return EXIT.yes;',
    row: 'host.ami',
  },
  {
    name: 'the list calls the state of a host less grave',
    file: 'src/cli/commands/drift.ts',
    find: "severity: row?.severity ?? 'critical', repair };",
    replace: "severity: 'low', repair };",
    row: 'host.exists',
  },
];

const AREAS = [MACHINE, OBSERVERS, TABLE, COMMAND];
export const DRIFT_MUTANTS: readonly DriftMutant[] = AREAS.flat();
export const FIRST_MUTANTS: readonly DriftMutant[] = AREAS.flatMap((mutants) => mutants.slice(0, 1));
