/** The stack's Terraform variables, their types and values: the only way by which text of a record enters Terraform. */
import { hostConfigurationOf } from '../../src/enclave/host-configuration.ts';
import type { Legacy } from '../../src/enclave/items/legacy-host.ts';
import type { RunVariables } from '../../src/enclave/items/run.ts';
import { canonicalJson } from '../../src/enclave/json.ts';
import { resourceName, shortenId, TAG_ENCLAVE_ID, TAG_ENVIRONMENT, TAG_MANAGED_BY } from '../../src/enclave/names.ts';
import { ROLE_POLICIES } from '../../src/enclave/resource-types.ts';
import type { EnclaveSpec } from '../../src/enclave/spec/types.ts';
import { userData } from '../host/user-data.ts';
import { keyPolicy, wantsOwnKey } from './attestation.ts';
import { type TerraformStack, TerraformVariable } from './cdk.ts';
import { egressRules, ingressRules, type Rule } from './network.ts';
import { type Place, reportTable } from './place.ts';
import { hostPolicy, logPolicy, trustPolicy } from './role-policies.ts';

/** What the runner found out for this run. */
export interface Chosen {
  /** A subnet whose zone offers the instance type. */
  readonly subnetId?: string | undefined;
  /** Resolved when a host is made or replaced, and pinned from then on. */
  readonly amiId?: string | undefined;
  /** The state holds a key of the enclave's own: it stays, locked, where the spec no longer asks for it. */
  readonly hasKey?: boolean | undefined;
  /** The host is one that the pipeline before this one made, and stays as it is. */
  readonly legacy?: Legacy | undefined;
  /** The state holds the bucket such a host booted from. */
  readonly scripts?: Scripts | undefined;
}

export interface Scripts {
  readonly bucket: string;
  /** Keys by Terraform's name of the object. */
  readonly objects: Readonly<Record<string, string>>;
}

/** By name of the variable. Null: AWS' own default. */
export interface Values {
  readonly region: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly ec2_tags: Readonly<Record<string, string>>;
  readonly generation: string;
  readonly host: {
    readonly ami: string;
    readonly instance_type: string;
    readonly subnet_id: string;
    readonly extra_security_group_ids: readonly string[];
    readonly public_ip: boolean;
    readonly termination_protection: boolean;
    readonly imds_hop_limit: number;
    readonly root_volume_gib: number;
    readonly root_encrypted: boolean;
    readonly user_data: string;
  };
  readonly security_group: {
    readonly name: string;
    readonly description: string;
    readonly vpc_id: string;
    readonly ingress: readonly Rule[];
    readonly egress: readonly Rule[];
  };
  readonly role: {
    readonly name: string;
    readonly path: string;
    readonly permissions_boundary: string | null;
    readonly profile_name: string;
    readonly trust_policy: string;
    readonly log_policy_name: string;
    readonly log_policy: string;
    readonly host_policy: string;
  };
  readonly log_group: {
    readonly name: string;
    readonly retention_days: number;
    readonly kms_key_arn: string | null;
  };
  readonly configuration: { readonly bucket: string; readonly key: string; readonly kms_key_arn: string | null };
  readonly configuration_content: string;
  /** Present where the enclave has a key of its own. */
  readonly key?: { readonly alias: string; readonly description: string; readonly policy: string };
  readonly scripts?: Scripts;
  /** In place of all but the first two and `scripts`. */
  readonly legacy?: Legacy;
}

function required<T>(value: T | undefined, what: string, enclaveId: string, fix: string): T {
  if (value === undefined) throw new Error(`${what} of ${enclaveId} is not known: ${fix}`);
  return value;
}

export function valuesOf(spec: EnclaveSpec, variables: RunVariables, place: Place, chosen: Chosen): Values {
  const { enclaveId, facts, region, regional, configurationKey } = place;
  const { environment, generation, pinned } = variables;
  const { host, logs } = spec;
  const amiId = required(
    host.amiId ?? chosen.amiId ?? pinned.amiId,
    'the image',
    enclaveId,
    'resolve it, or name host.amiId',
  );
  const subnetId = required(
    host.subnetId ?? chosen.subnetId,
    'the subnet',
    enclaveId,
    'choose one, or name host.subnetId',
  );
  const document = hostConfigurationOf(enclaveId, variables, reportTable(place));
  return {
    region,
    tags: {
      [TAG_ENCLAVE_ID]: enclaveId,
      [TAG_ENVIRONMENT]: environment,
      [TAG_MANAGED_BY]: 'terraform',
    },
    ec2_tags: { Name: `treza-enclave-${enclaveId}`, ...spec.tags },
    generation: String(generation),
    host: {
      ami: amiId,
      instance_type: spec.instanceType,
      subnet_id: subnetId,
      extra_security_group_ids: host.securityGroupIds,
      public_ip: host.publicIp,
      termination_protection: host.terminationProtection,
      imds_hop_limit: host.imdsHopLimit,
      root_volume_gib: host.rootVolumeGiB,
      root_encrypted: host.rootEncrypted,
      user_data: userData({
        enclaveId,
        region,
        configurationBucket: regional.configurationBucket,
        configurationKey,
        agentBucket: regional.configurationBucket,
        agentKey: facts.agent.key,
        agentSha256: facts.agent.sha256,
      }),
    },
    security_group: {
      name: resourceName('sg', enclaveId),
      description: 'Host of a Nitro enclave',
      vpc_id: regional.vpcId,
      ingress: ingressRules(spec, regional),
      egress: egressRules(spec, facts, regional),
    },
    role: {
      name: place.roleName,
      path: place.rolePath,
      permissions_boundary: facts.permissionsBoundaryArn ?? null,
      profile_name: resourceName('instance-profile', enclaveId),
      trust_policy: JSON.stringify(trustPolicy()),
      log_policy_name: ROLE_POLICIES.enclave_cloudwatch_policy,
      log_policy: JSON.stringify(logPolicy(place)),
      host_policy: JSON.stringify(hostPolicy(spec, place)),
    },
    log_group: { name: place.logGroup, retention_days: logs.retentionDays, kms_key_arn: logs.kmsKeyArn ?? null },
    configuration: {
      bucket: regional.configurationBucket,
      key: configurationKey,
      kms_key_arn: regional.configurationKmsKeyArn ?? null,
    },
    configuration_content: canonicalJson(document),
    ...(wantsOwnKey(spec, place) || chosen.hasKey === true
      ? {
          key: {
            alias: `alias/treza-enclave-${shortenId(enclaveId, 200)}`,
            description: `Secrets of the enclave ${enclaveId}: opens for its measured image alone`,
            policy: JSON.stringify(keyPolicy(spec, place)),
          },
        }
      : {}),
    ...(chosen.scripts === undefined ? {} : { scripts: chosen.scripts }),
  };
}

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
