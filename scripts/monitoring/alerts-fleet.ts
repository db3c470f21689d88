/** Alerts about the fleet: service level, time, drift, orphans, silence. */
import { type Alert, BY, constant, growing, RUNNING } from './rule.ts';

const READY = 'enclave_operator_enclaves{phase="ready"}';
const STALLED = 'enclave_operator_enclaves{phase="stalled"}';
const OLDEST = 'enclave_operator_oldest_in_phase_seconds{phase="provisioning"}';
const UNHEALED = 'enclave_operator_drift_findings{attribute="host",severity="warning"}';
const INSECURE = 'enclave_operator_drift_findings{attribute="secure",severity="security"}';
const DEBUG_REQUESTED = 'enclave_operator_drift_findings{attribute="secure",severity="low"}';
const SILENT = 'enclave_operator_conditions{type="EnclaveRunning",status="Unknown"}';
const IN_TIME = 'enclave_operator_time_to_ready_seconds_bucket{le="900"}';
const ALL_TIMES = 'enclave_operator_time_to_ready_seconds_count';

/** One in a hundred of the enclaves that should run may not be ready. */
const BUDGET = 0.01;
/** What is made for the first time has another objective, and would look like an outage where it is the only one. */
const SHOULD_RUN = `enclave_operator_enclaves{${RUNNING}}`;
const MADE = 'enclave_operator_enclaves{phase="provisioning"}';
const notReady = (window: string) =>
  `avg_over_time((1 - sum ${BY} (${READY}) / (sum ${BY} (${SHOULD_RUN}) > 0))[${window}:1m])`;
/** Without the digits that binary fractions leave behind. */
const spent = (factor: number) => Number((factor * BUDGET).toFixed(4));
const burns = (long: string, short: string, factor: number) =>
  `${notReady(long)} > ${spent(factor)} and ${notReady(short)} > ${spent(factor)}`;

const BURN_RUNBOOK = {
  meaning: 'More enclaves that should run are not ready than the service level of 99 % allows.',
  impact: 'Their users are not served.',
  look: ['enclavectl get', 'enclavectl describe ID', 'enclavectl events'],
  fix: [
    'Sort by phase in the dashboard Fleet: the fullest one leads to the alert that names the cause.',
    'Freeze changes with `enclavectl freeze` if a roll-out began it.',
  ],
  prevent: 'Roll out in small steps, with maintenance windows.',
};

export const FLEET_ALERTS: readonly Alert[] = [
  {
    name: 'EnclaveReadyBudgetBurnsFast',
    severity: 'critical',
    expr: burns('1h', '5m', 14.4),
    for: '2m',
    summary: 'Many enclaves are not ready.',
    description: 'The error budget of a month would be gone within two days.',
    fires: [constant(READY, 70), constant(STALLED, 30)],
    silent: [constant(READY, 95), constant(STALLED, 5), constant(MADE, 50)],
    runbook: BURN_RUNBOOK,
  },
  {
    name: 'EnclaveReadyBudgetBurnsSlowly',
    severity: 'warning',
    expr: burns('6h', '30m', 6),
    for: '15m',
    summary: 'More enclaves than allowed are not ready.',
    description: 'The error budget of a month would be gone within five days.',
    fires: [constant(READY, 90), constant(STALLED, 10)],
    silent: [constant(READY, 95), constant(STALLED, 5), constant(MADE, 50)],
    runbook: BURN_RUNBOOK,
  },
  {
    name: 'EnclaveTimeToReadyBurns',
    severity: 'warning',
    expr: `1 - sum ${BY} (increase(enclave_operator_time_to_ready_seconds_bucket{le=~"900(.0)?"}[1h])) / (sum ${BY} (increase(${ALL_TIMES}[1h])) > 4) > 0.3`,
    for: '5m',
    summary: 'Enclaves take long to become ready.',
    description: 'Of more than four enclaves within an hour, three in ten took longer than a quarter of an hour.',
    fires: [growing(IN_TIME, 1), growing(ALL_TIMES, 2)],
    silent: [growing(IN_TIME, 2), growing(ALL_TIMES, 2)],
    runbook: {
      meaning:
        'The service level is that 95 in 100 enclaves are ready within 900 s of the command; it is missed six times over.',
      impact: 'Users wait.',
      look: ['enclavectl get', 'enclavectl events ID', 'enclavectl logs RUN'],
      fix: [
        'See in the dashboard Runs whether Terraform is slow, in Operator whether the queue is.',
        'Raise the cap of runs if runs wait for a slot.',
      ],
      prevent: 'Keep the cap of runs above what a roll-out begins at once.',
    },
  },
  {
    name: 'EnclavePhaseTooLong',
    severity: 'warning',
    expr: 'max by (environment, region, phase) (enclave_operator_oldest_in_phase_seconds{phase=~"observing|pending|provisioning|verifying|updating|repairing|pausing|resuming|destroying"}) > 3600',
    for: '5m',
    labels: { phase: 'provisioning' },
    summary: 'An enclave is in one phase for more than an hour.',
    description: 'An enclave has not left a phase that should pass within an hour.',
    fires: [constant(OLDEST, 4_000)],
    silent: [constant(OLDEST, 600), constant('enclave_operator_oldest_in_phase_seconds{phase="ready"}', 90_000)],
    runbook: {
      meaning: 'The phase in the label lasts longer than it ever should.',
      impact: 'The enclave is not what its record says.',
      look: ['enclavectl get', 'enclavectl describe ID', 'enclavectl events ID'],
      fix: ['Read `Progressing`: it says what is waited for.', 'Read the log of the run with `enclavectl logs RUN`.'],
      prevent: 'Set the time limits of runs below an hour.',
    },
  },
  {
    name: 'EnclaveStalled',
    severity: 'warning',
    expr: `sum ${BY} (${STALLED}) > 0`,
    for: '5m',
    summary: 'An enclave is stalled.',
    description: 'Nothing more is tried for an enclave until somebody acts.',
    fires: [constant(STALLED, 1)],
    silent: [constant(STALLED, 0)],
    runbook: {
      meaning: 'Attempts are used up, or the error cannot be cured by another.',
      impact: 'The enclave stays as it is.',
      look: ['enclavectl get', 'enclavectl describe ID', 'enclavectl events ID'],
      fix: ['Mend what the condition `Stalled` names.', '`enclavectl retry ID`.'],
      prevent: 'Check records with `enclavectl validate` and `enclavectl diff` first.',
    },
  },
  {
    name: 'EnclaveDriftUnhealed',
    severity: 'warning',
    expr: `sum ${BY} (enclave_operator_drift_findings{severity="warning"}) > 0`,
    for: '1h',
    at: '70m',
    summary: 'Drift stays.',
    description: 'For an hour at least one enclave has differed from its record.',
    fires: [constant(UNHEALED, 1)],
    silent: [constant(UNHEALED, 0), constant(INSECURE, 1)],
    runbook: {
      meaning:
        'Something differs, and repair is off, capped, contested, without success, or waits for a maintenance window.',
      impact: 'An enclave is not what its record says.',
      look: ['enclavectl get', 'enclavectl describe ID', 'enclavectl diff -f FILE'],
      fix: [
        'Read the reason of `InSync`.',
        '`DriftContested`: find who changes it back.',
        '`AlertOnly`: repair it by hand or change the policy.',
      ],
      prevent: 'Let nobody else change the resources.',
    },
  },
  {
    name: 'EnclaveSecurityDrift',
    severity: 'critical',
    expr: `sum ${BY} (${INSECURE}) > 0`,
    for: '0m',
    summary: 'Something weakens an enclave.',
    description: 'At least one enclave has the condition `Secure=False`, and its spec does not ask for that.',
    fires: [constant(INSECURE, 1)],
    silent: [constant(INSECURE, 0), constant(UNHEALED, 1), constant(DEBUG_REQUESTED, 1)],
    runbook: {
      meaning:
        'An enclave runs in debug mode without its spec asking for it, or reports unexpected measurements; or someone ' +
        'changed its security groups, role, instance profile, key or metadata options. The condition `Secure` names ' +
        'which, the event `SecurityFinding` when; the operator repairs most at once.',
      impact: 'Secrets of the enclave may be readable from outside.',
      look: ['enclavectl get', 'enclavectl describe ID', 'enclavectl events ID'],
      fix: [
        'Where it lasts, take the enclave out of service: `enclavectl pause ID`.',
        'Find out who changed it, in CloudTrail.',
        'Change the secrets it held.',
        'Deploy it anew.',
      ],
      prevent: 'Forbid debug mode in the spec, and pin the measurements.',
    },
  },
  {
    name: 'EnclaveBreakerOpen',
    severity: 'critical',
    expr: `sum ${BY} (enclave_operator_breaker_open) > 0`,
    for: '1m',
    summary: 'Repairs are stopped.',
    description: 'So much differs at once, or repairs heal so little, that none is begun.',
    fires: [constant('enclave_operator_breaker_open', 1)],
    silent: [constant('enclave_operator_breaker_open', 0)],
    runbook: {
      meaning: 'The circuit breaker of a region is open.',
      impact: 'Drift in that region is told, not healed.',
      look: ['enclavectl get', 'enclavectl events'],
      fix: [
        'Find what all the enclaves that differ have in common: an outage, an image, a change of the network.',
        'It closes by itself when the cause is gone.',
      ],
      prevent: 'Change what all enclaves share in small steps.',
    },
  },
  {
    name: 'EnclaveOrphans',
    severity: 'warning',
    expr: `sum ${BY} (enclave_operator_orphans) > 0`,
    for: '30m',
    summary: 'Something with our tags is of no enclave.',
    description: 'For half an hour there have been hosts, or what else is left of enclaves, and no record of them.',
    fires: [constant('enclave_operator_orphans', 2)],
    silent: [constant('enclave_operator_orphans', 0)],
    runbook: {
      meaning:
        'AWS has hosts with the tags of the operator, or groups, volumes, log groups or roles without one, that no enclave accounts for.',
      impact: 'They cost money; nothing looks after them.',
      look: ['enclavectl orphans'],
      fix: [
        'Take a host over with a record and `enclavectl adopt ID`, or terminate it.',
        'Where there is no host, delete by hand what is named, once nobody wants its data.',
      ],
      prevent: 'Delete enclaves by command only.',
    },
  },
  {
    name: 'EnclaveReportsSilent',
    severity: 'warning',
    expr: `sum ${BY} (${SILENT}) > 0`,
    for: '15m',
    summary: 'Hosts do not report.',
    description: 'For a quarter of an hour it has not been known of at least one enclave whether it runs.',
    fires: [constant(SILENT, 1)],
    silent: [constant(SILENT, 0)],
    runbook: {
      meaning:
        'The program on the host has not reported for longer than it should, or what it reports does not tell. A host that was adopted has no such program: it raises the alert until it is replaced.',
      impact: 'The enclave may run, but nobody would see it fail.',
      look: ['enclavectl get', 'enclavectl describe ID', 'aws ssm describe-instance-information'],
      fix: [
        'Look at the journal of the host with Session Manager.',
        'Check that the host reaches the endpoints of AWS.',
      ],
      prevent: 'Keep the endpoints of the VPC and the role of the host to the platform stack.',
    },
  },
];
