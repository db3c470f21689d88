/** The platform as synthesized: what the contract fixes, and what operator, runner and workflows are told. */
import { CreateTableCommand, type CreateTableCommandInput, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
// @ts-expect-error The package declares no types.
import aslValidator from 'asl-validator';
import { describe, expect, it } from 'vitest';
import { PlatformFactsSchema } from '../../../../infra/enclave/platform-facts.ts';
import { namesOf, parseConfig } from '../../../../infra/platform/index.ts';
import { loadConfig } from '../../../../src/cli/config.ts';
import { WEBHOOK_SECRET } from '../../../../src/cli/config-keys.ts';
import type { JsonMap } from '../../../../src/enclave/json.ts';
import { createTables } from '../../../../src/local/tables.ts';
import { ACCOUNT, AGENT, build, configs, takenOver } from '../../../support/platform.ts';

/** Ids only AWS knows become a word. */
const resolved = (text: unknown) => String(text).replace(/\$\{[^}]*\}/g, 'known-after-apply');

interface Container {
  readonly name: string;
  readonly user: string;
  readonly readonlyRootFilesystem: boolean;
  readonly stopTimeout: number;
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly secrets?: readonly { readonly name: string; readonly valueFrom: string }[];
  readonly healthCheck?: JsonMap;
  readonly logConfiguration: { readonly options: Readonly<Record<string, string>> };
}

function containerOf(task: JsonMap | undefined): Container {
  const [container] = JSON.parse(resolved(task?.container_definitions)) as Container[];
  if (container === undefined) throw new Error('no container');
  return container;
}
const environmentOf = ({ environment }: Container) =>
  Object.fromEntries(environment.map(({ name, value }) => [name, value]));

describe.each(configs)('%s', (_, config) => {
  const { terraform } = build(config);
  const { resource } = terraform;
  const names = namesOf(config);

  it('pins the provider, locks its state and names its account', () => {
    expect(terraform.terraform.required_providers).toEqual({ aws: { source: 'hashicorp/aws', version: '= 5.100.0' } });
    expect(terraform.terraform.backend).toEqual({
      s3: expect.objectContaining({
        bucket: `${config.prefix}-platform-state-${ACCOUNT}`,
        encrypt: true,
        use_lockfile: true,
      }),
    });
    for (const provider of terraform.provider.aws) expect(provider.allowed_account_ids).toEqual([ACCOUNT]);
    expect(terraform.provider.aws.map((it) => it.region).sort()).toEqual(Object.keys(config.regions).sort());
  });

  it('gives the operator a configuration it accepts, with the enabled regions', () => {
    const container = containerOf(resource.aws_ecs_task_definition?.['operator-task']);
    const loaded = loadConfig({ env: environmentOf(container) });
    expect(loaded).toMatchObject({ ok: true });
    if (!loaded.ok) return;
    const { regions, region, stateTable, historyTable, enclavesTable, cluster, prefix, environment, accountId } =
      loaded.config;
    expect({
      regions,
      region,
      stateTable,
      historyTable,
      enclavesTable,
      cluster,
      prefix,
      environment,
      accountId,
    }).toEqual({
      regions: Object.keys(config.regions),
      region: config.region,
      stateTable: names.stateTable,
      historyTable: names.historyTable,
      enclavesTable: config.enclavesTable,
      cluster: config.cluster,
      prefix: config.prefix,
      environment: config.environment,
      accountId: ACCOUNT,
    });
  });

  it.each([true, false])('has the operator look up attestations where it says so: %s', (attestationTrail) => {
    const asked = build({ ...config, operator: { ...config.operator, attestationTrail } }).terraform.resource;
    const loaded = loadConfig({ env: environmentOf(containerOf(asked.aws_ecs_task_definition?.['operator-task'])) });
    expect(loaded).toMatchObject({ ok: true, config: { attestationTrail } });
  });

  it('gives the runner the facts the enclave stack reads', () => {
    const container = containerOf(resource.aws_ecs_task_definition?.['runner-task']);
    const { PLATFORM_FACTS: text = '', ...rest } = environmentOf(container);
    const facts = PlatformFactsSchema.parse(JSON.parse(text));
    expect(rest).toEqual({
      AWS_REGION: config.region,
      ENCLAVE_ENVIRONMENT: config.environment,
      HISTORY_TABLE: names.historyTable,
      RUNNER_ENGINE: 'terraform',
      STATE_TABLE: names.stateTable,
    });
    expect(facts).toMatchObject({
      environment: config.environment,
      accountId: ACCOUNT,
      agent: AGENT,
      rolePath: `/${config.prefix}-enclaves/`,
    });
    expect(Object.keys(facts.regions)).toEqual(Object.keys(config.regions));
    for (const [region, { network }] of Object.entries(config.regions)) {
      const zones = network.kind === 'new' ? network.zones : network.subnets.map(({ zone }) => zone);
      expect(facts.regions[region]?.subnets.map(({ zone }) => zone)).toEqual(zones);
      const hasEndpoints = network.kind === 'new' && network.interfaceEndpoints;
      expect(facts.regions[region]?.interfaceEndpoints?.includes('ecr') ?? false).toBe(hasEndpoints);
      expect(facts.regions[region]?.endpointSecurityGroupId !== undefined).toBe(hasEndpoints);
    }
  });

  it('runs both programs without root, on a read-only file system', () => {
    const runner = resource.aws_ecs_task_definition?.['runner-task'];
    for (const task of [runner, resource.aws_ecs_task_definition?.['operator-task']]) {
      const { user, readonlyRootFilesystem } = containerOf(task);
      expect({ user, readonlyRootFilesystem }).toEqual({ user: '10001:10001', readonlyRootFilesystem: true });
      expect(task?.skip_destroy).toBe(true);
    }
    expect(containerOf(runner)).toMatchObject({ name: 'terraform-runner', stopTimeout: 120 });
    expect(Number(runner?.memory)).toBeGreaterThanOrEqual(2048);
    expect(runner?.family).toBe(`${config.prefix}-terraform-runner`);
  });

  it('lets the operator tell people by the topic of the alarms, whose mails leave out heartbeats', () => {
    const operator = environmentOf(containerOf(resource.aws_ecs_task_definition?.['operator-task']));
    expect(operator.ENCLAVE_OPERATOR_NOTIFY_TOPIC_ARN).toBe(`arn:aws:sns:us-west-2:${ACCOUNT}:${config.prefix}-alarms`);
    expect(resource.aws_sns_topic?.alarms?.name).toBe(`${config.prefix}-alarms`);
    const { resource: mailed } = build({ ...config, alarmEmails: ['ops@example.com'] }).terraform;
    expect(JSON.parse(String(mailed.aws_sns_topic_subscription?.['alarms-mail-0']?.filter_policy))).toEqual({
      kind: [{ exists: false }, { 'anything-but': ['Heartbeat'] }],
    });
  });

  it('keeps two operators during a deployment, and replaces one that hangs', () => {
    expect(resource.aws_ecs_service?.['operator-service']).toMatchObject({
      desired_count: 2,
      deployment_minimum_healthy_percent: 100,
      deployment_circuit_breaker: { enable: true, rollback: true },
    });
    const { healthCheck } = containerOf(resource.aws_ecs_task_definition?.['operator-task']);
    expect(JSON.stringify(healthCheck)).toContain('/healthz');
  });

  it('logs where the application reads, and no data', () => {
    const { options } = containerOf(resource.aws_ecs_task_definition?.['runner-task']).logConfiguration;
    expect(options['awslogs-stream-prefix']).toBe('ecs');
    const groups = Object.values(resource.aws_cloudwatch_log_group ?? {});
    expect(groups.map(({ name }) => name)).toContain(`/ecs/${config.prefix}-terraform-runner`);
    for (const group of groups) expect(group.retention_in_days).toBe(config.logRetentionDays);
    for (const machine of Object.values(resource.aws_sfn_state_machine ?? {})) {
      expect(machine.logging_configuration).toMatchObject({ level: 'ERROR', include_execution_data: false });
    }
  });

  it('runs valid documents under the contract’s names', () => {
    const machines = Object.values(resource.aws_sfn_state_machine ?? {});
    expect(machines.map(({ name }) => name).sort()).toEqual(
      ['cleanup', 'deployment', 'drift'].map((name) => `${config.prefix}-${name}`),
    );
    for (const { definition } of machines) {
      const { isValid, errorsText } = aslValidator(JSON.parse(resolved(definition)));
      expect(isValid, errorsText('\n')).toBe(true);
    }
  });

  it('never lets a tag move, and scans what is pushed', () => {
    const registries = Object.values(resource.aws_ecr_repository ?? {});
    expect(registries.map(({ name }) => name)).toContain(`${config.prefix}-terraform-runner`);
    for (const registry of registries) {
      expect(registry).toMatchObject({
        image_tag_mutability: 'IMMUTABLE',
        image_scanning_configuration: { scan_on_push: true },
      });
    }
  });

  it('has every bucket versioned, encrypted and closed', () => {
    const buckets = Object.keys(resource.aws_s3_bucket ?? {}).sort();
    const covered = (type: string, suffix: string) =>
      Object.keys(resource[type] ?? {})
        .map((id) => id.replace(new RegExp(`${suffix}$`), ''))
        .sort();
    expect(covered('aws_s3_bucket_versioning', '-versions')).toEqual(buckets);
    expect(covered('aws_s3_bucket_server_side_encryption_configuration', '-encryption')).toEqual(buckets);
    expect(covered('aws_s3_bucket_public_access_block', '-public-access')).toEqual(buckets);
    expect(covered('aws_s3_bucket_policy', '-policy')).toEqual(buckets);
    for (const { bucket } of Object.values(resource.aws_s3_bucket ?? {})) {
      expect(String(bucket).length).toBeLessThanOrEqual(63);
    }
  });

  it('has the tables the embedded database has, protected', async () => {
    const wanted: CreateTableCommandInput[] = [];
    // Only what is asked of it matters; a table that waits for itself is answered as active.
    const send = async (command: { readonly input: unknown }) => {
      if (command instanceof CreateTableCommand) wanted.push(command.input);
      return { Table: { TableStatus: 'ACTIVE' } };
    };
    const { stateTable, historyTable } = names;
    await createTables({ send, config: {} } as unknown as DynamoDBClient, {
      enclavesTable: config.enclavesTable,
      stateTable,
      historyTable,
    });
    const sorted = (list: unknown) => (list as { readonly name: string }[]).map(({ name }) => name).sort();
    const tables = Object.values(resource.aws_dynamodb_table ?? {});
    expect(tables.length).toBe(wanted.length);
    for (const input of wanted) {
      const table = tables.find(({ name }) => name === input.TableName);
      const key = (type: string) => input.KeySchema?.find(({ KeyType }) => KeyType === type)?.AttributeName;
      expect(table).toMatchObject({
        hash_key: key('HASH'),
        billing_mode: input.BillingMode,
        stream_enabled: true,
        stream_view_type: input.StreamSpecification?.StreamViewType,
        point_in_time_recovery: { enabled: true },
        deletion_protection_enabled: true,
        lifecycle: { prevent_destroy: true },
      });
      expect(table?.range_key).toBe(key('RANGE'));
      expect(sorted(table?.attribute)).toEqual(
        input.AttributeDefinitions?.map(({ AttributeName }) => AttributeName).sort(),
      );
      const indexes = (table?.global_secondary_index ?? []) as {
        name: string;
        hash_key: string;
        projection_type: string;
      }[];
      expect(indexes.map(({ name, hash_key, projection_type }) => [name, hash_key, projection_type]).sort()).toEqual(
        (input.GlobalSecondaryIndexes ?? [])
          .map(({ IndexName, KeySchema, Projection }) => [
            IndexName,
            KeySchema?.[0]?.AttributeName,
            Projection?.ProjectionType,
          ])
          .sort(),
      );
    }
    for (const own of [historyTable, stateTable]) {
      expect(tables.find(({ name }) => name === own)?.ttl).toEqual({ attribute_name: 'expiresAt', enabled: true });
    }
  });
});

describe('a webhook beside the topic', () => {
  const secretArn = `arn:aws:secretsmanager:us-west-2:${ACCOUNT}:secret:webhook-AbCdEf`;
  const webhook = { url: 'https://hooks.example.com/x', secretArn };
  const [, dev] = configs[0] ?? [];

  it('is told to the operator, its secret by reference, which ECS alone may read', () => {
    if (dev === undefined) throw new Error('no configuration');
    const { resource } = build({ ...dev, webhook }).terraform;
    const container = containerOf(resource.aws_ecs_task_definition?.['operator-task']);
    expect(environmentOf(container).ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL).toBe(webhook.url);
    expect(container.secrets).toEqual([{ name: WEBHOOK_SECRET, valueFrom: secretArn }]);
    const readers = Object.entries(resource.aws_iam_role_policy ?? {})
      .filter(([, { policy }]) => String(policy).includes(secretArn))
      .map(([id]) => id);
    expect(readers).toEqual(['execution-policy']);
  });

  it('is refused in the clear, and with anything but the ARN of a secret', () => {
    const wrong = { url: 'http://hooks.example.com/x', secretArn: 'hunter2' };
    expect(() => parseConfig({ ...dev, webhook: wrong }, 'test')).toThrow(
      /webhook\.url: an https URL[\s\S]*webhook\.secretArn: the ARN of a secret/,
    );
  });
});

describe('an installation that is taken over', () => {
  const { terraform } = build(takenOver);

  it('imports everything whose name the contract fixes, and what it was told of', () => {
    expect(terraform.import).toEqual([
      { to: 'aws_dynamodb_table.enclaves-table', id: 'treza-enclaves-dev' },
      {
        to: 'aws_sfn_state_machine.deploy-machine',
        id: `arn:aws:states:us-west-2:${ACCOUNT}:stateMachine:treza-dev-deployment`,
      },
      {
        to: 'aws_sfn_state_machine.destroy-machine',
        id: `arn:aws:states:us-west-2:${ACCOUNT}:stateMachine:treza-dev-cleanup`,
      },
      { to: 'aws_cloudwatch_log_group.runner-log', id: '/ecs/treza-dev-terraform-runner' },
      { to: 'aws_ecr_repository.runner-registry', id: 'treza-dev-terraform-runner' },
      { to: 'aws_ecs_cluster.cluster', id: 'treza-dev-infrastructure' },
      { to: 'aws_s3_bucket.state-bucket', id: 'treza-dev-terraform-state-0123abcd' },
      { to: 'aws_iam_role.runner-role', id: 'treza-dev-ecs-task' },
      { to: 'aws_iam_role.execution-role', id: 'treza-dev-ecs-execution' },
      { to: 'aws_iam_role.workflows-role', id: 'treza-dev-states' },
    ]);
  });

  it('imports to addresses that exist, under the names they have', () => {
    for (const { to, id } of terraform.import ?? []) {
      const [type = '', name = ''] = to.split('.');
      const { name: own, bucket } = terraform.resource[type]?.[name] ?? {};
      expect(id.split(':').at(-1)).toBe(own ?? bucket);
    }
  });

  it('makes no network where there is one, and uses it', () => {
    expect(Object.keys(terraform.resource)).not.toContain('aws_vpc');
    expect(terraform.resource.aws_ecs_service?.['operator-service']?.network_configuration).toMatchObject({
      subnets: ['subnet-0a1b2c3d4e5f60718', 'subnet-0b1b2c3d4e5f60718'],
      assign_public_ip: false,
    });
    expect(terraform.resource.aws_security_group?.['operator-group']?.vpc_id).toBe('vpc-0123456789abcdef0');
  });

  it('imports nothing unless told to', () => {
    expect(build({ ...takenOver, adopt: false }).terraform.import).toBeUndefined();
  });

  it('takes up again what a destroyed platform left', () => {
    const kept = ['aws_dynamodb_table.state-table', 'aws_s3_bucket.state-bucket'];
    expect(build({ ...takenOver, existing: { roles: {} }, adopt: kept }).terraform.import).toEqual([
      { to: 'aws_dynamodb_table.state-table', id: 'treza-dev-operator-state' },
      { to: 'aws_s3_bucket.state-bucket', id: `treza-dev-terraform-state-${ACCOUNT}` },
    ]);
  });
});
