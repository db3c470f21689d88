/** Managed Prometheus as synthesized: what is scraped and sent, which alerts it evaluates, and whom they reach. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { namesOf, type PlacedConfig, parseConfig } from '../../../../infra/platform/index.ts';
import type { JsonMap } from '../../../../src/enclave/json.ts';
import { build, configs, type Synthesized } from '../../../support/platform.ts';

const SHIPPED = readFileSync(new URL('../../../../dashboards/alerts.yaml', import.meta.url), 'utf8');
/** Written as Terraform reads it: the id of a workspace is AWS' to choose. */
const WORKSPACE = `\${aws_prometheus_workspace.metrics.arn}`;

const folder = mkdtempSync(join(tmpdir(), 'platform-monitoring-'));
afterAll(() => rmSync(folder, { recursive: true }));

const [, dev] = configs[0] ?? [];
const [, prod] = configs.find(([name]) => name === 'prod') ?? [];
if (dev === undefined || prod === undefined) throw new Error('dev or prod is missing');
const monitored = (base: PlacedConfig, more: Partial<PlacedConfig['monitoring']>): PlacedConfig => ({
  ...base,
  monitoring: { ...base.monitoring, ...more },
});

function containersOf({ resource }: Synthesized): readonly JsonMap[] {
  return JSON.parse(String(resource.aws_ecs_task_definition?.['operator-task']?.container_definitions));
}
function statementsOf({ resource }: Synthesized, type: string, name: string): readonly JsonMap[] {
  return JSON.parse(String(resource[type]?.[name]?.policy)).Statement;
}
const variablesOf = (container: JsonMap | undefined) =>
  Object.fromEntries(
    ((container?.environment ?? []) as { name: string; value: string }[]).map(({ name, value }) => [name, value]),
  );
const collectorOf = (synthesized: Synthesized) =>
  parse(variablesOf(containersOf(synthesized)[1]).AOT_CONFIG_CONTENT ?? '');

describe.each(configs)('%s', (_, config) => {
  const { terraform } = build(config);
  const { resource } = terraform;
  const names = namesOf(config);
  const [operator, collector, ...rest] = containersOf(terraform);
  const written = collectorOf(terraform);

  it('has Managed Prometheus evaluate the alerts that are shipped, word for word', () => {
    const { data, workspace_id } = resource.aws_prometheus_rule_group_namespace?.['metrics-alerts'] ?? {};
    expect(data).toBe(SHIPPED);
    expect(workspace_id).toBe(`\${aws_prometheus_workspace.metrics.id}`);
    // What it takes: groups with a name of their own, of rules that are told apart.
    const { groups, ...others } = parse(String(data));
    expect(others).toEqual({});
    expect(new Set(groups.map(({ name }: { name: string }) => name)).size).toBe(groups.length);
    for (const { rules } of groups) {
      for (const rule of rules) expect(rule).toMatchObject({ alert: expect.any(String), expr: expect.any(String) });
    }
    // Terraform would fill in these.
    expect(SHIPPED).not.toMatch(/[$%]\{/);
  });

  it('encrypts series by our key, keeps them as long as told, and logs what fails', () => {
    expect(resource.aws_prometheus_workspace?.metrics).toMatchObject({
      alias: config.prefix,
      kms_key_arn: `\${aws_kms_key.data-key.arn}`,
      logging_configuration: { log_group_arn: `\${aws_cloudwatch_log_group.metrics-log.arn}:*` },
    });
    expect(resource.aws_prometheus_workspace_configuration?.['metrics-retention']).toMatchObject({
      retention_period_in_days: 150,
    });
    const [key] = statementsOf(terraform, 'aws_kms_key', 'data-key').filter(({ Sid }) => Sid === 'UseThroughServices');
    expect(JSON.stringify(key)).toContain(`aps.${config.region}.amazonaws.com`);
  });

  it('sends alerts to the topic of the alarms, which takes them of this workspace alone', () => {
    const { definition } = resource.aws_prometheus_alert_manager_definition?.['metrics-alert-manager'] ?? {};
    const { route, receivers } = parse(parse(String(definition)).alertmanager_config);
    expect(receivers).toEqual([
      {
        name: route.receiver,
        sns_configs: [
          {
            topic_arn: `\${aws_sns_topic.alarms.arn}`,
            sigv4: { region: config.region },
            send_resolved: true,
            attributes: {
              kind: 'Alert',
              environment: config.environment,
              severity: '{{ .CommonLabels.severity }}',
            },
          },
        ],
      },
    ]);
    // Alerts of one name have one severity: a group has it in common.
    expect(route.group_by).toContain('alertname');
    const topic = statementsOf(terraform, 'aws_sns_topic_policy', 'alarms-policy');
    expect(topic.find(({ Sid }) => Sid === 'Alerts')).toEqual({
      Sid: 'Alerts',
      Effect: 'Allow',
      Principal: { Service: 'aps.amazonaws.com' },
      Action: ['sns:GetTopicAttributes', 'sns:Publish'],
      Resource: names.alarmsTopicArn,
      Condition: {
        StringEquals: { 'aws:SourceAccount': config.accountId },
        ArnEquals: { 'aws:SourceArn': WORKSPACE },
      },
    });
  });

  it('puts a collector beside the operator that it never waits for, nor ends with', () => {
    expect(rest).toEqual([]);
    expect(operator).toMatchObject({ name: 'operator', essential: true });
    expect(operator?.dependsOn).toBeUndefined();
    expect(collector).toMatchObject({
      name: 'collector',
      essential: false,
      image: 'public.ecr.aws/aws-observability/aws-otel-collector:v0.45.1',
      user: '10001:10001',
      readonlyRootFilesystem: true,
      linuxParameters: { capabilities: { drop: ['ALL'] } },
      mountPoints: [],
      dependsOn: [{ containerName: 'operator', condition: 'START' }],
      restartPolicy: { enabled: true },
      logConfiguration: { options: { 'awslogs-group': `\${aws_cloudwatch_log_group.collector-log.name}` } },
    });
    // Its lines are no errors of the operator's: the alarm reads the operator's group.
    expect(operator?.logConfiguration).not.toEqual(collector?.logConfiguration);
    expect(Object.keys(variablesOf(collector))).toEqual(['AOT_CONFIG_CONTENT']);
    expect(Number(operator?.cpu) + Number(collector?.cpu)).toBe(config.operator.cpu);
    expect(Number(collector?.memory)).toBeLessThanOrEqual(config.operator.memoryMiB / 4);
    expect(written.processors.memory_limiter.limit_mib).toBeLessThan(Number(collector?.memory));
  });

  it('has it scrape this task alone, and send to this workspace, signed', () => {
    const { scrape_configs } = written.receivers.prometheus.config;
    const port = variablesOf(operator).ENCLAVE_OPERATOR_HTTP_PORT;
    const { environment, region } = config;
    expect(scrape_configs).toEqual([
      {
        job_name: 'enclave-operator',
        static_configs: [{ targets: [`127.0.0.1:${port}`], labels: { environment, region } }],
      },
    ]);
    expect(written.exporters).toEqual({
      prometheusremotewrite: {
        endpoint: `\${aws_prometheus_workspace.metrics.prometheus_endpoint}api/v1/remote_write`,
        auth: { authenticator: 'sigv4auth' },
        add_metric_suffixes: false,
        target_info: { enabled: false },
      },
    });
    expect(written.extensions.sigv4auth).toEqual({ region, service: 'aps' });
    // What it names is there, and what is there is used.
    const { extensions, pipelines } = written.service;
    expect([...extensions].sort()).toEqual(Object.keys(written.extensions).sort());
    for (const kind of ['receivers', 'processors', 'exporters']) {
      expect(pipelines.metrics[kind], kind).toEqual(Object.keys(written[kind]));
    }
  });

  it('tells the series of two tasks apart', () => {
    expect(written.processors.resourcedetection.detectors).toEqual(['ecs']);
    expect(written.processors.resource.attributes).toEqual([
      { key: 'service.instance.id', from_attribute: 'aws.ecs.task.arn', action: 'upsert' },
    ]);
  });

  it('lets the task write to this workspace, and nobody else to any', () => {
    const granting = Object.keys(resource.aws_iam_role_policy ?? {}).flatMap((name) =>
      statementsOf(terraform, 'aws_iam_role_policy', name)
        .filter(({ Action }) => JSON.stringify(Action).includes('"aps:'))
        .map((statement) => [name, statement] as const),
    );
    expect(granting).toEqual([
      ['operator-policy', { Sid: 'SendMetrics', Effect: 'Allow', Action: 'aps:RemoteWrite', Resource: WORKSPACE }],
    ]);
  });
});

it('scrapes as Prometheus itself would', (context) => {
  if (spawnSync('promtool', ['--version']).error !== undefined) {
    if (process.env.CI === 'true') throw new Error('promtool is missing: install the package prometheus');
    context.skip('promtool is missing: install the package prometheus');
  }
  const file = join(folder, 'prometheus.yml');
  writeFileSync(file, stringify(collectorOf(build(dev).terraform).receivers.prometheus.config));
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });
  expect(status, `${stdout}${stderr}`).toBe(0);
});

it('is read by Grafana with signed requests, at the pace of the scrapes', () => {
  const file = new URL('../../../../dashboards/provisioning/managed-prometheus.yaml', import.meta.url);
  const { datasources } = parse(readFileSync(file, 'utf8'));
  expect(datasources).toMatchObject([
    {
      type: 'grafana-amazonprometheus-datasource',
      isDefault: true,
      jsonData: {
        sigV4Auth: true,
        timeInterval: collectorOf(build(dev).terraform).receivers.prometheus.config.global.scrape_interval,
      },
    },
  ]);
});

describe('an endpoint of its own', () => {
  const endpointsOf = (config: PlacedConfig) =>
    Object.values(build(config).terraform.resource.aws_vpc_endpoint ?? {})
      .map(({ service_name }) => String(service_name))
      .filter((name) => name.includes('aps'));

  it('is made where the platform is and endpoints are, for the collector alone', () => {
    expect(endpointsOf(prod)).toEqual(['com.amazonaws.us-west-2.aps-workspaces']);
    expect(endpointsOf(dev)).toEqual([]);
    expect(JSON.stringify(build(prod).terraform.output)).not.toContain('aps-workspaces');
  });
});

describe('a private copy of the collector', () => {
  const copy = '210987654321.dkr.ecr.us-west-2.amazonaws.com/mirror/aws-otel-collector:v0.45.1';

  it('is what runs, and ECS may fetch that repository', () => {
    const { terraform } = build(monitored(dev, { collectorImage: copy }));
    expect(containersOf(terraform)[1]?.image).toBe(copy);
    const images = statementsOf(terraform, 'aws_iam_role_policy', 'execution-policy').find(
      ({ Sid }) => Sid === 'Images',
    );
    expect(images?.Resource).toContain('arn:aws:ecr:us-west-2:210987654321:repository/mirror/aws-otel-collector');
  });

  it.each([
    ['a digest', `public.ecr.aws/a/b@sha256:${'0'.repeat(64)}`, true],
    ['a tag and a digest', `registry.example.com:5000/a/b:v1@sha256:${'0'.repeat(64)}`, true],
    ['a tag that moves', 'public.ecr.aws/a/b:latest', false],
    ['no tag', 'public.ecr.aws/a/b', false],
    ['half a digest', 'public.ecr.aws/a/b@sha256:0123', false],
    ['no registry', 'collector:v1', false],
    ['more than an image', 'public.ecr.aws/a/b:v1 --privileged', false],
  ])('with %s', (_, collectorImage, isTaken) => {
    const read = () => parseConfig({ ...dev, monitoring: { collectorImage } }, 'test');
    if (isTaken) expect(read().monitoring.collectorImage).toBe(collectorImage);
    else expect(read).toThrow('monitoring.collectorImage: registry/repository with a tag other than latest');
  });
});

describe('switched off', () => {
  const off = build(monitored(prod, { enabled: false })).terraform;

  it('leaves nothing of it', () => {
    expect(Object.keys(off.resource).filter((type) => type.includes('prometheus'))).toEqual([]);
    expect(containersOf(off)).toHaveLength(1);
    expect(JSON.stringify(off)).not.toMatch(/prometheus|collector|aps[:.-]|metrics_endpoint/);
  });

  it('imports the same', () => {
    const adopting = { ...dev, adopt: true };
    expect(build(monitored(adopting, { enabled: false })).terraform.import).toEqual(build(adopting).terraform.import);
  });
});
