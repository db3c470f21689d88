/** The stack of a host that the pipeline before this one made: its addresses, and every value as its state has it. */
import type { Legacy } from '../../src/enclave/items/legacy-host.ts';
import {
  CloudwatchLogGroup,
  IamInstanceProfile,
  IamRole,
  IamRolePolicy,
  Instance,
  S3Bucket,
  S3Object,
  SecurityGroup,
  TerraformOutput,
  type TerraformStack,
  Token,
} from './cdk.ts';
import { map, number, text, truth } from './stack.ts';
import type { Scripts } from './values.ts';

/** What that pipeline left to AWS, to its account's default network or to the newest image of the day. */
const HOST_KEEPS = [
  ...['ami', 'associate_public_ip_address', 'key_name', 'metadata_options', 'root_block_device', 'subnet_id'],
  ...['user_data', 'user_data_base64'],
];
const TERRAFORM_NAME = /^[a-z_][a-z0-9_-]*$/;
const HOST_OUTPUT = 'instance_id';

/** Nothing is added: not even an output may differ, so that the old pipeline finds its state as it left it. */
export function addLegacy(stack: TerraformStack, legacy: Legacy): void {
  const group = new SecurityGroup(stack, 'enclave_sg', {
    name: text('legacy.security_group.name'),
    description: text('legacy.security_group.description'),
    vpcId: text('legacy.security_group.vpc_id'),
    tags: map('var.legacy.security_group.tags'),
  });
  group.addOverride('ingress', text('legacy.security_group.ingress'));
  group.addOverride('egress', text('legacy.security_group.egress'));
  new CloudwatchLogGroup(stack, 'enclave_logs', {
    name: text('legacy.log_group.name'),
    retentionInDays: number('legacy.log_group.retention_in_days'),
    tags: map('var.legacy.log_group.tags'),
  });
  const role = new IamRole(stack, 'enclave_instance_role', {
    name: text('legacy.role.name'),
    path: text('legacy.role.path'),
    assumeRolePolicy: text('legacy.role.assume_role_policy'),
    tags: map('var.legacy.role.tags'),
  });
  new IamRolePolicy(stack, 'enclave_cloudwatch_policy', {
    name: text('legacy.log_policy.name'),
    role: role.id,
    policy: text('legacy.log_policy.policy'),
  });
  const profile = new IamInstanceProfile(stack, 'enclave_instance_profile', {
    name: text('legacy.profile.name'),
    path: text('legacy.profile.path'),
    role: role.name,
    tags: map('var.legacy.profile.tags'),
  });
  const host = new Instance(stack, 'enclave_instance', {
    ami: text('legacy.host.ami'),
    instanceType: text('legacy.host.instance_type'),
    vpcSecurityGroupIds: Token.asList(`\${concat([${group.fqn}.id], var.legacy.host.extra_security_group_ids)}`),
    iamInstanceProfile: profile.name,
    enclaveOptions: { enabled: true },
    disableApiTermination: truth('legacy.host.disable_api_termination'),
    userDataReplaceOnChange: truth('legacy.host.user_data_replace_on_change'),
    tags: map('var.legacy.host.tags'),
    lifecycle: { ignoreChanges: HOST_KEEPS },
  });
  for (const name of Object.keys(legacy.outputs)) {
    const value = name === HOST_OUTPUT ? host.id : text(`legacy.outputs["${named(name, 'an output')}"]`);
    new TerraformOutput(stack, name, { value });
  }
}

/** What such a host booted from: forgetting it would leave orphans, managing it would change it. */
export function keepScripts(stack: TerraformStack, { objects }: Scripts): void {
  const lifecycle = { ignoreChanges: 'all' as const };
  const bucket = new S3Bucket(stack, 'enclave_scripts', { bucket: text('scripts.bucket'), lifecycle });
  for (const name of Object.keys(objects)) {
    const key = `\${var.scripts.objects["${named(name, 'an object')}"]}`;
    new S3Object(stack, name, { bucket: bucket.id, key, lifecycle });
  }
}

/** Names become part of the configuration itself, where text of others' never stands. */
function named(name: string, what: string): string {
  if (TERRAFORM_NAME.test(name)) return name;
  throw new Error(`the Terraform state names ${what} ${JSON.stringify(name)}, which is no Terraform name`);
}
