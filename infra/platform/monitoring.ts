/** Amazon Managed Prometheus: a workspace, the alerts that are shipped, and the topic they are told to. */
import { readFileSync } from 'node:fs';
import { PrometheusAlertManagerDefinition } from '@cdktf/provider-aws/lib/prometheus-alert-manager-definition/index.js';
import { PrometheusRuleGroupNamespace } from '@cdktf/provider-aws/lib/prometheus-rule-group-namespace/index.js';
import { PrometheusWorkspace } from '@cdktf/provider-aws/lib/prometheus-workspace/index.js';
import { PrometheusWorkspaceConfiguration } from '@cdktf/provider-aws/lib/prometheus-workspace-configuration/index.js';
import type { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js';
import { stringify } from 'yaml';
import type { PlacedConfig } from './config.ts';
import type { Platform } from './context.ts';
import { logGroup } from './logs.ts';

const SHIPPED_ALERTS = new URL('../../dashboards/alerts.yaml', import.meta.url);

export interface Monitoring {
  readonly workspaceId: string;
  /** Ends with a slash. */
  readonly endpoint: string;
  readonly collectorLogGroup: string;
}

/** Undefined where it is switched off. */
export function monitoring(platform: Platform, keyArn: string): Monitoring | undefined {
  const { stack, config, names, emulated } = platform;
  if (!config.monitoring.enabled) return undefined;
  const workspace = new PrometheusWorkspace(stack, 'metrics', {
    alias: names.metricsWorkspace,
    // Otherwise a rule that fails, or an alert that reaches nobody, is a silent one.
    loggingConfiguration: {
      logGroupArn: `${logGroup(platform, 'metrics-log', names.metricsLogGroup, keyArn).arn}:*`,
    },
    // An emulator that forgets the key would have every plan replace the workspace.
    ...(emulated ? {} : { kmsKeyArn: keyArn }),
  });
  if (!emulated) {
    new PrometheusWorkspaceConfiguration(stack, 'metrics-retention', {
      workspaceId: workspace.id,
      retentionPeriodInDays: config.monitoring.retentionDays,
    });
  }
  new PrometheusRuleGroupNamespace(stack, 'metrics-alerts', {
    workspaceId: workspace.id,
    name: 'enclave-operator',
    data: readFileSync(SHIPPED_ALERTS, 'utf8'),
  });
  return {
    workspaceId: workspace.id,
    endpoint: workspace.prometheusEndpoint,
    collectorLogGroup: logGroup(platform, 'collector-log', names.collectorLogGroup, keyArn).name,
  };
}

/** What no emulator knows: the alert manager, which tells the topic of the alarms. */
export function sendAlerts(platform: Platform, { workspaceId }: Monitoring, topic: SnsTopic): void {
  if (platform.emulated) return;
  new PrometheusAlertManagerDefinition(platform.stack, 'metrics-alert-manager', {
    workspaceId,
    definition: stringify(
      { alertmanager_config: stringify(alertRoutes(platform.config, topic.arn)) },
      { lineWidth: 0 },
    ),
  });
}

/**
 * One message an alert and place, with the attributes of notifications; said again every four hours for as long as it
 * stands, and once when it has passed.
 */
function alertRoutes({ environment, region }: PlacedConfig, topicArn: string) {
  const attributes = { kind: 'Alert', environment, severity: '{{ .CommonLabels.severity }}' };
  return {
    route: {
      receiver: 'alarms',
      group_by: ['alertname', 'environment', 'region'],
      group_wait: '30s',
      group_interval: '5m',
      repeat_interval: '4h',
    },
    receivers: [
      {
        name: 'alarms',
        sns_configs: [{ topic_arn: topicArn, sigv4: { region }, send_resolved: true, attributes }],
      },
    ],
  };
}
