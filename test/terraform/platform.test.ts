/** The platform stack with real Terraform and the real provider, against an emulated AWS. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CreateTableCommand,
  DeleteItemCommand,
  DescribeTableCommand,
  DynamoDBClient,
  ListTablesCommand,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { EC2Client, RunInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { CreateClusterCommand, DescribeTaskDefinitionCommand, ECSClient } from '@aws-sdk/client-ecs';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketEncryptionCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { CreateStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { agentBundle } from '../../infra/host/index.ts';
import { ENVIRONMENT_NAMES, environmentConfig, placed, synthesizePlatform } from '../../infra/platform/index.ts';
import { publishAgent } from '../../scripts/platform/agent.ts';
import { EMULATED_ACCOUNT, EMULATED_REGION, type Emulator, requireTools, startEmulator } from '../support/emulator.ts';
import { AGENT, takenOver } from '../support/platform.ts';

const PLATFORM = fileURLToPath(new URL('../../scripts/platform/main.ts', import.meta.url));
const SHIPPED_ALERTS = readFileSync(new URL('../../dashboards/alerts.yaml', import.meta.url), 'utf8');
const STATE_BUCKET = `treza-dev-platform-state-${EMULATED_ACCOUNT}`;
const canRun = requireTools('the platform stack with real Terraform');

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
interface Change {
  readonly address: string;
  readonly change: { readonly actions: readonly string[]; readonly importing?: { readonly id: string } };
}

describe.runIf(canRun)('the platform stack', () => {
  let emulator: Emulator;
  let dynamodb: DynamoDBClient;
  let ec2: EC2Client;
  let ecs: ECSClient;
  let s3: S3Client;
  let sfn: SFNClient;
  const folder = mkdtempSync(join(tmpdir(), 'enclave-platform-'));

  beforeAll(async () => {
    emulator = await startEmulator();
    const credentials = { accessKeyId: 'emulated', secretAccessKey: 'emulated' };
    const options = { endpoint: emulator.url, region: EMULATED_REGION, credentials };
    dynamodb = new DynamoDBClient(options);
    ec2 = new EC2Client(options);
    ecs = new ECSClient(options);
    s3 = new S3Client({ ...options, forcePathStyle: true });
    sfn = new SFNClient(options);
  });
  afterAll(async () => {
    for (const client of [dynamodb, ec2, ecs, s3, sfn]) client.destroy();
    await emulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function run(program: string, args: readonly string[], cwd = folder): Promise<Ended> {
    // The SDK takes a profile before keys, and this one has none.
    const env = { ...process.env, ...emulator.env, AWS_PROFILE: undefined, TF_CLI_ARGS: '-no-color' };
    return new Promise((resolve) => {
      const child = execFile(program, args, { cwd, env, maxBuffer: 2 ** 27 }, (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err });
      });
      // Nobody is there to answer.
      child.stdin?.end();
    });
  }
  async function ok(program: string, args: readonly string[], cwd = folder): Promise<string> {
    const { code, out, err } = await run(program, args, cwd);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${out.slice(-3_000)}\n${err.slice(-3_000)}`);
    return out;
  }
  const aws = async (...args: string[]) => JSON.parse((await ok('aws', args)) || '{}');
  const put = (table: string, item: Readonly<Record<string, string>>) =>
    dynamodb.send(new PutItemCommand({ TableName: table, Item: marshall(item) }));
  const platform = (verb: string, ...args: string[]) =>
    run(process.execPath, [PLATFORM, verb, '--env', 'dev', '--out', join(folder, 'dev'), ...args]);

  it.each(ENVIRONMENT_NAMES)('is valid for %s', async (name) => {
    const config = placed(environmentConfig(name), EMULATED_ACCOUNT);
    const work = synthesizePlatform({ config, agent: AGENT }, join(folder, `validate-${name}`));
    await ok('terraform', ['init', '-backend=false', '-input=false'], work);
    expect(JSON.parse(await ok('terraform', ['validate', '-json'], work))).toMatchObject({
      valid: true,
      error_count: 0,
      warning_count: 0,
    });
  });

  it('deploys nothing before its state has a place', async () => {
    const { code, err } = await platform('deploy');
    expect(code).toBe(1);
    expect(err).toContain(`${STATE_BUCKET} is missing: run \`npm run bootstrap -- --env dev\` first`);
  });

  it('bootstraps once and again: versioned, encrypted, closed', async () => {
    expect(await platform('bootstrap')).toMatchObject({ code: 0, out: expect.stringContaining(': created;') });
    expect(await platform('bootstrap')).toMatchObject({ code: 0, out: expect.stringContaining(': was there;') });
    const of = { Bucket: STATE_BUCKET };
    expect(await s3.send(new GetBucketVersioningCommand(of))).toMatchObject({ Status: 'Enabled' });
    const encryption = await s3.send(new GetBucketEncryptionCommand(of));
    const [rule] = encryption.ServerSideEncryptionConfiguration?.Rules ?? [];
    expect(rule?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm).toBe('aws:kms');
    const { PublicAccessBlockConfiguration: access = {} } = await s3.send(new GetPublicAccessBlockCommand(of));
    expect(Object.values(access)).toEqual([true, true, true, true]);
  });

  it('plans the whole of dev, and applies nothing that nobody agreed to', async () => {
    const { code, out, err } = await platform('deploy');
    expect(out).toMatch(/Plan: \d{2,3} to add, 0 to change, 0 to destroy/);
    expect(err).toContain('pass --yes to go ahead');
    expect(code).toBe(1);
    const { TableNames } = await dynamodb.send(new ListTablesCommand({}));
    expect(TableNames).toEqual([]);
  });

  it('puts the host agent where hosts fetch it, once, as soon as there is a bucket', async () => {
    const config = placed(environmentConfig('dev'), EMULATED_ACCOUNT);
    const bundle = agentBundle();
    expect(await publishAgent(() => s3, config, bundle)).toEqual(['us-west-2']);
    const Bucket = `treza-dev-config-${EMULATED_ACCOUNT}-us-west-2`;
    await s3.send(
      new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: EMULATED_REGION } }),
    );
    const object = { Bucket, Key: bundle.key };
    const digest = async () => (await s3.send(new HeadObjectCommand(object))).ETag;
    expect(await publishAgent(() => s3, config, bundle)).toEqual([]);
    expect(await digest()).toBe(`"${createHash('md5').update(bundle.bytes).digest('hex')}"`);
    // What lies there is not written again: another text under the key stays.
    await s3.send(new PutObjectCommand({ ...object, Body: 'there' }));
    const there = await digest();
    await publishAgent(() => s3, config, bundle);
    expect(await digest()).toBe(there);
    await s3.send(new DeleteObjectCommand(object));
    await s3.send(new DeleteBucketCommand({ Bucket }));
  });

  describe('on an installation', () => {
    const { existing, enclavesTable, cluster } = takenOver;
    const bucket = existing.stateBucket ?? '';
    const roles = Object.values(existing.roles);
    let work: string;
    let changes: readonly Change[];
    let imported: readonly Change[];

    beforeAll(async () => {
      const string = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' as const });
      const key = (AttributeName: string) => [{ AttributeName, KeyType: 'HASH' as const }];
      const index = (IndexName: string, attribute: string) => ({
        IndexName,
        KeySchema: key(attribute),
        Projection: { ProjectionType: 'ALL' as const },
      });
      await dynamodb.send(
        new CreateTableCommand({
          TableName: enclavesTable,
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: ['id', 'status', 'walletAddress'].map(string),
          KeySchema: key('id'),
          GlobalSecondaryIndexes: [index('status-index', 'status'), index('WalletIndex', 'walletAddress')],
          StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
        }),
      );
      await put(enclavesTable, { id: 'enc_old', status: 'DESTROYED' });
      for (const name of ['treza-dev-deployment', 'treza-dev-cleanup']) {
        await sfn.send(
          new CreateStateMachineCommand({
            name,
            roleArn: `arn:aws:iam::${EMULATED_ACCOUNT}:role/${existing.roles.workflows}`,
            definition: JSON.stringify({ StartAt: 'End', States: { End: { Type: 'Succeed' } } }),
          }),
        );
      }
      await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
      await s3.send(
        new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: EMULATED_REGION } }),
      );
      const trust = JSON.stringify({ Version: '2012-10-17', Statement: [] });
      await Promise.all([
        ...roles.map((name = '') =>
          aws('iam', 'create-role', '--role-name', name, '--assume-role-policy-document', trust),
        ),
        aws('logs', 'create-log-group', '--log-group-name', '/ecs/treza-dev-terraform-runner'),
        aws('ecr', 'create-repository', '--repository-name', 'treza-dev-terraform-runner'),
      ]);

      work = synthesizePlatform({ config: takenOver, agent: AGENT, emulated: true }, join(folder, 'taken-over'));
      await ok('terraform', ['init', '-input=false'], work);
      await ok('terraform', ['plan', '-input=false', '-out=plan'], work);
      const plan = JSON.parse(await ok('terraform', ['show', '-json', 'plan'], work));
      changes = plan.resource_changes;
      imported = changes.filter(({ change }) => change.importing !== undefined);
    });

    it('imports each thing that has a fixed name', () => {
      expect(imported.map(({ address }) => address).sort()).toEqual([
        'aws_cloudwatch_log_group.runner-log',
        'aws_dynamodb_table.enclaves-table',
        'aws_ecr_repository.runner-registry',
        'aws_ecs_cluster.cluster',
        'aws_iam_role.execution-role',
        'aws_iam_role.runner-role',
        'aws_iam_role.workflows-role',
        'aws_s3_bucket.state-bucket',
        'aws_sfn_state_machine.deploy-machine',
        'aws_sfn_state_machine.destroy-machine',
      ]);
    });

    it('changes what it imports in place, and deletes or replaces nothing', () => {
      for (const { address, change } of imported) expect(change.actions, address).toEqual(['update']);
      expect(changes.filter(({ change }) => change.actions.includes('delete'))).toEqual([]);
    });

    it('leaves the application’s table the very same, now protected', async () => {
      const targets = [
        'aws_dynamodb_table.enclaves-table',
        'aws_ecs_cluster.cluster',
        'aws_iam_role.runner-role',
        'aws_ecs_task_definition.operator-task',
        'aws_prometheus_rule_group_namespace.metrics-alerts',
      ];
      await ok('terraform', ['apply', '-input=false', '-auto-approve', ...targets.map((it) => `-target=${it}`)], work);
      const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: enclavesTable }));
      expect(Table).toMatchObject({ DeletionProtectionEnabled: true });
      const { Items } = await dynamodb.send(new ScanCommand({ TableName: enclavesTable }));
      expect(Items).toEqual([{ id: { S: 'enc_old' }, status: { S: 'DESTROYED' } }]);
    });

    it('has Managed Prometheus evaluate the shipped alerts, and the collector write to it', async () => {
      const { workspaces } = await aws('amp', 'list-workspaces', '--alias', 'treza-dev');
      expect(workspaces).toHaveLength(1);
      const [{ workspaceId }] = workspaces;
      const of = ['--workspace-id', workspaceId, '--name', 'enclave-operator'];
      const { ruleGroupsNamespace } = await aws('amp', 'describe-rule-groups-namespace', ...of);
      expect(Buffer.from(ruleGroupsNamespace.data, 'base64').toString()).toBe(SHIPPED_ALERTS);
      const { taskDefinition } = await ecs.send(
        new DescribeTaskDefinitionCommand({ taskDefinition: 'treza-dev-operator' }),
      );
      const [, collector] = taskDefinition?.containerDefinitions ?? [];
      expect(collector).toMatchObject({ name: 'collector', essential: false });
      expect(parse(collector?.environment?.[0]?.value ?? '').exporters.prometheusremotewrite.endpoint).toBe(
        `https://aps-workspaces.us-west-2.amazonaws.com/workspaces/${workspaceId}/api/v1/remote_write`,
      );
    });
  });

  describe('destroy', () => {
    const stateTable = 'treza-dev-operator-state';
    it('refuses while enclaves exist, and names each with what speaks for it', async () => {
      const work = join(folder, 'dev');
      const targets = ['aws_dynamodb_table.state-table', 'aws_sns_topic.alarms'];
      await ok('terraform', ['apply', '-input=false', '-auto-approve', ...targets.map((it) => `-target=${it}`)], work);
      await put(stateTable, { pk: 'enclave#enc_remembered', sk: 'lifecycle', id: 'enc_remembered' });
      await put('treza-enclaves-dev', { id: 'enc_wanted', status: 'PENDING_DEPLOY' });
      await put('treza-enclaves-dev', { id: 'enc_gone', status: 'DESTROYED' });
      const tags = [
        { Key: 'EnclaveId', Value: 'enc_orphan' },
        { Key: 'Environment', Value: 'dev' },
      ];
      const { Instances = [] } = await ec2.send(
        new RunInstancesCommand({
          ImageId: 'ami-12c6146b',
          MinCount: 1,
          MaxCount: 1,
          TagSpecifications: [{ ResourceType: 'instance', Tags: tags }],
        }),
      );
      const host = Instances[0]?.InstanceId ?? '';
      const { code, err } = await platform('destroy', '--yes');
      expect(code).toBe(1);
      expect(err).toContain('dev still has 3 enclaves:');
      expect(err).toContain('enc_remembered (lifecycle');
      expect(err).toContain('enc_wanted (record PENDING_DEPLOY)');
      expect(err).toContain(`enc_orphan (host ${host} in us-west-2)`);
      expect(err).not.toContain('enc_gone');
      expect((await aws('sns', 'list-topics')).Topics).toHaveLength(1);
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [host] }));
    });

    it('destroys the rest once they are gone, keeps data, and tells how to take it up again', async () => {
      const key = { pk: 'enclave#enc_remembered', sk: 'lifecycle' };
      await dynamodb.send(new DeleteItemCommand({ TableName: stateTable, Key: marshall(key) }));
      await put('treza-enclaves-dev', { id: 'enc_wanted', status: 'DESTROYED' });
      expect(await platform('destroy', '--yes')).toMatchObject({ code: 0, err: expect.not.stringContaining('Error') });
      expect((await aws('sns', 'list-topics')).Topics).toEqual([]);
      const { TableNames } = await dynamodb.send(new ListTablesCommand({}));
      expect(TableNames?.sort()).toEqual([stateTable, 'treza-enclaves-dev']);
      expect(await platform('deploy')).toMatchObject({
        code: 1,
        err: expect.stringContaining("adopt: ['aws_dynamodb_table.enclaves-table', 'aws_dynamodb_table.state-table']"),
      });
    });
  });
});
