/** Hosts of the pipeline before this one: its own stack is applied, taken over, and applied again. AWS emulated. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunItem } from '../../src/enclave/items/run.ts';
import { stateKey } from '../../src/enclave/names.ts';
import { parseSpec } from '../../src/enclave/spec/spec.ts';
import { ensurePlatform } from '../../src/local/platform.ts';
import { EMULATED_REGION, type Emulator, requireTools, startEmulator } from '../support/emulator.ts';
import { type Bench, startBench } from '../support/runner-bench.ts';
import { awsOn, doings, isMissing, terraformIn } from '../support/terraform.ts';

const ID = 'enc_1700000000000_before';
const STATES = 'treza-dev-terraform-state';
const LOCKS = 'treza-dev-terraform-locks';
const FIXTURE = fileURLToPath(new URL('../fixtures/incumbent', import.meta.url));
/** As the old runner has it: the lock table alone. */
const BACKEND = ['bucket', STATES, 'key', stateKey(ID), 'region', EMULATED_REGION, 'dynamodb_table', LOCKS];
const NULL_PROVIDER = 'provider["registry.terraform.io/hashicorp/null"]';

interface StoredState {
  serial: number;
  resources: { mode: string; type: string; name: string; provider: string; instances: { attributes: unknown }[] }[];
}

describe.skipIf(!requireTools('adoption with real Terraform'))(
  'a host of the old pipeline',
  {
    timeout: 400_000,
  },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'enclave-adoption-'));
    const old = join(folder, 'old');
    let emulator: Emulator;
    let bench: Bench;
    let aws: ReturnType<typeof awsOn>;
    let environment: Record<string, string>;
    let host: string;

    beforeAll(async () => {
      emulator = await startEmulator();
      aws = awsOn(emulator);
      bench = await startBench();
      const platform = { region: EMULATED_REGION, environment: 'dev', prefix: 'treza-dev', stateTable: 'state' };
      const facts = await ensurePlatform({ endpoint: emulator.url, ...platform });
      aws(
        ...['dynamodb', 'create-table', '--table-name', LOCKS, '--billing-mode', 'PAY_PER_REQUEST'],
        ...['--attribute-definitions', 'AttributeName=LockID,AttributeType=S'],
        ...['--key-schema', 'AttributeName=LockID,KeyType=HASH'],
      );
      aws('ec2', 'create-key-pair', '--key-name', 'treza-debug-key');
      environment = {
        RUNNER_ENGINE: 'terraform',
        PLATFORM_FACTS: JSON.stringify({ ...facts, terraformState: { ...facts.terraformState, lockTable: LOCKS } }),
        AWS_ENDPOINT_URL: emulator.url,
        AWS_ENDPOINT_URL_ECS: bench.url,
        TF_CLI_CONFIG_FILE: emulator.env.TF_CLI_CONFIG_FILE ?? '',
        TMPDIR: folder,
      };
      cpSync(FIXTURE, old, { recursive: true });
      writeFileSync(join(old, 'backend.auto.tf.json'), JSON.stringify({ terraform: { backend: { s3: backend() } } }));
      const variables = {
        ...{ enclave_id: ID, environment: 'dev', aws_region: EMULATED_REGION, endpoint: emulator.url },
        ...{ instance_type: 'm5.xlarge', docker_image: 'nginx:1.27' },
      };
      writeFileSync(join(old, 'terraform.tfvars.json'), JSON.stringify(variables));
      const terraform = terraformIn(old, emulator);
      terraform.init();
      terraform.plan();
      terraform.apply();
      host = terraform.output().instance_id?.value ?? '';
      rename('terraform_data', 'null_resource', NULL_PROVIDER);
    }, 400_000);
    afterAll(async () => {
      await bench?.close();
      await emulator?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    function backend() {
      const pairs = BACKEND.flatMap((name, index) => (index % 2 === 0 ? [[name, BACKEND[index + 1]] as const] : []));
      const services = Object.fromEntries(['s3', 'dynamodb', 'sts', 'iam'].map((name) => [name, emulator.url]));
      return { ...Object.fromEntries(pairs), encrypt: true, endpoints: services, use_path_style: true };
    }

    const state = (): StoredState => aws('s3', 'cp', `s3://${STATES}/${stateKey(ID)}`, '-');
    const addresses = () => state().resources.map(({ type, name }) => `${type}.${name}`);
    const outcome = async (name: string) => (await bench.item(ID, name)).outcome;

    /**
     * The provider of `null_resource` is in no mirror a test can count on. `terraform_data` was applied in its place, and
     * becomes, in the stored state, what the old pipeline leaves: a resource whose provider cannot be had.
     */
    function rename(from: string, to: string, provider: string): void {
      const before = state();
      const resources = before.resources.map((each) =>
        each.type === from
          ? { ...each, type: to, provider, instances: [{ schema_version: 0, attributes: { id: '1', triggers: null } }] }
          : each,
      );
      const file = join(folder, 'state.json');
      writeFileSync(file, JSON.stringify({ ...before, serial: before.serial + 1, resources }));
      aws('s3api', 'put-object', '--bucket', STATES, '--key', stateKey(ID), '--body', file);
      // The table holds a digest of the state as Terraform last wrote it.
      const key = JSON.stringify({ LockID: { S: `${STATES}/${stateKey(ID)}-md5` } });
      aws('dynamodb', 'delete-item', '--table-name', LOCKS, '--key', key);
    }

    const parsed = parseSpec(
      {
        id: ID,
        walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7',
        providerConfig: { dockerImage: 'nginx:1.27', cpuCount: 2, memoryMiB: 1_024, instanceType: 'm5.xlarge' },
      },
      { regions: [], defaultRegion: EMULATED_REGION, environment: 'dev' },
    );
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
    const variables: RunItem['variables'] = {
      region: EMULATED_REGION,
      environment: 'dev',
      stateKey: stateKey(ID),
      stackVersion: 1,
      walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7',
      generation: 1,
      spec: { ...parsed.spec },
      pinned: {},
      change: 'none',
    };

    async function run(name: string, run: Partial<Pick<RunItem, 'reason' | 'variables' | 'action'>> = {}) {
      const action = run.action ?? 'deploy';
      await bench.prepare({ id: ID, name, action, variables: { ...variables, pinned: { instanceId: host } }, ...run });
      return bench.start(ID, name, action, environment).ended;
    }
    const hosts = () =>
      aws('ec2', 'describe-instances', '--filters', 'Name=instance-state-name,Values=pending,running')
        .Reservations.flatMap((each: { Instances: { InstanceId: string }[] }) => each.Instances)
        .map(({ InstanceId }: { InstanceId: string }) => InstanceId);

    it('was applied as the old pipeline does it, and its state names a provider that is not to be had', () => {
      expect(host).toMatch(/^i-/);
      expect(readFileSync(join(old, 'written'), 'utf8')).toBe('DEPLOYING\nDEPLOYED\n');
      expect(addresses()).toEqual(expect.arrayContaining(['null_resource.update_enclave_record']));
    });

    it('is taken over by an adopt run: the plan is empty, and what the state said is learned', async () => {
      const { code, output } = await run('e-1', { reason: 'adopt' });
      expect(code, output).toBe(0);
      expect((await bench.item(ID, 'e-1')).plan, output).toEqual({ create: 0, update: 0, replace: 0, delete: 0 });
      expect(await outcome('e-1')).toMatchObject({
        result: 'succeeded',
        instanceId: host,
        legacy: {
          tags: { Project: 'Treza', Environment: 'dev', ManagedBy: 'terraform', EnclaveId: ID },
          host: { instance_type: 'm5.xlarge', user_data_replace_on_change: true, tags: { Architecture: 'vsocket-v2' } },
          security_group: { ingress: [{ from_port: 22 }], egress: [{ protocol: '-1' }] },
          role: { path: '/' },
          log_group: { retention_in_days: 7 },
        },
      });
      expect(addresses().filter((address) => address.startsWith('null_resource'))).toEqual([]);
      expect(addresses()).toEqual(
        expect.arrayContaining(['aws_s3_bucket.enclave_scripts', 'aws_s3_object.parent_proxy']),
      );
    });

    it('stays as it is in any run that asks for no new host, by what was learned and by the state alone', async () => {
      const { legacy } = (await outcome('e-1')) ?? {};
      const pinned = { instanceId: host, ...(legacy === undefined ? {} : { legacy }) };
      for (const [name, known] of [
        ['e-2', pinned],
        ['e-3', { instanceId: host }],
      ] as const) {
        const { code, output } = await run(name, { reason: 'update', variables: { ...variables, pinned: known } });
        expect(code, output).toBe(0);
        expect(output).toContain('nothing to change');
        expect((await bench.item(ID, name)).plan).toEqual({ create: 0, update: 0, replace: 0, delete: 0 });
      }
      expect(hosts()).toEqual([host]);
    });

    it('is put back as its state says where somebody has opened it, in place', async () => {
      const [{ GroupId }] = aws(
        'ec2',
        'describe-security-groups',
        '--filters',
        `Name=tag:EnclaveId,Values=${ID}`,
      ).SecurityGroups;
      const open = ['--group-id', GroupId, '--protocol', 'tcp', '--port', '8080', '--cidr', '0.0.0.0/0'];
      aws('ec2', 'authorize-security-group-ingress', ...open);
      const { code, output } = await run('e-drift', { reason: 'repair' });
      expect(code, output).toBe(0);
      expect((await bench.item(ID, 'e-drift')).plan).toEqual({ create: 0, update: 1, replace: 0, delete: 0 });
      const [group] = aws('ec2', 'describe-security-groups', '--group-ids', GroupId).SecurityGroups;
      expect(group.IpPermissions.map(({ FromPort }: { FromPort: number }) => FromPort)).toEqual([22]);
      expect(hosts()).toEqual([host]);
    });

    it('is the old pipeline’s again whenever it is wanted back: its configuration applies, and replaces nothing', () => {
      rmSync(join(old, 'written'));
      rmSync(join(old, '.terraform'), { recursive: true });
      const terraform = terraformIn(old, emulator);
      terraform.init();
      const plan = terraform.plan();
      // What was forgotten is made again, as at every apply of that pipeline; it is what writes the record.
      expect(doings(plan)).toEqual([
        'terraform_data.mark_deployment_complete: create',
        'terraform_data.update_enclave_record: create',
      ]);
      terraform.apply();
      expect(readFileSync(join(old, 'written'), 'utf8')).toBe('DEPLOYING\nDEPLOYED\n');
      expect(terraform.output().instance_id?.value).toBe(host);
      expect(doings(terraform.plan())).toEqual([]);
      expect(hosts()).toEqual([host]);
    });

    it('is taken over once more after that, and found as it was', async () => {
      rename('terraform_data', 'null_resource', NULL_PROVIDER);
      const { code, output } = await run('e-4', { reason: 'adopt' });
      expect(code, output).toBe(0);
      expect((await bench.item(ID, 'e-4')).plan).toEqual({ create: 0, update: 0, replace: 0, delete: 0 });
      expect(hosts()).toEqual([host]);
    });

    it('gives way to a host of ours where a change asks for one, within the platform’s network', async () => {
      const change = { ...variables, generation: 2, change: 'replace', pinned: { instanceId: host } };
      const { code, output } = await run('e-5', { reason: 'update', variables: change });
      expect(code, output).toBe(0);
      const made = await outcome('e-5');
      expect(made).not.toHaveProperty('legacy');
      expect(hosts()).toEqual([made?.instanceId]);
      expect(made?.instanceId).not.toBe(host);
      const [{ Instances }] = aws('ec2', 'describe-instances', '--instance-ids', made?.instanceId ?? '').Reservations;
      const [vpc] = aws('ec2', 'describe-vpcs', '--filters', 'Name=tag:Name,Values=treza-dev-local').Vpcs;
      expect(Instances[0].VpcId).toBe(vpc.VpcId);
      // The bucket stays in the state, so that a destroy takes it along.
      expect(addresses()).toContain('aws_s3_bucket.enclave_scripts');
    });

    it('leaves nothing when it is destroyed', async () => {
      const { code, output } = await run('e-6', { action: 'destroy', reason: 'destroy' });
      expect(code, output).toBe(0);
      expect(await outcome('e-6')).toMatchObject({ result: 'succeeded', remaining: [] });
      expect(hosts()).toEqual([]);
      expect(aws('s3api', 'list-buckets').Buckets.map(({ Name }: { Name: string }) => Name)).not.toContainEqual(
        expect.stringMatching(/^treza-enclave-scripts-/),
      );
      expect(isMissing(() => aws('s3api', 'head-object', '--bucket', STATES, '--key', stateKey(ID)))).toBe(true);
      expect(existsSync(join(old, 'written'))).toBe(true);
    });
  },
);
