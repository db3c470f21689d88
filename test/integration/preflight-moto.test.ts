/** `enclavectl preflight` as a program, before an emulated account that is taken over step by step. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateClusterCommand, ECSClient } from '@aws-sdk/client-ecs';
import { DisableRuleCommand, EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import { CreateRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import {
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  LambdaClient,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { omit } from '../../src/enclave/omit.ts';
import { EMULATED_ACCOUNT, EMULATED_REGION, type Emulator, startEmulator, toolsMissing } from '../support/emulator.ts';

const BUCKET = 'treza-dev-terraform-state';
const PROGRAM = fileURLToPath(new URL('../../bin/enclavectl.js', import.meta.url));
const missing = toolsMissing().filter((sentence) => sentence.startsWith('moto_server'));
if (missing.length > 0) {
  const text = `preflight before an emulated account: ${missing.join(' ')}`;
  if (process.env.CI) throw new Error(text);
  console.warn(`skipped: ${text}`);
}

/** The smallest archive there is: an end of a directory that lists nothing. */
const EMPTY_ZIP = Buffer.from(`504b0506${'00'.repeat(18)}`, 'hex');

describe.skipIf(missing.length > 0)('preflight', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'enclavectl-preflight-'));
  let emulator: Emulator;
  let clients: ReturnType<typeof clientsOn>;

  function clientsOn(endpoint: string) {
    const options = { endpoint, region: EMULATED_REGION, credentials: { accessKeyId: 'a', secretAccessKey: 'b' } };
    return {
      dynamodb: new DynamoDBClient(options),
      ecs: new ECSClient(options),
      events: new EventBridgeClient(options),
      iam: new IAMClient(options),
      lambda: new LambdaClient(options),
      s3: new S3Client({ ...options, forcePathStyle: true }),
      sfn: new SFNClient(options),
    };
  }

  beforeAll(async () => {
    emulator = await startEmulator();
    clients = clientsOn(emulator.url);
    writeFileSync(join(folder, 'operator.yaml'), `accountId: '${EMULATED_ACCOUNT}'\nstateBucket: ${BUCKET}\n`);
  });
  afterAll(async () => {
    for (const client of Object.values(clients ?? {})) client.destroy();
    await emulator?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The SDK for JavaScript does not look at keys where a profile is named. */
  function environment(): Record<string, string | undefined> {
    const env = omit(emulator.env, 'AWS_PROFILE');
    return { PATH: process.env.PATH, ...env };
  }

  function preflight() {
    const argv = ['preflight', '--config', join(folder, 'operator.yaml'), '-o', 'json'];
    const env = environment();
    const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...argv], { env, encoding: 'utf8' });
    const findings = stdout === '' ? [] : (JSON.parse(stdout) as { verdict: string; what: string }[]);
    const of = (verdict: string) => findings.filter((each) => each.verdict === verdict).map(({ what }) => what);
    return { status, stderr, failed: of('fail'), passed: of('pass'), unsure: of('unsure') };
  }

  async function table(name: string, ...keys: string[]): Promise<string> {
    const { TableDescription } = await clients.dynamodb.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
        KeySchema: keys.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
        StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
      }),
    );
    return TableDescription?.LatestStreamArn ?? '';
  }

  async function role(name: string): Promise<string> {
    const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: [] });
    const { Role } = await clients.iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument }));
    return Role?.Arn ?? '';
  }

  it('fails an account that has nothing, and names each thing', () => {
    const { status, stderr, failed, unsure } = preflight();
    expect(status, stderr).toBe(1);
    expect(failed).toEqual(
      expect.arrayContaining([
        'table treza-enclaves-dev does not exist',
        'table treza-dev-operator-state does not exist',
        'state machine treza-dev-deployment does not exist',
        'cluster treza-dev-infrastructure does not exist',
        `bucket ${BUCKET} of Terraform states does not exist in ${EMULATED_REGION}`,
      ]),
    );
    expect(unsure).toContain('state machine treza-dev-drift does not exist');
  });

  it('fails while the old pipeline is on, and passes once it is off', async () => {
    const streamArn = await table('treza-enclaves-dev', 'id');
    for (const name of ['treza-dev-operator-state', 'treza-dev-operator-history']) await table(name, 'pk', 'sk');
    await clients.ecs.send(new CreateClusterCommand({ clusterName: 'treza-dev-infrastructure' }));
    const roleArn = await role('any');
    const definition = JSON.stringify({ StartAt: 'End', States: { End: { Type: 'Succeed' } } });
    await clients.s3.send(
      new CreateBucketCommand({
        Bucket: BUCKET,
        CreateBucketConfiguration: { LocationConstraint: EMULATED_REGION },
      }),
    );
    for (const name of ['treza-dev-deployment', 'treza-dev-cleanup', 'treza-dev-drift']) {
      await clients.sfn.send(new CreateStateMachineCommand({ name, roleArn, definition }));
    }
    const code = { Runtime: 'python3.9' as const, Handler: 'index.handler', Code: { ZipFile: EMPTY_ZIP } };
    for (const FunctionName of ['treza-dev-enclave-trigger', 'treza-dev-status-monitor']) {
      await clients.lambda.send(new CreateFunctionCommand({ FunctionName, Role: roleArn, ...code }));
    }
    const { UUID } = await clients.lambda.send(
      new CreateEventSourceMappingCommand({
        EventSourceArn: streamArn,
        FunctionName: 'treza-dev-enclave-trigger',
        StartingPosition: 'LATEST',
      }),
    );
    const Rule = 'every-two-minutes';
    await clients.events.send(new PutRuleCommand({ Name: Rule, ScheduleExpression: 'rate(2 minutes)' }));
    const Arn = `arn:aws:lambda:${EMULATED_REGION}:${EMULATED_ACCOUNT}:function:treza-dev-status-monitor`;
    await clients.events.send(new PutTargetsCommand({ Rule, Targets: [{ Id: 'monitor', Arn }] }));

    const on = preflight();
    expect(on.status, on.stderr).toBe(1);
    expect(on.failed).toEqual([
      'treza-dev-enclave-trigger still starts runs from the stream',
      'every-two-minutes still calls treza-dev-status-monitor, which writes statuses',
    ]);

    await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }));
    await clients.events.send(new DisableRuleCommand({ Name: Rule }));
    const off = preflight();
    expect(off.failed).toEqual([]);
    expect(off.status, off.stderr).toBe(0);
    expect(off.passed).toEqual(
      expect.arrayContaining([
        'state machine treza-dev-drift exists',
        `bucket ${BUCKET} of Terraform states can be listed`,
        ...[
          'dynamodb:UpdateItem on the enclaves table',
          'ec2:DescribeInstanceStatus',
          'ec2:DescribeSecurityGroups',
          'ec2:DescribeVolumes',
          'ecs:StopTask',
          'iam:GetAccountAuthorizationDetails',
          'logs:DescribeLogGroups',
          'ssm:DescribeInstanceInformation',
          'states:DescribeExecution',
          'states:GetExecutionHistory',
          'states:StopExecution',
        ].map((call) => `${call} is allowed`),
      ]),
    );
    // No host exists yet, whose tags the first two ask for, and no key; the last ones begin something whenever they are called.
    expect(off.unsure).toEqual(
      [
        'ec2:StartInstances',
        'ec2:StopInstances',
        'kms:DescribeKey',
        'kms:GetKeyPolicy',
        'kms:ListGrants',
        'states:StartExecution',
        'ssm:SendCommand',
      ].map((call) => `${call} could not be tried`),
    );
  });

  it('ends with 3 where the account does not answer', () => {
    const env = { ...environment(), AWS_ENDPOINT_URL: 'http://127.0.0.1:9' };
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'preflight'], { env, encoding: 'utf8' });
    expect(status, stderr).toBe(3);
    expect(stderr).toContain('cannot be asked');
  });
});
