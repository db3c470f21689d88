/** `enclavectl drift` in an emulated account: what the operator has stored, and what it answers by an inspection. */
import { CloudWatchLogsClient, CreateLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toItem } from '../../src/aws/dynamodb/marshal.ts';
import { createAwsPorts } from '../../src/aws/index.ts';
import { type GroupRule, namesDigest, policiesDigest, policyDigest, rulesDigest } from '../../src/enclave/digests.ts';
import type { DriftRow } from '../../src/enclave/items/drift-answer.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { logGroupName, resourceName } from '../../src/enclave/names.ts';
import { createTables } from '../../src/local/tables.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';
import { DriftAnswers } from '../../src/reconciler/reconcile/drift-answers.ts';
import { cli } from '../support/cli.ts';
import { aLifecycle } from '../support/conformance-harness.ts';
import { EMULATED_ACCOUNT, EMULATED_REGION, type Emulator, startEmulator, toolsMissing } from '../support/emulator.ts';
import { memoryLog } from '../support/memory-world.ts';
import { record, specOf } from '../unit/enclave/spec/spec-records.ts';

const missing = toolsMissing().filter((sentence) => sentence.startsWith('moto_server'));
if (missing.length > 0) {
  const text = `enclavectl drift in an emulated account: ${missing.join(' ')}`;
  if (process.env.CI) throw new Error(text);
  console.warn(`skipped: ${text}`);
}

const ID = 'enc_1';
const TAKEN = 'enc_taken';
const stateTable = 'treza-test-operator-state';
const enclavesTable = 'treza-enclaves-test';
const historyTable = 'treza-test-operator-history';
const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['sts:AssumeRole'], Principal: { Service: 'ec2.amazonaws.com' } }],
});
const INLINE = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['logs:PutLogEvents'], Resource: ['*'] }],
});
const TAGS = [
  { Key: 'EnclaveId', Value: ID },
  { Key: 'Environment', Value: 'test' },
];
const rule = (peer: string): GroupRule => ({ direction: 'ingress', protocol: 'tcp', fromPort: 443, toPort: 443, peer });
const WAY_OUT: GroupRule = { direction: 'egress', protocol: '-1', fromPort: 0, toPort: 0, peer: '0.0.0.0/0' };

/** What the operator tracks beside findings, and the severity and repair of the row it is about. */
const TRACKED = [
  ['host:gone', 'critical', 'apply'],
  ['host:running', 'medium', 'stopHost'],
  ['enclave:EnclaveNotRunning', 'critical', 'restartEnclave'],
  ['enclave:EnclaveTerminating', 'high', 'restartHost'],
  ['enclave:ExtraEnclaves', 'medium', 'restartEnclave'],
  ['enclave:EnclaveSize', 'high', 'restartEnclave'],
  ['enclave:AllocatorShort', 'high', 'restartAllocator'],
  ['enclave:MeasurementMismatch', 'critical', 'restartEnclave'],
  ['enclave:Unheard', 'critical', 'repair'],
] as const;

describe.skipIf(missing.length > 0)('enclavectl drift', { timeout: 60_000 }, () => {
  let emulator: Emulator;
  let dynamodb: DynamoDBClient;
  let ec2: EC2Client;
  let groupId = '';
  let instanceId = '';
  let stopOperator = async () => {};

  const taken = (changes: Partial<Lifecycle> = {}) =>
    ({
      ...aLifecycle(TAKEN),
      adopted: true,
      applied: { ...specOf(record({ region: EMULATED_REGION })) },
      pinned: { instanceId },
      ...changes,
    }) as Lifecycle;

  const put = (lifecycle: Lifecycle) =>
    dynamodb.send(
      new PutItemCommand({ TableName: stateTable, Item: toItem({ ...lifecycle, ...keys.lifecycle(lifecycle.id) }) }),
    );
  const run = (...argv: string[]) => cli(['drift', ...argv, '--endpoint', emulator.url, '--environment', 'test']);
  /** Takes requests as a reconcile does, and leaves the rest of an operator out. */
  const startOperator = () => {
    const tables = { enclavesTable, stateTable, historyTable };
    const place = { region: EMULATED_REGION, accountId: EMULATED_ACCOUNT, environment: 'test' };
    const config = ConfigSchema.parse({ ...place, ...tables });
    const ports = createAwsPorts({ config, log: memoryLog(), clock: systemClock, random: systemRandom });
    const answers = new DriftAnswers({ ports, config, epoch: () => 1 });
    const stopping = new AbortController();
    const loop = async () => {
      while (!stopping.signal.aborted) {
        for (const id of [ID, TAKEN]) {
          const requests = await ports.state.requests(id);
          await ports.state.dismiss(requests);
          answers.requested(id, requests);
        }
        await systemClock.sleep(100, stopping.signal);
      }
    };
    const running = loop();
    return async () => {
      stopping.abort();
      await running;
      await answers.stop();
      ports.close();
    };
  };
  const look = async (): Promise<Record<string, DriftRow>> => {
    const rows = JSON.parse((await run(ID, '-o', 'json')).out) as DriftRow[];
    return Object.fromEntries(rows.map((each) => [each.attribute, each]));
  };

  beforeAll(async () => {
    emulator = await startEmulator();
    Object.assign(process.env, { AWS_ENDPOINT_URL: emulator.url, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
    const options = { region: EMULATED_REGION };
    dynamodb = new DynamoDBClient(options);
    ec2 = new EC2Client(options);
    const [iam, logs] = [new IAMClient(options), new CloudWatchLogsClient(options)];
    await createTables(dynamodb, { enclavesTable, stateTable, historyTable });
    const TagSpecifications = [{ ResourceType: 'security-group' as const, Tags: TAGS }];
    const name = { GroupName: resourceName('sg', ID), Description: 'of a test', TagSpecifications };
    ({ GroupId: groupId = '' } = await ec2.send(new CreateSecurityGroupCommand(name)));
    await open('10.0.0.0/8');
    const { Instances = [] } = await ec2.send(
      new RunInstancesCommand({
        ImageId: 'ami-12c6146b',
        InstanceType: 'm6i.xlarge',
        MinCount: 1,
        MaxCount: 1,
        SecurityGroupIds: [groupId],
        TagSpecifications: [{ ResourceType: 'instance', Tags: TAGS }],
      }),
    );
    instanceId = Instances[0]?.InstanceId ?? '';
    const RoleName = resourceName('instance-role', ID);
    await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: POLICY, Tags: TAGS }));
    await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'enclave-host', PolicyDocument: INLINE }));
    await logs.send(new CreateLogGroupCommand({ logGroupName: logGroupName(ID) }));
    const lifecycle = {
      ...aLifecycle(ID),
      applied: { ...specOf(record({ region: EMULATED_REGION })) },
      pinned: { instanceId },
      made: {
        groupId,
        rules: rulesDigest([rule('10.0.0.0/8'), WAY_OUT]),
        trust: policyDigest(POLICY),
        attached: namesDigest([]),
        inline: policiesDigest({ 'enclave-host': INLINE }),
      },
      policy: {
        drift: {
          mode: 'repair',
          overrides: {},
          ignore: [{ path: 'tags', reason: 'trial', expires: '2999-01-01T00:00:00Z' }],
        },
      },
      findings: [
        { attribute: 'logs.group', severity: 'low', repair: 'apply', since: '2026-01-01T00:00:00.000Z' },
        { attribute: 'network.rules', severity: 'critical', repair: 'apply', since: '2026-01-02T00:00:00.000Z' },
      ],
    } as Lifecycle;
    await put(lifecycle);
    await put({ ...aLifecycle('enc_2'), desired: 'Absent', findings: lifecycle.findings } as Lifecycle);
    await put({
      ...aLifecycle('enc_3'),
      drift: { fingerprint: 'host:stopped', seen: 2, since: '2026-01-01T00:00:00.000Z', observedAt: 1 },
    } as Lifecycle);
    for (const [n, fingerprint] of TRACKED.map(([each]) => each).entries()) {
      const drift = { fingerprint, seen: 2, since: '2026-01-01T00:00:00.000Z', observedAt: 1 };
      await put({ ...aLifecycle(`enc_tracked_${n}`), drift } as Lifecycle);
    }
    const told = { drift: { mode: 'repair', overrides: { 'enclave.memory': 'alert', 'enclave.cpuCount': 'alert' } } };
    await put({
      ...aLifecycle('enc_told'),
      policy: told,
      drift: { fingerprint: 'enclave:EnclaveSize', seen: 2, since: '2026-01-01T00:00:00.000Z', observedAt: 1 },
    } as Lifecycle);
    for (const client of [iam, logs]) client.destroy();
    stopOperator = startOperator();
  }, 60_000);
  afterAll(async () => {
    await stopOperator();
    for (const client of [dynamodb, ec2]) client?.destroy();
    await emulator?.stop();
  });

  const open = (CidrIp: string) =>
    ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: groupId,
        IpPermissions: [{ IpProtocol: 'tcp', FromPort: 443, ToPort: 443, IpRanges: [{ CidrIp }] }],
      }),
    );

  it('lists what the operator has written down, worst known first by enclave, and says by its exit code whether there is any', async () => {
    const { code, out } = await run();
    expect(code).toBe(1);
    const rows = out
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s{2,}/).slice(0, 3))
      .filter(([id = '']) => /^enc_\d$/.test(id));
    expect(rows.sort()).toEqual([
      [ID, 'logs.group', 'low'],
      [ID, 'network.rules', 'critical'],
      ['enc_3', 'host.stopped', 'critical'],
    ]);
    const found = JSON.parse((await run('-o', 'json')).out);
    expect(found).toContainEqual({
      id: ID,
      attribute: 'logs.group',
      severity: 'low',
      repair: 'apply',
      since: '2026-01-01T00:00:00.000Z',
    });
  });

  it('lists the state of a host, and what an enclave reports, as grave as the row it is about', async () => {
    const found = JSON.parse((await run('-o', 'json')).out) as Record<string, string>[];
    const of = (id: string) => found.filter((each) => each.id === id);
    for (const [n, [fingerprint, severity, repair]] of TRACKED.entries()) {
      const attribute = fingerprint.replace(':', '.');
      expect(of(`enc_tracked_${n}`)).toEqual([expect.objectContaining({ attribute, severity, repair })]);
    }
    expect(of('enc_told')).toEqual([expect.objectContaining({ severity: 'high', repair: 'alert' })]);
  });

  it('compares one enclave: every attribute, with what is desired, what there is and when it was observed', async () => {
    const rows = await look();
    expect(rows['network.rules']).toMatchObject({ verdict: 'Match', repair: 'apply' });
    expect(rows['role.policies']).toMatchObject({ verdict: 'Match' });
    expect(rows['host.exists']).toMatchObject({ verdict: 'Match' });
    expect(rows['logs.group']).toMatchObject({
      verdict: 'Drift',
      observed: 'retentionDays=null',
      since: '2026-01-01T00:00:00.000Z',
    });
    expect(rows['host.terminationProtection']).toMatchObject({ verdict: 'Match', desired: 'false' });
    expect(rows.tags).toMatchObject({ verdict: 'Drift', repair: 'ignored until 2999-01-01T00:00:00Z: trial' });
    expect(rows['enclave.running']).toMatchObject({ verdict: 'Unknown', observed: null, observedAt: null });
    const agesMs = ['host.exists', 'host.userData', 'network.rules', 'role.policies', 'logs.group'].map(
      (attribute) => Date.now() - Date.parse(rows[attribute]?.observedAt ?? ''),
    );
    expect(agesMs.every((ageMs) => ageMs >= 0 && ageMs < 60_000)).toBe(true);
    await open('0.0.0.0/0');
    const { verdict, observed } = (await look())['network.rules'] ?? {};
    expect(verdict).toBe('Drift');
    expect(observed).toContain('ingress tcp 443-443 0.0.0.0/0');
  });

  it('shows it as a table, with exit code 1 where anything differs', async () => {
    const { code, out } = await run(ID);
    expect(code).toBe(1);
    expect(out).toMatch(/^ATTRIBUTE +VERDICT +SEVERITY +REPAIR +FOR +DESIRED +OBSERVED +OBSERVED AT\n/);
    expect(out).toMatch(/\nnetwork\.rules +Drift +critical +apply +\d+d /);
  });

  it('says what it could not see, and compares the rest', async () => {
    const before = process.env.AWS_ENDPOINT_URL_IAM;
    process.env.AWS_ENDPOINT_URL_IAM = 'http://127.0.0.1:1';
    await stopOperator();
    stopOperator = startOperator();
    const { code, out, err } = await run(ID, '-o', 'json');
    await stopOperator();
    if (before === undefined) delete process.env.AWS_ENDPOINT_URL_IAM;
    else process.env.AWS_ENDPOINT_URL_IAM = before;
    stopOperator = startOperator();
    expect(err).toContain('role: not seen (iam:GetRole: ');
    const rows = JSON.parse(out) as DriftRow[];
    expect(rows.find(({ attribute }) => attribute === 'role.policies')?.verdict).toBe('Unknown');
    expect(rows.find(({ attribute }) => attribute === 'network.rules')?.verdict).toBe('Drift');
    expect(code).toBe(1);
  });

  it('compares a host that was taken over and not prepared by its existence and state, and says so', async () => {
    await put(taken());
    const { code, out, err } = await run(TAKEN, '-o', 'json');
    expect((JSON.parse(out) as DriftRow[]).map(({ attribute, verdict }) => [attribute, verdict])).toEqual([
      ['host.exists', 'Match'],
      ['host.duplicate', 'Match'],
      ['host.running', 'Match'],
    ]);
    expect(code).toBe(0);
    expect(err).toContain(`\`enclavectl adopt ${TAKEN}\``);
  });

  it('shows what only the operator sees as it has noted it, and ends with 1 for that alone', async () => {
    const since = '2026-01-01T00:00:00.000Z';
    await put(taken({ findings: [{ attribute: 'terraform.state', severity: 'medium', repair: 'alert', since }] }));
    const { code, out } = await run(TAKEN);
    expect(out).toMatch(/\nterraform\.state +Drift +medium +alert +\d+d +\(noted by the operator\)/);
    expect(code).toBe(1);
    expect((await run(ID)).out).toMatch(/\norphans +Unknown .*\(see enclavectl orphans\)/);
  });

  it('knows nothing of an enclave that is not, and has nothing to compare of one that goes', async () => {
    expect(await run('enc_9')).toMatchObject({ code: 1, err: expect.stringContaining('nothing is known of enc_9') });
    expect(await run('enc_2')).toMatchObject({ code: 4 });
  });
});
