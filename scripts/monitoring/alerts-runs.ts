/** Alerts about Terraform runs and deletions. */
import { type Alert, BY, constant, growing } from './rule.ts';

const FAILED = 'enclave_operator_runs_total{action="deploy",outcome="failed",class="capacity"}';
const LOCKED = 'enclave_operator_runs_total{action="deploy",outcome="failed",class="locked"}';
const BLOCKED = 'enclave_operator_conditions{type="DeletionBlocked",status="True"}';
const HELD = 'enclave_operator_deletions_held';
const DESTROYING = 'enclave_operator_enclaves{phase="destroying"}';

export const RUN_ALERTS: readonly Alert[] = [
  {
    name: 'EnclaveRunsFailing',
    severity: 'warning',
    expr: 'sum by (environment, region, class) (increase(enclave_operator_runs_total{outcome="failed",class!="locked"}[1h])) > 2',
    for: '0m',
    labels: { class: 'capacity' },
    summary: 'Terraform runs fail.',
    description: 'More than two runs of one class of error have failed within an hour.',
    fires: [growing(FAILED, 1)],
    silent: [constant(FAILED, 9), growing(LOCKED, 1)],
    runbook: {
      meaning: 'Several runs failed for one reason; the label `class` names it.',
      impact: 'The enclaves concerned are not what their records say. Each is tried again with growing pauses.',
      look: ['enclavectl get', 'enclavectl events ID', 'enclavectl logs RUN', 'enclavectl preflight'],
      fix: [
        '`capacity`, `quota`: choose another instance type or zone, or ask for more.',
        '`permission`: mend the role of the runner.',
        '`validation`, `bootstrap`: mend the record.',
        'Then `enclavectl retry ID`.',
      ],
      prevent: 'Run `enclavectl preflight` before a large roll-out.',
    },
  },
  {
    name: 'EnclaveStateLockHeld',
    severity: 'warning',
    expr: `sum ${BY} (increase(enclave_operator_runs_total{class="locked"}[30m])) > 2`,
    for: '0m',
    summary: 'A lock on a Terraform state is held long.',
    description: 'Within half an hour more than two runs have ended because the state was locked.',
    fires: [growing(LOCKED, 1)],
    silent: [constant(LOCKED, 4)],
    runbook: {
      meaning: 'Runs find the state of an enclave locked by another run, or by one that died.',
      impact: 'The enclave cannot be changed or destroyed.',
      look: ['enclavectl events', 'enclavectl describe ID', 'enclavectl logs RUN'],
      fix: [
        'Make sure that nobody runs Terraform by hand on this state.',
        '`enclavectl unlock ID` breaks the lock of a dead run.',
      ],
      prevent: 'Leave the state to the operator.',
    },
  },
  {
    name: 'EnclaveDeletionBlocked',
    severity: 'warning',
    expr: `sum ${BY} (${BLOCKED}) > sum ${BY} (${HELD}) and sum ${BY} (${DESTROYING}) > 0`,
    for: '30m',
    summary: 'A deletion does not come to its end.',
    description: 'For half an hour an enclave that is being destroyed has been blocked.',
    fires: [constant(BLOCKED, 6), constant(HELD, 5), constant(DESTROYING, 1)],
    silent: [constant(BLOCKED, 5), constant(HELD, 5), constant(DESTROYING, 1)],
    runbook: {
      meaning: 'Destroy runs fail, or resources are left after them.',
      impact: 'The resources cost money, and the id cannot be used again.',
      look: ['enclavectl get', 'enclavectl describe ID', 'enclavectl events ID'],
      fix: ['Read the reason of `DeletionBlocked`.', 'Remove what keeps the resource, then `enclavectl retry ID`.'],
      prevent: 'Attach nothing to the resources of an enclave by hand.',
    },
  },
  {
    name: 'EnclaveDeletionsHeld',
    severity: 'critical',
    expr: `sum ${BY} (${HELD}) > 0`,
    for: '5m',
    summary: 'Deletions are held.',
    description:
      'So many records vanished at once that none of their enclaves is destroyed before somebody confirms it.',
    fires: [constant(HELD, 5)],
    silent: [constant(HELD, 0), constant(BLOCKED, 5), constant(DESTROYING, 1)],
    runbook: {
      meaning:
        'More records vanished within a few minutes than anybody may be expected to delete, or the whole table did. The operator keeps their enclaves until somebody confirms that they shall go. The metric says how many those are.',
      impact: 'Nothing is lost. The enclaves go on running and costing.',
      look: ['enclavectl confirm-deletions', 'enclavectl get', 'enclavectl events'],
      fix: [
        '`enclavectl confirm-deletions` lists the enclaves it would destroy, and asks first.',
        'If the records were deleted by mistake, write them again.',
        'If they were meant to go, confirm it.',
      ],
      prevent: 'Delete by command, not by removing rows.',
    },
  },
];
