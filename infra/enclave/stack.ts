/** One enclave's resources. Only structure is decided here: every value is a reference to a Terraform variable. */
import { TAG_GENERATION } from '../../src/enclave/names.ts';
import { ROLE_POLICIES } from '../../src/enclave/resource-types.ts';
import {
  AwsProvider,
  CloudwatchLogGroup,
  IamInstanceProfile,
  IamRole,
  IamRolePoliciesExclusive,
  IamRolePolicy,
  IamRolePolicyAttachmentsExclusive,
  Instance,
  KmsAlias,
  KmsKey,
  S3Object,
  SecurityGroup,
  TerraformOutput,
  type TerraformStack,
  Token,
} from './cdk.ts';

/** Logical ids are those an existing state has, so that adopting a host moves nothing. */
const KEY = 'enclave_key';
const KEY_ALIAS = 'enclave_key_alias';

export interface Structure {
  readonly ownKey: boolean;
  /** Attributes of the host that a plan leaves as they are. */
  readonly hostKeeps: readonly string[];
}

export const text = (path: string) => `\${var.${path}}`;
export const number = (path: string) => Token.asNumber(text(path));
export const truth = (path: string) => Token.asAny(text(path));
export const map = (expression: string) => Token.asStringMap(`\${${expression}}`);

/**
 * Attempts at a call that AWS throttles or has no capacity for. The provider's own default of 25 waits 25 minutes, longer
 * than a run may take, so `InsufficientInstanceCapacity` never surfaced. Measured with provider 5.100.0, from the first
 * RunInstances to the error: 8 attempts 10 to 12 s, 9 attempts 19 to 26 s, 10 attempts 39 to 56 s.
 */
const ATTEMPTS = 10;
const ATTEMPTS_AT_AN_EMULATOR = 2;

export function addProvider(stack: TerraformStack, emulatorUrl: string | undefined): void {
  const services = ['ec2', 'iam', 'kms', 'logs', 's3', 'sts'];
  new AwsProvider(stack, 'aws', {
    region: text('region'),
    defaultTags: [{ tags: map('var.tags') }],
    maxRetries: emulatorUrl === undefined ? ATTEMPTS : ATTEMPTS_AT_AN_EMULATOR,
    ...(emulatorUrl === undefined
      ? {}
      : {
          endpoints: [Object.fromEntries(services.map((service) => [service, emulatorUrl]))],
          s3UsePathStyle: true,
          skipRegionValidation: true,
        }),
  });
}

export function addResources(stack: TerraformStack, structure: Structure): void {
  const group = addSecurityGroup(stack);
  const logs = new CloudwatchLogGroup(stack, 'enclave_logs', {
    name: text('log_group.name'),
    retentionInDays: number('log_group.retention_days'),
    kmsKeyId: text('log_group.kms_key_arn'),
  });
  const { role, profile, policies } = addRole(stack);
  const configuration = new S3Object(stack, 'enclave_configuration', {
    bucket: text('configuration.bucket'),
    key: text('configuration.key'),
    content: text('configuration_content'),
    contentType: 'application/json',
    kmsKeyId: text('configuration.kms_key_arn'),
  });
  if (structure.ownKey) addKey(stack, role);
  else forgetKey(stack);

  const host = new Instance(stack, 'enclave_instance', {
    ami: text('host.ami'),
    instanceType: text('host.instance_type'),
    subnetId: text('host.subnet_id'),
    associatePublicIpAddress: truth('host.public_ip'),
    vpcSecurityGroupIds: Token.asList(`\${concat([${group.fqn}.id], var.host.extra_security_group_ids)}`),
    iamInstanceProfile: profile.name,
    enclaveOptions: { enabled: true },
    metadataOptions: {
      httpEndpoint: 'enabled',
      httpTokens: 'required',
      httpPutResponseHopLimit: number('host.imds_hop_limit'),
    },
    rootBlockDevice: {
      encrypted: truth('host.root_encrypted'),
      volumeSize: number('host.root_volume_gib'),
      volumeType: 'gp3',
      deleteOnTermination: true,
      tags: map('var.ec2_tags'),
    },
    disableApiTermination: truth('host.termination_protection'),
    userData: text('host.user_data'),
    userDataReplaceOnChange: false,
    tags: map(`merge(var.ec2_tags, { ${TAG_GENERATION} = var.generation })`),
    // A host that boots finds what it may and must use; one that goes still has it.
    dependsOn: [logs, configuration, ...policies],
    lifecycle: { ignoreChanges: [...structure.hostKeeps] },
  });
  for (const [name, value] of [
    ['instance_id', host.id],
    ['ami_id', host.ami],
    ['subnet_id', host.subnetId],
  ] as const) {
    new TerraformOutput(stack, name, { value });
  }
}

/** Rules are inline: one that was added by hand shows in a plan and is taken away. */
function addSecurityGroup(stack: TerraformStack): SecurityGroup {
  const group = new SecurityGroup(stack, 'enclave_sg', {
    name: text('security_group.name'),
    description: text('security_group.description'),
    vpcId: text('security_group.vpc_id'),
    tags: map('var.ec2_tags'),
  });
  group.addOverride('ingress', text('security_group.ingress'));
  group.addOverride('egress', text('security_group.egress'));
  return group;
}

function addRole(stack: TerraformStack) {
  const role = new IamRole(stack, 'enclave_instance_role', {
    name: text('role.name'),
    path: text('role.path'),
    permissionsBoundary: text('role.permissions_boundary'),
    assumeRolePolicy: text('role.trust_policy'),
  });
  const policies = [
    new IamRolePolicy(stack, 'enclave_cloudwatch_policy', {
      name: text('role.log_policy_name'),
      role: role.id,
      policy: text('role.log_policy'),
    }),
    new IamRolePolicy(stack, 'enclave_host_policy', {
      name: ROLE_POLICIES.enclave_host_policy,
      role: role.id,
      policy: text('role.host_policy'),
    }),
  ];
  // Without these two a policy added by hand shows in no plan.
  new IamRolePoliciesExclusive(stack, 'enclave_policies', {
    roleName: role.name,
    policyNames: policies.map(({ name }) => name),
  });
  new IamRolePolicyAttachmentsExclusive(stack, 'enclave_attachments', { roleName: role.name, policyArns: [] });
  const profile = new IamInstanceProfile(stack, 'enclave_instance_profile', {
    name: text('role.profile_name'),
    path: text('role.path'),
    role: role.name,
  });
  return { role, profile, policies };
}

function addKey(stack: TerraformStack, role: IamRole): void {
  const key = new KmsKey(stack, KEY, {
    description: text('key.description'),
    policy: text('key.policy'),
    deletionWindowInDays: 30,
    enableKeyRotation: true,
    // KMS refuses a policy that names a role it does not know.
    dependsOn: [role],
  });
  new KmsAlias(stack, KEY_ALIAS, { name: text('key.alias'), targetKeyId: key.keyId });
  new TerraformOutput(stack, 'kms_key_arn', { value: key.arn });
}

/** A key the spec no longer asks for stays in AWS: what it encrypted may still be wanted. */
function forgetKey(stack: TerraformStack): void {
  stack.addOverride(
    'removed',
    [`aws_kms_key.${KEY}`, `aws_kms_alias.${KEY_ALIAS}`].map((from) => ({ from, lifecycle: { destroy: false } })),
  );
}
