/** Alarms, to one topic: what the operator cannot tell by itself, because it is what fails. It tells the rest there. */
import { CloudwatchLogMetricFilter } from '@cdktf/provider-aws/lib/cloudwatch-log-metric-filter/index.js';
import {
  CloudwatchMetricAlarm,
  type CloudwatchMetricAlarmConfig,
} from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js';
import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js';
import { SnsTopicPolicy } from '@cdktf/provider-aws/lib/sns-topic-policy/index.js';
import { SnsTopicSubscription } from '@cdktf/provider-aws/lib/sns-topic-subscription/index.js';
import type { Platform } from './context.ts';
import type { LogGroups } from './logs.ts';
import { MACHINE_ACTIONS } from './names.ts';
import { grant, policyJson } from './policy.ts';

const MINUTE_SECONDS = 60;
const METRICS = 'EnclaveOperator';
/** One failed run is the operator's business: it retries. This many in a quarter of an hour are a person's. */
const FAILED_RUNS = 5;
/** The operator's heartbeats are for programs; alarms have no such attribute. */
const NO_HEARTBEATS = JSON.stringify({ kind: [{ exists: false }, { 'anything-but': ['Heartbeat'] }] });

export function alarms(platform: Platform, parts: { readonly keyId: string; readonly logs: LogGroups }): SnsTopic {
  const { stack, config, names, policies } = platform;
  const topic = new SnsTopic(stack, 'alarms', { name: names.alarmsTopic, kmsMasterKeyId: parts.keyId });
  const statements = [
    grant('Alarms', { Service: 'cloudwatch.amazonaws.com' }, ['sns:Publish'], [names.alarmsTopicArn], {
      StringEquals: { 'aws:SourceAccount': config.accountId },
    }),
    ...(config.monitoring.enabled
      ? [
          grant(
            'Alerts',
            { Service: 'aps.amazonaws.com' },
            ['sns:GetTopicAttributes', 'sns:Publish'],
            [names.alarmsTopicArn],
            {
              StringEquals: { 'aws:SourceAccount': config.accountId },
              ArnEquals: { 'aws:SourceArn': names.metricsWorkspaceArn },
            },
          ),
        ]
      : []),
  ];
  new SnsTopicPolicy(stack, 'alarms-policy', { arn: topic.arn, policy: policyJson(statements) });
  policies.set('aws_sns_topic_policy.alarms-policy', statements);
  for (const [index, endpoint] of config.alarmEmails.entries()) {
    new SnsTopicSubscription(stack, `alarms-mail-${index}`, {
      topicArn: topic.arn,
      protocol: 'email',
      endpoint,
      filterPolicy: NO_HEARTBEATS,
    });
  }

  type Options = Omit<CloudwatchMetricAlarmConfig, 'alarmName' | 'alarmActions' | 'comparisonOperator' | 'period'> & {
    readonly comparisonOperator?: string;
    readonly period?: number;
  };
  const alarm = (id: string, options: Options) =>
    new CloudwatchMetricAlarm(stack, `${id}-alarm`, {
      alarmName: `${config.prefix}-${id}`,
      alarmActions: [topic.arn],
      okActions: [topic.arn],
      comparisonOperator: 'GreaterThanOrEqualToThreshold',
      period: 5 * MINUTE_SECONDS,
      treatMissingData: 'notBreaching',
      ...options,
    });

  alarm('operator-missing', {
    alarmDescription: 'No operator runs: nothing is reconciled. See the service’s events and the operator’s log.',
    namespace: 'ECS/ContainerInsights',
    metricName: 'RunningTaskCount',
    dimensions: { ClusterName: config.cluster, ServiceName: names.operatorService },
    statistic: 'Maximum',
    comparisonOperator: 'LessThanThreshold',
    threshold: 1,
    period: MINUTE_SECONDS,
    evaluationPeriods: 3,
    treatMissingData: 'breaching',
  });
  new CloudwatchLogMetricFilter(stack, 'operator-errors', {
    name: `${config.prefix}-operator-errors`,
    logGroupName: parts.logs.operator.name,
    pattern: '{ $.level = "error" || $.level = "fatal" }',
    metricTransformation: {
      name: `${config.prefix}-operator-errors`,
      namespace: METRICS,
      value: '1',
      defaultValue: '0',
    },
  });
  alarm('operator-errors', {
    alarmDescription: 'The operator logs errors for half an hour. See its log.',
    namespace: METRICS,
    metricName: `${config.prefix}-operator-errors`,
    statistic: 'Sum',
    threshold: 1,
    evaluationPeriods: 6,
  });
  if (config.monitoring.enabled) {
    const heartbeat = { namespace: METRICS, name: 'Heartbeat' };
    // The leader's line of the log, once a minute: no credentials, no client, and silence whatever the cause.
    new CloudwatchLogMetricFilter(stack, 'operator-heartbeat', {
      name: `${config.prefix}-operator-heartbeat`,
      logGroupName: parts.logs.operator.name,
      pattern: '{ $.heartbeat = 1 }',
      metricTransformation: { ...heartbeat, value: '$.heartbeat', dimensions: { Environment: '$.environment' } },
    });
    alarm('operator-silent', {
      alarmDescription:
        'No operator has led and made progress for five minutes. See docs/runbooks/enclave-operator-no-leader.md.',
      namespace: heartbeat.namespace,
      metricName: heartbeat.name,
      dimensions: { Environment: config.environment },
      statistic: 'Sum',
      comparisonOperator: 'LessThanThreshold',
      threshold: 1,
      period: MINUTE_SECONDS,
      evaluationPeriods: 5,
      treatMissingData: 'breaching',
    });
  }
  for (const action of MACHINE_ACTIONS) {
    const machine = { dimensions: { StateMachineArn: names.machineArn(action) }, namespace: 'AWS/States' };
    alarm(`${names.machine(action).slice(config.prefix.length + 1)}-failures`, {
      ...machine,
      alarmDescription: `${FAILED_RUNS} ${action} runs failed within 15 minutes. See enclavectl events.`,
      metricName: 'ExecutionsFailed',
      statistic: 'Sum',
      period: 15 * MINUTE_SECONDS,
      threshold: FAILED_RUNS,
      evaluationPeriods: 1,
    });
    alarm(`${names.machine(action).slice(config.prefix.length + 1)}-timeouts`, {
      ...machine,
      alarmDescription: `A ${action} run reached its deadline: its lock stays until its tasks have stopped.`,
      metricName: 'ExecutionsTimedOut',
      statistic: 'Sum',
      threshold: 1,
      evaluationPeriods: 1,
    });
  }
  for (const table of [config.enclavesTable, names.stateTable, names.historyTable]) {
    alarm(`${table}-throttled`, {
      alarmDescription: `DynamoDB throttles ${table}: reconciles and writes of the application wait.`,
      namespace: 'AWS/DynamoDB',
      metricName: 'ThrottledRequests',
      dimensions: { TableName: table },
      statistic: 'Sum',
      threshold: 10,
      evaluationPeriods: 3,
    });
  }
  return topic;
}
