/**
 * Record to host and back with real Terraform: operator, workflows and runner as processes, AWS emulated. The runner is
 * as its image has it: its staged layer, Terraform held by the shipped lock file. Where no such image runs it is that of
 * the sources, and the output says so.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stageLayer } from '../../scripts/image-layers.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Planned } from '../../src/enclave/items/plan.ts';
import type { Report } from '../../src/enclave/items/report.ts';
import { stateKey } from '../../src/enclave/names.ts';
import { type App, type Item, startApp } from '../support/app.ts';
import { cli } from '../support/cli.ts';
import { eventually, printLogsOnFailure } from '../support/embedded.ts';
import { type Emulator, requireTools, startEmulator } from '../support/emulator.ts';
import { awsOn, isMissing } from '../support/terraform.ts';

const ID = 'enc_1755986905612_e2e';
const STATES = 'treza-dev-terraform-state';
const CONFIGURATIONS = 'treza-dev-configuration';
const ROLE = `treza-enclave-instance-role-${ID}`;
const PATIENCE_MS = 180_000;
/** Between two questions by the AWS CLI: each costs the second of a processor that Terraform is waiting for. */
const ASK_EVERY_MS = 3_000;
const providerConfig = { dockerImage: 'nginx:1.27', cpuCount: '2', memoryMiB: '1024', instanceType: 'm6i.2xlarge' };

/** The image is of one platform; elsewhere its layer, and with it the lock file, stay untested. */
const HAS_IMAGE = process.platform === 'linux' && process.arch === 'x64';
if (!HAS_IMAGE) {
  const here = `${process.platform} ${process.arch}`;
  console.warn(
    `skipped: the runner as its image has it, since the image is linux x64 and this is ${here}; its sources run`,
  );
}

/** The runner of the image, staged in `layer`; where no such image runs, that of the sources. */
async function runnerIn(layer: string, { env: { TF_CLI_CONFIG_FILE = '' } }: Emulator): Promise<object> {
  if (!HAS_IMAGE) return { taskEnvironment: { TF_CLI_CONFIG_FILE } };
  await stageLayer('runner', layer);
  const TERRAFORM_LOCK_FILE = join(layer, 'runner/terraform/.terraform.lock.hcl');
  return { taskProgram: join(layer, 'dist/main.js'), taskEnvironment: { TF_CLI_CONFIG_FILE, TERRAFORM_LOCK_FILE } };
}

describe.skipIf(!requireTools('end to end with real Terraform'))('with real Terraform', { timeout: 400_000 }, () => {
  let layer: string;
  let emulator: Emulator;
  let aws: ReturnType<typeof awsOn>;
  let app: App;
  beforeAll(async () => {
    layer = mkdtempSync(join(tmpdir(), 'enclave-image-runner-'));
    emulator = await startEmulator();
    aws = awsOn(emulator);
    app = await startApp({
      awsEndpoint: emulator.url,
      aws: await runnerIn(layer, emulator),
      // Hosts of an emulator report nothing by themselves, and these tests take their time over it.
      operatorEnv: { ENCLAVE_OPERATOR_VERIFY_DEADLINE_MS: '600000' },
    });
  });
  afterAll(async () => {
    await app?.embedded.stop();
    await emulator?.stop();
    rmSync(layer, { recursive: true, force: true });
  });
  beforeEach(() => printLogsOnFailure(app.embedded));

  /** What the agent on the host would write once the generation is in force. */
  async function report(
    instanceId: string,
    appliedGeneration: number,
    cpuCount: number,
    bootId = 'boot-1',
  ): Promise<void> {
    const item: Report = {
      v: 1,
      minReader: 1,
      id: ID,
      instanceId,
      bootId,
      sequence: appliedGeneration,
      appliedGeneration,
      at: new Date().toISOString(),
      enclaves: [{ name: ID, state: 'RUNNING', cpuCount, memoryMiB: 1_024, debug: false }],
      health: 'passing',
      completed: false,
      measurements: {},
    };
    const Item = marshall({ ...keys.report(ID, instanceId), ...item }, { removeUndefinedValues: true });
    await app.dynamodb.send(new PutItemCommand({ TableName: app.embedded.endpoints.stateTable, Item }));
  }
  const phase = (name: string, generation: number) => (item: Item) =>
    item.operator?.phase === name && item.operator.observedGeneration === generation;
  const hosts = () =>
    aws('ec2', 'describe-instances', '--filters', `Name=tag:EnclaveId,Values=${ID}`).Reservations.flatMap(
      (each: { Instances: object[] }) => each.Instances,
    );
  const configuration = () => aws('s3', 'cp', `s3://${CONFIGURATIONS}/enclaves/${ID}/configuration.json`, '-');

  it('makes a record a host, and a host that reports DEPLOYED', async () => {
    await app.post(ID, { providerConfig });
    const item = await app.untilItem(ID, 'verifying', phase('verifying', 1), PATIENCE_MS);
    expect(item.status).toBe('DEPLOYING');
    const [host, ...more] = hosts();
    expect(more).toEqual([]);
    expect(host).toMatchObject({
      InstanceId: item.instance_id,
      State: { Name: 'running' },
      InstanceType: 'm6i.2xlarge',
      EnclaveOptions: { Enabled: true },
      MetadataOptions: { HttpTokens: 'required' },
    });
    await report(host.InstanceId, 1, 2);
    await app.until(ID, 'DEPLOYED');
  });

  /** `enclavectl plan`: a full plan by a task of the operator's. */
  async function plan(): Promise<{ readonly code: number; readonly planned: Planned }> {
    const { code, out, err } = await cli(['plan', ID, '-o', 'json', '--timeout', '180'], { env: app.embedded.env });
    expect(out, err).not.toBe('');
    return { code, planned: JSON.parse(out) };
  }

  it('finds nothing to change in a second plan', async () => {
    const { code, planned } = await plan();
    expect(planned).toMatchObject({ verdict: 'Match', generation: 1 });
    expect(code).toBe(0);
    const key = `plans/${ID}/${planned.run}/plan.json`;
    const full = aws('s3api', 'get-object', '--bucket', 'treza-dev-plans', '--key', key, '/dev/null');
    expect(full.ContentLength).toBeGreaterThan(1_000);
  });

  it('changes cpuCount on the host that is there, as its plan was approved', async () => {
    const [before] = hosts();
    const policy = { drift: { approval: 'manual' } };
    await app.put(ID, { providerConfig: { ...providerConfig, cpuCount: '4' }, policy });
    await app.untilItem(ID, 'waiting', (item) => item.operator?.message.includes('awaits approval') === true);
    const { planned } = await plan();
    expect(planned.differences).toEqual([
      { address: 'aws_instance.enclave_instance', attributes: ['tags'] },
      { address: 'aws_s3_object.enclave_configuration', attributes: ['content'] },
    ]);
    expect(configuration()).toMatchObject({ generation: 1 });
    const named = ['--generation', '2', '--digest', planned.digest ?? ''];
    const approved = await cli(['approve', ID, ...named], { env: app.embedded.env });
    expect(approved.code, approved.err).toBe(0);
    await app.untilItem(ID, 'the new generation is applied', phase('verifying', 2), PATIENCE_MS);
    const [after, ...more] = hosts();
    expect(more).toEqual([]);
    expect(after.InstanceId).toBe(before.InstanceId);
    expect(after.LaunchTime).toBe(before.LaunchTime);
    expect(configuration()).toMatchObject({ enclaveId: ID, generation: 2, spec: { cpuCount: 4 } });
    await report(after.InstanceId, 2, 4);
    await app.untilItem(ID, 'ready again', phase('ready', 2));
    await app.put(ID, { policy: {} });
  });

  const ownGroup = () =>
    aws('ec2', 'describe-security-groups', '--filters', `Name=tag:EnclaveId,Values=${ID}`).SecurityGroups[0];
  const inlinePolicies = () => aws('iam', 'list-role-policies', '--role-name', ROLE).PolicyNames;
  const host = () => hosts().find(({ State }: { State: { Name: string } }) => State.Name !== 'terminated');
  const tagsOf = ({ Tags }: { Tags: readonly { Key: string }[] }) => Tags.map(({ Key }) => Key);
  const inSync = (item: Item) => app.condition(item, 'InSync') === 'True' && item.operator?.phase === 'ready';

  it('finds by a full plan what no sweep shows, and puts it back', async () => {
    const rules = ownGroup().IpPermissions;
    const policies = inlinePolicies();
    const everything = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }],
    });
    const ssh = ['--protocol', 'tcp', '--port', '22', '--cidr', '0.0.0.0/0'];
    aws('ec2', 'authorize-security-group-ingress', '--group-id', ownGroup().GroupId, ...ssh);
    aws('iam', 'put-role-policy', '--role-name', ROLE, '--policy-name', 'by-hand', '--policy-document', everything);
    const { code, planned } = await plan();
    expect(planned).toMatchObject({ verdict: 'Drift', generation: 2 });
    expect(code).toBe(1);
    expect(planned.differences).toEqual(
      expect.arrayContaining([
        { address: 'aws_security_group.enclave_sg', attributes: ['ingress'] },
        { address: 'aws_iam_role_policies_exclusive.enclave_policies', attributes: ['policy_names'] },
      ]),
    );
    await eventually(
      'the policy is taken away',
      async () => !inlinePolicies().includes('by-hand'),
      PATIENCE_MS,
      ASK_EVERY_MS,
    );
    const item = await app.untilItem(ID, 'in sync', inSync, PATIENCE_MS);
    expect(item.status).toBe('DEPLOYED');
    expect(inlinePolicies()).toEqual(policies);
    expect(ownGroup().IpPermissions).toEqual(rules);
    const { out } = await cli(['events', ID], { env: app.embedded.env });
    expect(out).toContain('SecurityFinding');
  });

  it('puts back what every sweep shows: metadata options, and a tag', async () => {
    const before = host();
    const id = ['--instance-id', before.InstanceId];
    aws(
      'ec2',
      'modify-instance-metadata-options',
      ...id,
      '--http-tokens',
      'optional',
      '--http-put-response-hop-limit',
      '3',
    );
    aws('ec2', 'delete-tags', '--resources', before.InstanceId, '--tags', 'Key=ManagedBy');
    const item = await app.untilItem(ID, 'found', (each) => app.condition(each, 'InSync') === 'False');
    expect(item.status).toBe('DEPLOYED');
    await app.untilItem(ID, 'in sync', inSync, PATIENCE_MS);
    const after = host();
    expect(after.InstanceId).toBe(before.InstanceId);
    expect(after.MetadataOptions).toMatchObject({ HttpTokens: 'required', HttpPutResponseHopLimit: 1 });
    expect(tagsOf(after)).toContain('ManagedBy');
  });

  it('only tells what the policy says is to be told', async () => {
    await app.put(ID, { policy: { drift: { overrides: { tags: 'alert' } } } });
    const { InstanceId } = host();
    const runs = (await app.executions(ID)).length;
    aws('ec2', 'delete-tags', '--resources', InstanceId, '--tags', 'Key=ManagedBy');
    const told = await app.untilItem(ID, 'told', (each) => app.condition(each, 'InSync') === 'False');
    expect(told.operator?.conditions).toContainEqual(
      expect.objectContaining({ type: 'InSync', message: 'tags: told, and not repaired' }),
    );
    aws('ec2', 'create-tags', '--resources', InstanceId, '--tags', 'Key=ManagedBy,Value=terraform');
    await app.untilItem(ID, 'in sync', inSync);
    expect(await app.executions(ID)).toHaveLength(runs);
  });

  it('starts a host that somebody stopped', async () => {
    const { InstanceId } = host();
    aws('ec2', 'stop-instances', '--instance-ids', InstanceId);
    await eventually('it runs', async () => host()?.State.Name === 'running', PATIENCE_MS, ASK_EVERY_MS);
    expect(host().InstanceId).toBe(InstanceId);
    await report(InstanceId, 2, 4, 'boot-2');
    await app.untilItem(ID, 'in sync', inSync, PATIENCE_MS);
  });

  it('makes a host anew that somebody terminated, while the record stays DEPLOYED', async () => {
    const { InstanceId } = host();
    aws('ec2', 'terminate-instances', '--instance-ids', InstanceId);
    await eventually('there is another', async () => host() !== undefined, PATIENCE_MS, ASK_EVERY_MS);
    expect(host().InstanceId).not.toBe(InstanceId);
    expect(await app.status(ID)).toBe('DEPLOYED');
    await report(host().InstanceId, 2, 4, 'boot-3');
    const item = await app.untilItem(ID, 'in sync', inSync, PATIENCE_MS);
    expect(item.instance_id).toBe(host().InstanceId);
  });

  it('leaves nothing of a destroyed enclave, and no lock', async () => {
    await app.patch(ID, 'PENDING_DESTROY');
    await app.until(ID, 'DESTROYED', PATIENCE_MS);
    expect(host()).toBeUndefined();
    const groups = aws('ec2', 'describe-security-groups', '--filters', `Name=group-name,Values=*${ID}*`);
    expect(groups.SecurityGroups).toEqual([]);
    expect(isMissing(() => aws('iam', 'get-role', '--role-name', ROLE))).toBe(true);
    const profile = `treza-enclave-instance-profile-${ID}`;
    expect(isMissing(() => aws('iam', 'get-instance-profile', '--instance-profile-name', profile))).toBe(true);
    const logs = aws('logs', 'describe-log-groups', '--log-group-name-prefix', `/aws/ec2/enclave/${ID}`);
    expect(logs.logGroups).toEqual([]);
    expect(
      aws('kms', 'list-aliases').Aliases.filter((each: { AliasName: string }) => each.AliasName.includes(ID)),
    ).toEqual([]);
    for (const [bucket, key] of [
      [CONFIGURATIONS, `enclaves/${ID}/configuration.json`],
      [STATES, stateKey(ID)],
      [STATES, `${stateKey(ID)}.tflock`],
    ] as const) {
      expect(
        isMissing(() => aws('s3api', 'head-object', '--bucket', bucket, '--key', key)),
        key,
      ).toBe(true);
    }
    const tagged = aws('resourcegroupstaggingapi', 'get-resources', '--tag-filters', `Key=EnclaveId,Values=${ID}`);
    expect(
      tagged.ResourceTagMappingList.map((each: { ResourceARN: string }) => each.ResourceARN).filter(
        (arn: string) => !arn.includes(':instance/') && !arn.includes(':volume/'),
      ),
    ).toEqual([]);
  });
});
