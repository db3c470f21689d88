/** The declarations of the stack's variables: their Terraform types. */
import { type TerraformStack, TerraformVariable } from './cdk.ts';
import type { Values } from './values.ts';

const RULES = `list(object({
  description = string, protocol = string, from_port = number, to_port = number, cidr_blocks = list(string),
  ipv6_cidr_blocks = list(string), prefix_list_ids = list(string), security_groups = list(string), self = bool
}))`;

const TYPES: Readonly<Record<keyof Values, string>> = {
  region: 'string',
  tags: 'map(string)',
  ec2_tags: 'map(string)',
  generation: 'string',
  host: `object({
  ami = string, instance_type = string, subnet_id = string, extra_security_group_ids = list(string), public_ip = bool,
  termination_protection = bool, imds_hop_limit = number, root_volume_gib = number, root_encrypted = bool,
  user_data = string
})`,
  security_group: `object({
  name = string, description = string, vpc_id = string, ingress = ${RULES}, egress = ${RULES}
})`,
  role: `object({
  name = string, path = string, permissions_boundary = string, profile_name = string, trust_policy = string,
  log_policy_name = string, log_policy = string, host_policy = string
})`,
  log_group: 'object({ name = string, retention_days = number, kms_key_arn = string })',
  configuration: 'object({ bucket = string, key = string, kms_key_arn = string })',
  configuration_content: 'string',
  key: 'object({ alias = string, description = string, policy = string })',
  scripts: 'object({ bucket = string, objects = map(string) })',
  legacy: `object({
  tags = map(string)
  host = object({
    ami = string, instance_type = string, user_data_replace_on_change = bool, disable_api_termination = bool,
    extra_security_group_ids = list(string), tags = map(string)
  })
  security_group = object({
    name = string, description = string, vpc_id = string, ingress = ${RULES}, egress = ${RULES}, tags = map(string)
  })
  role = object({ name = string, path = string, assume_role_policy = string, tags = map(string) })
  log_policy = object({ name = string, policy = string })
  profile = object({ name = string, path = string, tags = map(string) })
  log_group = object({ name = string, retention_in_days = number, tags = map(string) })
  outputs = map(string)
})`,
};

/** Plans are shown and kept: what a person may have put into a workload's variables is not. */
const SENSITIVE: ReadonlySet<string> = new Set<keyof Values>(['configuration_content']);

/** Declares each variable that has a value; Terraform refuses values without a declaration. */
export function declareVariables(stack: TerraformStack, values: Partial<Values>): void {
  for (const name of Object.keys(values) as (keyof Values)[]) {
    new TerraformVariable(stack, name, { type: TYPES[name], ...(SENSITIVE.has(name) ? { sensitive: true } : {}) });
  }
}
