/** The enclave stack, applied by real Terraform with the real provider. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { synthesizeEnclave } from '../../infra/enclave/index.ts';
import { readMade } from '../../runner/src/engine/terraform-made.ts';
import { hostConfigurationOf } from '../../src/enclave/host-configuration.ts';
import { HOST_ADDRESS, logGroupName, resourceName } from '../../src/enclave/names.ts';
import { type EmulatedPlatform, makePlatform } from '../support/emulated-platform.ts';
import { type Emulator, requireTools, startEmulator } from '../support/emulator.ts';
import { ENCLAVE_ID, optionsOf, specOf, variablesOf } from '../support/enclave-stack.ts';
import { seenAround } from '../support/seen-around.ts';
import { awsOn, changedAttributes, doings, type Plan, terraformIn } from '../support/terraform.ts';

const CONFIGURATION = 'aws_s3_object.enclave_configuration';
const HOSTILE = '${file("/etc/passwd")} %{ if true }x%{ endif } "quoted" \\ back\nnext line $(id) `id` 🗝';
const TAGS = { team: 'signing', note: HOSTILE, '${var.region}': '%{ for x in [] }' };
const FIELDS = {
  instanceType: 'm6i.2xlarge',
  cpuCount: 2,
  exposePorts: [8080, 8443],
  ingressCidrs: ['10.1.0.0/16', '2001:db8::/32'],
  environmentVariables: { GREETING: HOSTILE },
  healthCheckPath: '/health?q=${var.region}',
  attestation: { expectedMeasurements: [{ pcr0: 'ab'.repeat(48) }] },
  host: { terminationProtection: true },
  logs: { retentionDays: 90 },
};

/** Every step is Terraform at work, on a machine that may have other work too. */
const PATIENCE_MS = 600_000;

describe.skipIf(!requireTools('the enclave stack by real Terraform'))(
  'the enclave stack',
  { timeout: PATIENCE_MS },
  () => {
    let emulator: Emulator;
    let platform: EmulatedPlatform;
    let folder: string;
    let terraform: ReturnType<typeof terraformIn>;
    let aws: ReturnType<typeof awsOn>;

    const stackOf = (fields: object | undefined, generation: number) => {
      const { facts, amiId, subnetId } = platform;
      const spec = fields === undefined ? undefined : specOf(fields, TAGS);
      const variables = variablesOf(spec, { generation });
      const chosen = { subnetId, amiId };
      synthesizeEnclave(optionsOf(undefined, { variables, facts, chosen, emulatorUrl: emulator.url }), folder);
    };
    const theHost = () => {
      const filter = [
        '--filters',
        `Name=tag:EnclaveId,Values=${ENCLAVE_ID}`,
        'Name=instance-state-name,Values=running',
      ];
      return aws('ec2', 'describe-instances', ...filter).Reservations.flatMap(
        (each: { Instances: object[] }) => each.Instances,
      );
    };

    beforeAll(async () => {
      emulator = await startEmulator();
      aws = awsOn(emulator);
      platform = makePlatform(emulator);
      folder = mkdtempSync(join(tmpdir(), 'enclave-stack-'));
      stackOf(FIELDS, 1);
      terraform = terraformIn(join(folder, 'stacks/enclave'), emulator);
      terraform.init();
      terraform.plan();
      terraform.apply();
    }, PATIENCE_MS);
    afterAll(async () => {
      rmSync(folder, { recursive: true, force: true });
      await emulator.stop();
    });

    it('makes a host the AWS CLI shows, with enclaves, IMDSv2 and no public address', () => {
      const output = terraform.output();
      expect(theHost()).toEqual([
        expect.objectContaining({
          InstanceId: output.instance_id?.value,
          ImageId: output.ami_id?.value,
          SubnetId: output.subnet_id?.value,
          InstanceType: 'm6i.2xlarge',
          EnclaveOptions: { Enabled: true },
          MetadataOptions: expect.objectContaining({ HttpTokens: 'required', HttpPutResponseHopLimit: 1 }),
        }),
      ]);
      expect(theHost()[0]).not.toHaveProperty('PublicIpAddress');
      expect(theHost()[0]).not.toHaveProperty('KeyName');
    });

    it('plans nothing for what it has applied', () => {
      expect(doings(terraform.plan())).toEqual([]);
    });

    it('is seen by the operator as it is in the state: rules, role, key, volume and log group', async () => {
      const { userData, keyArn = '', ...made } = readMade(terraform.state()) ?? {};
      expect(userData).toMatch(/^[0-9a-f]{40}$/);
      const seen = await seenAround(emulator, 'test', keyArn);
      expect(seen.made).toEqual(made);
      expect(Object.values(made).filter((each) => each === undefined)).toEqual([]);
      expect(seen.key).toMatchObject({ state: 'Enabled', bypasses: [], grantIds: [] });
      expect(seen.volume).toMatchObject({
        enclaveId: ENCLAVE_ID,
        instanceId: theHost()[0].InstanceId,
        encrypted: true,
      });
      expect(seen.logGroup).toEqual({ enclaveId: ENCLAVE_ID, retentionDays: 90, kmsKeyArn: null });
    });

    it('carries hostile text unchanged into tags and configuration', () => {
      const tags = theHost()[0].Tags.map(({ Key, Value }: { Key: string; Value: string }) => [Key, Value]);
      expect(Object.fromEntries(tags)).toEqual({
        ...TAGS,
        Name: `treza-enclave-${ENCLAVE_ID}`,
        EnclaveId: ENCLAVE_ID,
        Environment: 'test',
        ManagedBy: 'terraform',
        Generation: '1',
      });
      const bucket = platform.facts.regions['us-west-2']?.configurationBucket ?? '';
      const file = join(folder, 'object.json');
      aws('s3api', 'get-object', '--bucket', bucket, '--key', `enclaves/${ENCLAVE_ID}/configuration.json`, file);
      const document = hostConfigurationOf(ENCLAVE_ID, variablesOf(specOf(FIELDS, TAGS)), platform.facts.stateTable);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(document)));
    });

    it('changes the enclave inside the host by its configuration alone', () => {
      stackOf({ ...FIELDS, cpuCount: 4, memoryMiB: 2_048 }, 2);
      const plan = terraform.plan();
      expect(doings(plan)).toEqual([`${HOST_ADDRESS}: update`, `${CONFIGURATION}: update`]);
      expect(changedAttributes(plan, HOST_ADDRESS)).toEqual(['tags', 'tags_all']);
      terraform.apply();
      expect(theHost()[0].Tags).toContainEqual({ Key: 'Generation', Value: '2' });
    });

    it('stops and starts the host for another size, and never replaces it', () => {
      stackOf({ ...FIELDS, instanceType: 'm6i.4xlarge' }, 3);
      expect(doings(terraform.plan())).toEqual([`${HOST_ADDRESS}: update`, `${CONFIGURATION}: update`]);
    });

    it('sees what was added by hand: a port, an inline policy, an attached policy', async () => {
      stackOf({ ...FIELDS, cpuCount: 4, memoryMiB: 2_048 }, 2);
      const [group] = theHost()[0].SecurityGroups;
      const role = resourceName('instance-role', ENCLAVE_ID);
      const open = ['--protocol', 'tcp', '--port', '22', '--cidr', '0.0.0.0/0'];
      aws('ec2', 'authorize-security-group-ingress', '--group-id', group.GroupId, ...open);
      const document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}';
      aws('iam', 'put-role-policy', '--role-name', role, '--policy-name', 'extra', '--policy-document', document);
      const attached = platform.facts.permissionsBoundaryArn ?? '';
      aws('iam', 'attach-role-policy', '--role-name', role, '--policy-arn', attached);

      const { userData: _, keyArn = '', ...made } = readMade(terraform.state()) ?? {};
      const seen = await seenAround(emulator, 'test', keyArn);
      const now: Readonly<Record<string, unknown>> = seen.made;
      const differs = Object.entries(made).filter(([name, digest]) => digest !== now[name]);
      expect(differs.map(([name]) => name).sort()).toEqual(['attached', 'inline', 'rules']);

      const plan = terraform.plan();
      expect(doings(plan).filter((doing) => !doing.startsWith('drift'))).toEqual([
        'aws_iam_role_policies_exclusive.enclave_policies: update',
        'aws_iam_role_policy_attachments_exclusive.enclave_attachments: update',
        'aws_security_group.enclave_sg: update',
      ]);
      terraform.apply();
      expect(aws('iam', 'list-role-policies', '--role-name', role).PolicyNames.sort()).toEqual([
        'enclave-host',
        'enclave-logs',
      ]);
      expect(aws('iam', 'list-attached-role-policies', '--role-name', role).AttachedPolicies).toEqual([]);
      const [{ IpPermissions }] = aws('ec2', 'describe-security-groups', '--group-ids', group.GroupId).SecurityGroups;
      expect(IpPermissions.map(({ FromPort }: { FromPort: number }) => FromPort).sort()).toEqual([8080, 8443]);
    });

    it('leaves nothing when it is destroyed, although the host was protected', () => {
      // Without a specification: whatever became of it, what the state lists can go.
      stackOf(undefined, 4);
      const plan: Plan = terraform.plan('-destroy');
      expect(new Set(plan.resource_changes.map(({ change }) => change.actions.join()))).toEqual(new Set(['delete']));
      terraform.apply();
      expect(theHost()).toEqual([]);
      const groups = aws('ec2', 'describe-security-groups').SecurityGroups;
      expect(groups.map(({ GroupName }: { GroupName: string }) => GroupName)).not.toContain(
        resourceName('sg', ENCLAVE_ID),
      );
      expect(aws('iam', 'list-roles').Roles).toEqual([]);
      expect(aws('iam', 'list-instance-profiles').InstanceProfiles).toEqual([]);
      expect(aws('logs', 'describe-log-groups', '--log-group-name-prefix', logGroupName(ENCLAVE_ID)).logGroups).toEqual(
        [],
      );
      const bucket = platform.facts.regions['us-west-2']?.configurationBucket ?? '';
      expect(aws('s3api', 'list-objects-v2', '--bucket', bucket)).not.toHaveProperty('Contents');
      // A key is gone where it waits for its deletion, and a host where it is terminated: neither can be had at once.
      const tagged = ['--tag-filters', `Key=EnclaveId,Values=${ENCLAVE_ID}`];
      const left = aws('resourcegroupstaggingapi', 'get-resources', ...tagged).ResourceTagMappingList;
      for (const { ResourceARN } of left) {
        const [, , service = '', , , path = ''] = ResourceARN.split(':');
        const id = path.split('/')[1] ?? '';
        if (service === 'kms') {
          const { KeyMetadata } = aws('kms', 'describe-key', '--key-id', id);
          expect(KeyMetadata).toMatchObject({ KeyState: 'PendingDeletion' });
        } else {
          expect(path).toMatch(/^instance\//);
          const [{ Instances }] = aws('ec2', 'describe-instances', '--instance-ids', id).Reservations;
          expect(Instances[0].State.Name).toBe('terminated');
        }
      }
      expect(
        aws('kms', 'list-aliases').Aliases.filter(({ AliasName }: { AliasName: string }) =>
          AliasName.includes('treza'),
        ),
      ).toEqual([]);
      const state = aws('s3api', 'list-objects-v2', '--bucket', platform.facts.terraformState.bucket).Contents;
      expect(state.map(({ Key }: { Key: string }) => Key)).toEqual([`enclaves/${ENCLAVE_ID}/terraform.tfstate`]);
    });
  },
);
