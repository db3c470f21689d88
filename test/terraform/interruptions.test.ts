/** Runs that end in the middle: signals, kills, locks that stay, states that are lost. Real Terraform, AWS emulated. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { awsClients } from '../../runner/src/aws/clients.ts';
import { takeInventory } from '../../runner/src/aws/inventory.ts';
import type { RunItem } from '../../src/enclave/items/run.ts';
import { resourceName, stateKey } from '../../src/enclave/names.ts';
import { parseSpec } from '../../src/enclave/spec/spec.ts';
import { ensurePlatform } from '../../src/local/platform.ts';
import { type Emulator, requireTools, startEmulator } from '../support/emulator.ts';
import { type Bench, type Started, startBench } from '../support/runner-bench.ts';
import { awsOn, isMissing } from '../support/terraform.ts';

const ID = 'interrupted';
const STATES = 'treza-dev-terraform-state';
const LOCK = `${stateKey(ID)}.tflock`;
const task = (name: string) => `arn:aws:ecs:us-west-2:000000000000:task/cluster/${name}`;

/** Resolves when the runner has printed this. */
function printed({ child }: Started, text: string): Promise<void> {
  let output = '';
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk: string) => {
      output += chunk;
      if (output.includes(text)) resolve();
    });
    child.once('close', () => reject(new Error(`the runner ended without: ${text}\n${output}`)));
  });
}

describe.skipIf(!requireTools('interrupted runs of real Terraform'))('a run', { timeout: 300_000 }, () => {
  let emulator: Emulator;
  let aws: ReturnType<typeof awsOn>;
  let bench: Bench;
  let environment: Record<string, string>;
  const folder = mkdtempSync(join(tmpdir(), 'enclave-interruptions-'));

  beforeAll(async () => {
    emulator = await startEmulator();
    aws = awsOn(emulator);
    bench = await startBench();
    const platform = { region: 'us-west-2', environment: 'dev', prefix: 'treza-dev', stateTable: 'state' };
    const facts = await ensurePlatform({ endpoint: emulator.url, ...platform });
    environment = {
      RUNNER_ENGINE: 'terraform',
      PLATFORM_FACTS: JSON.stringify(facts),
      AWS_ENDPOINT_URL: emulator.url,
      AWS_ENDPOINT_URL_ECS: bench.url,
      TF_CLI_CONFIG_FILE: emulator.env.TF_CLI_CONFIG_FILE ?? '',
      TMPDIR: folder,
    };
  });
  afterAll(async () => {
    await bench?.close();
    await emulator?.stop();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  const parsed = parseSpec(
    {
      id: ID,
      walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7',
      providerConfig: { dockerImage: 'nginx:1.27', cpuCount: 2, memoryMiB: 1_024, instanceType: 'm6i.xlarge' },
    },
    { regions: [], defaultRegion: 'us-west-2', environment: 'dev' },
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const variables: RunItem['variables'] = {
    region: 'us-west-2',
    environment: 'dev',
    stateKey: stateKey(ID),
    stackVersion: 1,
    walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7',
    generation: 1,
    spec: { ...parsed.spec },
    pinned: {},
  };

  async function start(
    name: string,
    run: Partial<Pick<RunItem, 'reason' | 'variables' | 'action'>> = {},
  ): Promise<Started> {
    const { action = 'deploy' } = run;
    await bench.prepare({ id: ID, name, action, variables, ...run });
    bench.tasks.set(task(name), 'RUNNING');
    return bench.start(ID, name, action, environment, task(name));
  }
  const outcome = async (name: string) => (await bench.item(ID, name)).outcome;
  const hosts = (): { readonly InstanceId: string }[] =>
    aws('ec2', 'describe-instances').Reservations.flatMap((each: { Instances: object[] }) => each.Instances);
  const living = () =>
    aws('ec2', 'describe-instances', '--filters', 'Name=instance-state-name,Values=pending,running')
      .Reservations.flatMap((each: { Instances: { InstanceId: string }[] }) => each.Instances)
      .map(({ InstanceId }: { InstanceId: string }) => InstanceId);
  const groups = (): object[] => {
    const found = aws('ec2', 'describe-security-groups', '--filters', `Name=tag:EnclaveId,Values=${ID}`);
    return found.SecurityGroups;
  };
  const object = (...operation: readonly string[]) => {
    const [name = '', key = '', ...rest] = operation;
    return aws('s3api', name, '--bucket', STATES, '--key', key, ...rest);
  };
  const lockId = (): string => aws('s3', 'cp', `s3://${STATES}/${LOCK}`, '-').ID;
  const addresses = (): string[] => {
    const state = aws('s3', 'cp', `s3://${STATES}/${stateKey(ID)}`, '-');
    return state.resources.map((each: { type: string; name: string }) => `${each.type}.${each.name}`);
  };

  it('that is asked to stop in the middle saves the state and gives the lock back', async () => {
    const started = await start('e-1');
    await printed(started, 'aws_iam_role.enclave_instance_role: Creation complete');
    started.child.kill('SIGTERM');
    const { code, signal, output } = await started.ended;
    expect({ code, signal }, output).toEqual({ code: 1, signal: null });
    expect(await outcome('e-1')).toMatchObject({ result: 'cancelled', class: 'cancelled', by: 'runner' });
    expect(output.match(/asking terraform to stop/g)).toHaveLength(1);
    expect(addresses()).toContain('aws_iam_role.enclave_instance_role');
    expect(addresses()).not.toContain('aws_instance.enclave_instance');
    expect(isMissing(() => object('head-object', LOCK))).toBe(true);
    bench.tasks.set(task('e-1'), 'STOPPED');
  });

  it('that is killed in the middle leaves its lock, which stays while its task may live', async () => {
    const killed = await start('e-2');
    await printed(killed, 'aws_instance.enclave_instance: Still creating');
    process.kill(-(killed.child.pid ?? 0), 'SIGKILL');
    expect((await killed.ended).signal).toBe('SIGKILL');
    expect(hosts()).toHaveLength(1);
    expect(addresses()).not.toContain('aws_instance.enclave_instance');
    const id = lockId();
    expect((await bench.item(ID, 'e-2')).host).toBe(hostname());

    const next = await start('e-3');
    expect((await next.ended).code).toBe(1);
    expect(await outcome('e-3')).toMatchObject({ result: 'failed', class: 'locked' });
    expect((await outcome('e-3'))?.message).toContain('e-2, which is not proven dead');
    expect(lockId()).toBe(id);

    // A task ECS does not know is not dead before its last moment has passed.
    bench.tasks.delete(task('e-2'));
    expect((await (await start('e-4')).ended).code).toBe(1);
    expect(lockId()).toBe(id);
  });

  it('breaks the lock of a run that is proven dead, and takes over what it has made', async () => {
    bench.tasks.set(task('e-2'), 'STOPPED');
    const { code, output } = await (await start('e-5')).ended;
    expect(code, output).toBe(0);
    expect(output).toContain('run e-2 holds it and is dead');
    expect(output).toContain('aws_instance.enclave_instance already exists: importing it');
    const [host, ...more] = hosts();
    expect(more).toEqual([]);
    expect(await outcome('e-5')).toMatchObject({ result: 'succeeded', instanceId: host?.InstanceId });
    expect(groups()).toHaveLength(1);
    expect(isMissing(() => object('head-object', LOCK))).toBe(true);
  });

  it('leaves a lock alone that no run of the enclave has made', async () => {
    const foreign = { ID: '11111111-2222-3333-4444-555555555555', Operation: 'OperationTypeApply', Info: '' };
    const body = JSON.stringify({
      ...foreign,
      Who: 'someone@laptop',
      Version: '1.11.4',
      Created: new Date().toISOString(),
    });
    const file = join(folder, 'lock.json');
    writeFileSync(file, body);
    object('put-object', LOCK, '--body', file);
    expect((await (await start('e-6')).ended).code).toBe(1);
    expect(await outcome('e-6')).toMatchObject({ result: 'failed', class: 'locked' });
    expect((await outcome('e-6'))?.message).toContain("by none of this enclave's runs");
    expect(lockId()).toBe(foreign.ID);
    object('delete-object', LOCK);
  });

  it('takes up a state that an earlier one had to park', async () => {
    const parked = ['--bucket', 'treza-dev-plans', '--key', `plans/${ID}/parked.tfstate`];
    aws('s3api', 'copy-object', ...parked, '--copy-source', `${STATES}/${stateKey(ID)}`);
    object('delete-object', stateKey(ID));
    const { code, output } = await (await start('e-7')).ended;
    expect(code, output).toBe(0);
    expect(output).toContain('resuming from a parked state');
    expect(output).toContain('nothing to change');
    expect(isMissing(() => aws('s3api', 'head-object', ...parked))).toBe(true);
    expect(addresses()).toContain('aws_instance.enclave_instance');
  });

  it('adopts everything when the state is lost, and makes nothing twice', async () => {
    const before = { hosts: hosts(), groups: groups() };
    object('delete-object', stateKey(ID));
    const { code, output } = await (await start('e-8')).ended;
    expect(code, output).toBe(0);
    expect((await bench.item(ID, 'e-8')).plan).toMatchObject({ replace: 0, delete: 0 });
    expect(hosts()).toMatchObject(before.hosts.map(({ InstanceId }) => ({ InstanceId })));
    expect(hosts()).toHaveLength(1);
    expect(groups()).toMatchObject(before.groups);
    expect(addresses()).toContain('aws_instance.enclave_instance');
  });

  it('makes the new host that a change asks for, and at another try of it no third', async () => {
    const [old] = hosts();
    const change = { ...variables, generation: 2, change: 'replace', pinned: { instanceId: old?.InstanceId } };
    const { code, output } = await (await start('e-9', { reason: 'update', variables: change })).ended;
    expect(code, output).toBe(0);
    expect((await bench.item(ID, 'e-9')).plan).toMatchObject({ create: 0, replace: 1, delete: 0 });
    const made = (await outcome('e-9'))?.instanceId;
    expect(made).not.toBe(old?.InstanceId);
    expect(living()).toEqual([made]);

    const again = await (await start('e-10', { reason: 'update', variables: change })).ended;
    expect(again.output).toContain('nothing to change');
    expect(living()).toEqual([made]);
  });

  it('destroys what its state lists, except what carries the tag of another enclave, and takes none of it over', async () => {
    const role = ['--role-name', resourceName('instance-role', ID)];
    aws('iam', 'tag-role', ...role, '--tags', 'Key=EnclaveId,Value=another');
    const policies = () => aws('iam', 'list-role-policies', ...role).PolicyNames;
    const before = policies();
    const { code, output } = await (await start('e-11', { action: 'destroy' })).ended;
    expect(code, output).toBe(0);
    expect(await outcome('e-11')).toMatchObject({ result: 'succeeded', remaining: [] });
    expect([living(), groups()]).toEqual([[], []]);
    expect(policies()).toEqual(before);

    // Neither a later destroy nor a later deploy takes over what is left.
    for (const name of ['AWS_ENDPOINT_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
      vi.stubEnv(name, { ...emulator.env, AWS_ENDPOINT_URL: emulator.url }[name]);
    }
    const found = await takeInventory({
      clients: awsClients('us-west-2', { pathStyle: true }),
      enclaveId: ID,
      variables,
      facts: JSON.parse(environment.PLATFORM_FACTS ?? ''),
    });
    expect(found.map(({ type, foreign }) => [type, foreign])).toEqual([
      ['aws_iam_role', true],
      ['aws_iam_role_policy', true],
      ['aws_iam_role_policy', true],
    ]);
  });
});
