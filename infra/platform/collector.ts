/** The collector beside the operator: scrapes it over localhost and sends what it finds to Managed Prometheus. */
import { stringify } from 'yaml';
import { container } from './container.ts';
import type { Platform } from './context.ts';
import type { Monitoring } from './monitoring.ts';

/** As the alerts and dashboards know it. */
const JOB = 'enclave-operator';
/** Of the task's memory; the limiter refuses samples well before the kernel ends the container. */
const MEMORY_MIB = 256;
const LIMIT_MIB = 176;
/** Of the task's, in units of ECS: under load the operator comes first. */
export const COLLECTOR_CPU = 32;
const STOP_TIMEOUT_SECONDS = 10;

export function collectorContainer(
  platform: Platform,
  monitoring: Monitoring,
  port: number,
): Readonly<Record<string, unknown>> {
  return container(platform, {
    name: 'collector',
    image: platform.config.monitoring.collectorImage,
    logGroup: monitoring.collectorLogGroup,
    stopTimeoutSeconds: STOP_TIMEOUT_SECONDS,
    environment: {
      AOT_CONFIG_CONTENT: stringify(collectorConfig(platform, monitoring.endpoint, port), { lineWidth: 0 }),
    },
    more: {
      // The operator works as well without it, and must never wait for it or end with it.
      essential: false,
      dependsOn: [{ containerName: 'operator', condition: 'START' }],
      restartPolicy: { enabled: true, restartAttemptPeriod: 60 },
      healthCheck: { command: ['CMD', '/healthcheck'], interval: 30, timeout: 5, retries: 3, startPeriod: 30 },
      mountPoints: [],
      cpu: COLLECTOR_CPU,
      memory: MEMORY_MIB,
    },
  });
}

export function collectorConfig({ config }: Platform, endpoint: string, port: number) {
  const { environment, region } = config;
  return {
    receivers: {
      prometheus: {
        config: {
          global: { scrape_interval: `${config.monitoring.scrapeSeconds}s`, scrape_timeout: '10s' },
          scrape_configs: [
            {
              job_name: JOB,
              static_configs: [{ targets: [`127.0.0.1:${port}`], labels: { environment, region } }],
            },
          ],
        },
      },
    },
    processors: {
      memory_limiter: { check_interval: '1s', limit_mib: LIMIT_MIB, spike_limit_mib: LIMIT_MIB / 4 },
      resourcedetection: { detectors: ['ecs'] },
      // Both tasks scrape the same address: without the task's name their samples would be of one series.
      resource: {
        attributes: [{ key: 'service.instance.id', from_attribute: 'aws.ecs.task.arn', action: 'upsert' }],
      },
    },
    exporters: {
      prometheusremotewrite: {
        endpoint: `${endpoint}api/v1/remote_write`,
        auth: { authenticator: 'sigv4auth' },
        // Names stay as the operator gives them.
        add_metric_suffixes: false,
        target_info: { enabled: false },
      },
    },
    extensions: { health_check: {}, sigv4auth: { region, service: 'aps' } },
    service: {
      extensions: ['health_check', 'sigv4auth'],
      pipelines: {
        metrics: {
          receivers: ['prometheus'],
          processors: ['memory_limiter', 'resourcedetection', 'resource'],
          exporters: ['prometheusremotewrite'],
        },
      },
      telemetry: { logs: { level: 'warn' }, metrics: { level: 'none' } },
    },
  };
}
