/** Alerts about the operator itself: is it there, does it lead, does it hear, does AWS let it work. */
import { type Alert, BY, constant, growing } from './rule.ts';

const UP = 'up{job="enclave-operator"}';

export const OPERATOR_ALERTS: readonly Alert[] = [
  {
    name: 'EnclaveOperatorDown',
    severity: 'critical',
    expr: `absent(${UP} == 1)`,
    for: '5m',
    placeless: true,
    summary: 'No operator answers.',
    description: 'For five minutes no process of the operator has answered a scrape.',
    fires: [constant(UP, 0)],
    silent: [constant(UP, 1)],
    runbook: {
      meaning: 'No process of the operator answers Prometheus, or nothing scrapes it.',
      impact: 'Enclaves that run go on running. No command is carried out and no drift is seen or healed.',
      look: [
        'enclavectl get',
        'aws ecs describe-services --cluster CLUSTER --services SERVICE',
        'aws logs tail LOG_GROUP --since 30m',
      ],
      fix: [
        'Read why the tasks stopped in the events of the ECS service.',
        'Roll back the image if the last deployment began it.',
        'If the tasks run, look at the collector beside them.',
      ],
      prevent: 'Run at least two tasks, and keep the rollback of the ECS deployment on.',
    },
  },
  {
    name: 'EnclaveOperatorNoLeader',
    severity: 'critical',
    expr: `sum ${BY} (enclave_operator_leader) == 0`,
    for: '2m',
    summary: 'No operator leads.',
    description: 'Operators answer, and for two minutes none of them has held the lease.',
    fires: [constant('enclave_operator_leader', 0)],
    silent: [constant('enclave_operator_leader', 1)],
    runbook: {
      meaning: 'Processes are there, but none holds the lease in DynamoDB.',
      impact: 'Nothing is reconciled until one does.',
      look: [
        'enclavectl get',
        'curl -s http://OPERATOR:8080/readyz',
        'aws logs tail LOG_GROUP --since 30m --filter-pattern lease',
      ],
      fix: [
        'Look in the log for refused or throttled writes of the lease.',
        'Give the task role back its access to the table.',
        'Restart the tasks one by one.',
      ],
      prevent: 'Change the permissions of the task role only by the platform stack.',
    },
  },
  {
    name: 'EnclaveOperatorTwoLeaders',
    severity: 'critical',
    // A leader that has ended says so for five minutes where its collector ended with it.
    expr: `sum ${BY} (last_over_time(enclave_operator_leader[90s])) > 1`,
    for: '2m',
    summary: 'More than one operator says that it leads.',
    description: 'For two minutes more than one process has told of itself that it leads.',
    fires: [constant('enclave_operator_leader{instance="a"}', 1), constant('enclave_operator_leader{instance="b"}', 1)],
    silent: [
      { series: 'enclave_operator_leader{instance="a"}', values: '1x37' },
      { series: 'enclave_operator_leader{instance="b"}', values: '0x37 1x200' },
    ],
    runbook: {
      meaning: 'Two processes believe that they hold the lease. Writes carry the epoch, so the older one is refused.',
      impact: 'No write is lost, but conflicts slow the loop, and something is wrong with a clock or with the labels.',
      look: [
        'curl -s http://OPERATOR:8080/metrics | grep -E "leader|lease_epoch"',
        'aws logs tail LOG_GROUP --since 30m --filter-pattern epoch',
      ],
      fix: [
        'Check that the two are of one environment: a wrong label makes two fleets look like one.',
        'Stop the task with the lower epoch.',
      ],
      prevent: 'Give each environment its own table and its own label.',
    },
  },
  {
    name: 'EnclaveOperatorConflicting',
    severity: 'warning',
    expr: `max ${BY} (enclave_operator_enclaves_conflicting) > 0`,
    for: '10m',
    summary: 'Reconciles of at least one enclave keep conflicting.',
    description: 'For ten minutes at least one enclave at a time has had four or more conflicting reconciles in a row.',
    fires: [constant('enclave_operator_enclaves_conflicting', 3)],
    silent: [{ series: 'enclave_operator_enclaves_conflicting', values: '0x30 1x8 0x200' }],
    runbook: {
      meaning:
        'DynamoDB refuses every write of these enclaves. Another process keeps changing the lifecycle, or a lock or run item exists that the lifecycle does not name.',
      impact: 'The operator does not apply changes to these enclaves. It retries with pauses of up to five minutes.',
      look: [
        'aws logs tail LOG_GROUP --since 1h --filter-pattern conflicting',
        'curl -s http://OPERATOR:8080/metrics | grep -E "leader|enclaves_conflicting"',
        'enclavectl describe ID',
        `aws dynamodb get-item --table-name STATE_TABLE --key '{"pk":{"S":"enclave#ID"},"sk":{"S":"lock"}}'`,
      ],
      fix: [
        'If more than one process leads, stop the one with the lower epoch.',
        'If a table was restored, restore the state table and the history table to the same time.',
        `If the lock names a run that the lifecycle does not name, check that its execution and its ECS task have ended, then delete the lock: \`aws dynamodb delete-item --table-name STATE_TABLE --key '{"pk":{"S":"enclave#ID"},"sk":{"S":"lock"}}'\`.`,
      ],
      prevent:
        'Except for this repair, write to the operator tables with `enclavectl` only. Restore the state and history tables together.',
    },
  },
  {
    name: 'EnclaveOperatorFeedStalled',
    severity: 'warning',
    expr: `max ${BY} (enclave_operator_feed_lag_seconds) > 120`,
    for: '5m',
    summary: 'The feed of changes is silent.',
    description: 'A shard of a stream has not answered for more than two minutes.',
    fires: [constant('enclave_operator_feed_lag_seconds', 300)],
    silent: [constant('enclave_operator_feed_lag_seconds', 2)],
    runbook: {
      meaning: 'Polls of DynamoDB Streams are not answered.',
      impact: 'Commands are seen only by the next full list, minutes later.',
      look: ['enclavectl events', 'aws logs tail LOG_GROUP --since 30m --filter-pattern stream'],
      fix: [
        'Look for refused calls of GetRecords and give the permission back.',
        'Check that the stream of the table is enabled.',
        'Restart the leader if only one shard is silent.',
      ],
      prevent: 'Let no third reader poll the same stream: two a shard is the limit of DynamoDB.',
    },
  },
  {
    name: 'EnclaveOperatorRelistRepairing',
    severity: 'warning',
    expr: `sum ${BY} (increase(enclave_operator_relist_repaired_total[30m])) > 0`,
    for: '15m',
    summary: 'Lists find changes that no stream told.',
    description: 'Full lists have found changes that the feed missed.',
    fires: [growing('enclave_operator_relist_repaired_total', 1)],
    silent: [constant('enclave_operator_relist_repaired_total', 7)],
    runbook: {
      meaning: 'The feed loses changes, and the periodic list makes up for it.',
      impact: 'Changes are carried out late, none is lost.',
      look: ['enclavectl events', 'aws logs tail LOG_GROUP --since 1h --filter-pattern gap'],
      fix: [
        'Compare with `feed_gaps_total`: gaps with it mean that the operator fell behind the retention of the stream.',
        'Without gaps, report a defect with the log of the hour.',
      ],
      prevent: 'Keep the leader below its limits of CPU and memory.',
    },
  },
  {
    name: 'EnclaveOperatorThrottled',
    severity: 'warning',
    expr: `sum ${BY} (rate(enclave_operator_throttled_total[15m])) / (sum ${BY} (rate(enclave_operator_aws_requests_total[15m])) > 0) > 0.05`,
    for: '15m',
    summary: 'AWS throttles the operator.',
    description: 'For a quarter of an hour AWS has refused more than one call in twenty.',
    fires: [growing('enclave_operator_throttled_total', 10), growing('enclave_operator_aws_requests_total', 100)],
    silent: [growing('enclave_operator_throttled_total', 1), growing('enclave_operator_aws_requests_total', 100)],
    runbook: {
      meaning: 'The account makes more calls than AWS admits.',
      impact: 'Observation and commands slow down; other programs of the account suffer too.',
      look: ['enclavectl config', 'curl -s http://OPERATOR:8080/metrics | grep -E "throttled_total|budget_tokens"'],
      fix: ['Find the service in the dashboard AWS.', 'Lower `awsBudgetShare`.', 'Ask AWS for a higher limit.'],
      prevent: 'Leave room in the budget for what else the account runs.',
    },
  },
];
