/** The dashboards: which panels there are, and what each asks. */
import { type Dashboard, increase, max, node, of, quantiles, rate, sum } from './panel.ts';
import { RUNNING } from './rule.ts';

export const DASHBOARDS: readonly Dashboard[] = [
  {
    uid: 'enclave-fleet',
    title: 'Fleet',
    description: 'What the enclaves are like, as the leader tells it.',
    panels: [
      {
        title: 'Ready ratio',
        description:
          'Of the enclaves that should run and are not just being made, those that are ready. The service level is 99 %.',
        unit: 'percentunit',
        shown: 'now',
        queries: [
          {
            expr: `sum (${of('enclaves', 'phase="ready"')}) / (sum (${of('enclaves', RUNNING)}) > 0) or vector(1)`,
            legend: 'ready',
          },
        ],
      },
      {
        title: 'Failing and stuck',
        description: 'Enclaves that are stalled, invalid, or between two attempts.',
        unit: 'short',
        shown: 'now',
        queries: [sum('enclaves', undefined, 'phase=~"stalled|invalid|backingOff"')],
      },
      {
        title: 'Cost estimate',
        description: 'Hosts that run, at the price of a host an hour that is set above; hosts of several types differ.',
        unit: 'currencyUSD',
        shown: 'now',
        queries: [
          {
            expr: `sum (${of('enclaves', 'phase!~"pending|paused|destroyed|invalid"')}) * $price or vector(0)`,
            legend: 'an hour',
          },
        ],
      },
      {
        title: 'Enclaves by phase',
        description: 'How many enclaves are in each phase.',
        unit: 'short',
        queries: [sum('enclaves', 'phase')],
      },
      {
        title: 'Conditions',
        description: 'Enclaves by condition and status.',
        unit: 'short',
        queries: [sum('conditions', 'type, status')].map(({ expr }) => ({ expr, legend: '{{type}}={{status}}' })),
      },
      {
        title: 'Oldest in phase',
        description: 'How long one enclave has been in each phase at most.',
        unit: 's',
        queries: [max('oldest_in_phase_seconds', 'phase')],
      },
      {
        title: 'Time to ready',
        description: 'From the command until the enclave was ready.',
        unit: 's',
        queries: quantiles('time_to_ready_seconds'),
      },
      {
        title: 'Time to destroy',
        description: 'From the command until everything was gone.',
        unit: 's',
        queries: quantiles('time_to_destroy_seconds'),
      },
      {
        title: 'Transitions',
        description: 'Changes of phase within an hour, by the new phase.',
        unit: 'short',
        queries: [increase('transitions_total', 'to')],
      },
      {
        title: 'Drift now',
        description: 'Enclaves that differ from their records, by what differs.',
        unit: 'short',
        queries: [sum('drift_findings', 'attribute, severity')].map(({ expr }) => ({
          expr,
          legend: '{{attribute}} {{severity}}',
        })),
      },
      {
        title: 'Drift seen after',
        description: 'How long a host can have differed before it was seen to.',
        unit: 's',
        queries: quantiles('drift_detect_seconds'),
      },
      {
        title: 'Drift healed after',
        description: 'From when a difference was seen until it was gone.',
        unit: 's',
        queries: quantiles('drift_heal_seconds'),
      },
      {
        title: 'Repairs',
        description: 'Repairs within an hour, by rung and outcome.',
        unit: 'short',
        queries: [increase('repairs_total', 'rung, outcome')].map(({ expr }) => ({
          expr,
          legend: '{{rung}} {{outcome}}',
        })),
      },
      {
        title: 'Breakers open',
        description: 'Regions in which repairs are stopped.',
        unit: 'short',
        shown: 'now',
        queries: [sum('breaker_open')],
      },
      {
        title: 'Orphans',
        description:
          'Hosts with our tags that are of no enclave, and enclaves that nobody knows of which something else is left.',
        unit: 'short',
        shown: 'now',
        queries: [sum('orphans')],
      },
      {
        title: 'Conflicting',
        description: 'Enclaves whose last four or more reconciles in a row conflicted.',
        unit: 'short',
        shown: 'now',
        queries: [sum('enclaves_conflicting')],
      },
      {
        title: 'Deletions held',
        description: 'Enclaves whose records vanished, and that are kept until somebody confirms it.',
        unit: 'short',
        shown: 'now',
        queries: [sum('deletions_held')],
      },
    ],
  },
  {
    uid: 'enclave-operator',
    title: 'Operator',
    description: 'How the loop does: queue, latency, leader, feed, process.',
    panels: [
      {
        title: 'Leaders',
        description: 'Processes that lead: one, always.',
        unit: 'short',
        shown: 'now',
        queries: [sum('leader')],
      },
      {
        title: 'Lease epoch',
        description: 'It grows with every new leader.',
        unit: 'none',
        shown: 'now',
        queries: [max('lease_epoch')],
        empty: 'No leader',
      },
      {
        title: 'Version',
        description: 'Processes by the version they run.',
        unit: 'short',
        queries: [sum('build_info', 'version')],
      },
      {
        title: 'Changes of leader',
        description: 'Times a process began or ceased to lead, within an hour.',
        unit: 'short',
        queries: [increase('lease_transitions_total', 'to')],
      },
      {
        title: 'Reconciles',
        description: 'Reconciles a second, by result.',
        unit: 'ops',
        queries: [rate('reconcile_total', 'result')],
      },
      {
        title: 'Reconcile errors',
        description: 'Failed reconciles a second, by class.',
        unit: 'ops',
        queries: [rate('reconcile_errors_total', 'class')],
      },
      {
        title: 'Reconcile duration',
        description: 'How long reconciles take.',
        unit: 's',
        queries: quantiles('reconcile_duration_seconds'),
      },
      {
        title: 'Queue depth',
        description: 'Enclaves that wait, and reconciles under way.',
        unit: 'short',
        queries: [sum('workqueue_depth'), sum('active_workers')],
      },
      {
        title: 'Queue adds',
        description: 'Adds a second, and those of them that are for another try.',
        unit: 'ops',
        queries: [rate('workqueue_adds_total'), rate('workqueue_retries_total')],
      },
      {
        title: 'Wait in the queue',
        description: 'How long enclaves that are due wait for a worker.',
        unit: 's',
        queries: quantiles('workqueue_queue_duration_seconds'),
      },
      {
        title: 'Work',
        description: 'How long workers are at an enclave.',
        unit: 's',
        queries: quantiles('workqueue_work_duration_seconds'),
      },
      {
        title: 'Longest reconcile',
        description: 'How long the longest reconcile under way has taken so far.',
        unit: 's',
        queries: [max('workqueue_longest_running_seconds')],
      },
      {
        title: 'Feed lag',
        description: 'Since the last answer of the shard that is silent longest.',
        unit: 's',
        queries: [max('feed_lag_seconds')],
        empty: 'No shard is polled',
      },
      {
        title: 'Feed polls',
        description: 'Polls a second that were answered.',
        unit: 'ops',
        queries: [rate('feed_polls_total', 'feed')],
      },
      {
        title: 'Feed gaps',
        description: 'Times within an hour that changes may have been missed.',
        unit: 'short',
        queries: [increase('feed_gaps_total', 'feed')],
      },
      {
        title: 'Repaired by lists',
        description: 'Changes within an hour that only a list found.',
        unit: 'short',
        queries: [increase('relist_repaired_total')],
      },
      {
        title: 'Duration of lists',
        description: 'How long full lists take.',
        unit: 's',
        queries: quantiles('relist_duration_seconds'),
      },
      {
        title: 'Memory',
        description: 'Resident memory of each process.',
        unit: 'bytes',
        queries: [{ expr: `max by (instance) (${node('process_resident_memory_bytes')})`, legend: '{{instance}}' }],
      },
      {
        title: 'Event loop',
        description: 'Delay of the event loop, 99th percentile.',
        unit: 's',
        queries: [{ expr: `max by (instance) (${node('nodejs_eventloop_lag_p99_seconds')})`, legend: '{{instance}}' }],
      },
    ],
  },
  {
    uid: 'enclave-runs',
    title: 'Runs',
    description: 'Terraform: how long runs take, and why they fail.',
    panels: [
      {
        title: 'In flight',
        description: 'Runs that were begun and have not ended.',
        unit: 'short',
        shown: 'now',
        queries: [sum('runs_in_flight')],
      },
      {
        title: 'Ended',
        description: 'Runs that ended within an hour, by action and outcome.',
        unit: 'short',
        queries: [increase('runs_total', 'action, outcome')].map(({ expr }) => ({
          expr,
          legend: '{{action}} {{outcome}}',
        })),
      },
      {
        title: 'Failures by class',
        description: 'Runs that failed within an hour, by the class of error.',
        unit: 'short',
        queries: [increase('runs_total', 'class', 'outcome="failed"')],
      },
      {
        title: 'Locked',
        description: 'Runs within an hour that found the state locked.',
        unit: 'short',
        shown: 'now',
        queries: [increase('runs_total', undefined, 'class="locked"')],
      },
      {
        title: 'Duration',
        description: 'From the intent to run until the outcome.',
        unit: 's',
        queries: quantiles('run_duration_seconds', 'action'),
      },
      {
        title: 'Planned changes',
        description: 'Resources that plans meant to change, within an hour.',
        unit: 'short',
        queries: [increase('plan_changes_total', 'kind')],
      },
      {
        title: 'Full plans',
        description: 'Enclaves that drift runs planned within an hour, by verdict and, where there is none, why.',
        unit: 'short',
        queries: [increase('plans_total', 'verdict, class')].map(({ expr }) => ({
          expr,
          legend: '{{verdict}} {{class}}',
        })),
      },
    ],
  },
  {
    uid: 'enclave-aws',
    title: 'AWS',
    description: 'Calls to AWS, refusals, and what is left of the budgets.',
    panels: [
      {
        title: 'Calls by service',
        description: 'Attempts a second.',
        unit: 'reqps',
        queries: [rate('aws_requests_total', 'service')],
      },
      {
        title: 'Calls by operation',
        description: 'Attempts a second.',
        unit: 'reqps',
        queries: [rate('aws_requests_total', 'operation')],
      },
      {
        title: 'Answers',
        description: 'Attempts a second, by the class of their answer.',
        unit: 'reqps',
        queries: [rate('aws_requests_total', 'code')],
      },
      {
        title: 'Duration',
        description: 'How long attempts take.',
        unit: 's',
        queries: quantiles('aws_request_duration_seconds', 'service'),
      },
      {
        title: 'Throttled',
        description: 'Attempts a second that AWS refused because they were too many.',
        unit: 'reqps',
        queries: [rate('throttled_total', 'service')],
      },
      {
        title: 'Budgets',
        description: 'Calls of each family that could be made at once.',
        unit: 'short',
        queries: [{ expr: `min by (family) (${of('budget_tokens')})`, legend: '{{family}}' }],
      },
    ],
  },
];
