/** The Terraform resource types of the enclave stack: one entry each, for the stack, the runner and the simulated cloud. */

export interface ResourceType {
  /** Names under which the Terraform state lists the stack's resources of this type. */
  readonly names: readonly string[];
  /**
   * Attributes that the stack sets and that can change behind its back: these alone count as drift in a plan. `all`:
   * whatever differs counts.
   */
  readonly owned: readonly string[] | 'all';
  /** Owned as well, although the stack leaves them at the provider's default or to `default_tags`. */
  readonly ownedDefaults?: readonly string[];
  /** Attributes that only a new resource can have otherwise. */
  readonly immutable?: readonly string[];
  /** Set by the stack and never drift: only Terraform reads them, or nothing depends on them. */
  readonly unowned?: readonly string[];
  /**
   * What a run does with one that exists and is not in the state. `import`: takes it into the state, because its creation
   * would fail or make a second one. `overwrite`: creates it again, which replaces what exists.
   */
  readonly adoption: 'import' | 'overwrite';
  /**
   * The drift attribute of a difference that no entry of the drift table claims by its own Terraform name. Absent:
   * `terraform.state`. src/drift/planned.ts does not compile if the name is not in the drift table, which this folder
   * may not import.
   */
  readonly drift?: string;
  /** How the runner finds those of one enclave. Absent: they exist in Terraform only. */
  readonly inventory?: Inventory;
  /** Where AWS assigns the id: what it begins with. Otherwise the name is the id. */
  readonly idPrefix?: string;
}

export interface Inventory {
  /** `parent`: found together with the resource it is a part of. */
  readonly listedBy: 'tag' | 'tag and name' | 'name' | 'parent';
  /**
   * What shows that one with the enclave's resource name belongs to this enclave. `tags`: its tags name the enclave.
   * `no other tags`: they do not name another one; an untagged one belongs to it. `name`: the name is enough.
   */
  readonly ownedIf: 'tags' | 'no other tags' | 'name';
}

export const RESOURCE_TYPES = {
  aws_instance: {
    names: ['enclave_instance'],
    owned: [
      'ami',
      'disable_api_termination',
      'enclave_options',
      'iam_instance_profile',
      'instance_type',
      'metadata_options',
      'root_block_device',
      'subnet_id',
      'tags',
      'user_data',
      'vpc_security_group_ids',
    ],
    immutable: ['ami', 'associate_public_ip_address', 'subnet_id'],
    unowned: ['user_data_replace_on_change'],
    adoption: 'import',
    inventory: { listedBy: 'tag', ownedIf: 'tags' },
    idPrefix: 'i-',
  },
  aws_security_group: {
    names: ['enclave_sg'],
    owned: ['description', 'egress', 'ingress', 'name', 'tags'],
    immutable: ['description', 'name', 'vpc_id'],
    adoption: 'import',
    drift: 'network.rules',
    inventory: { listedBy: 'tag and name', ownedIf: 'tags' },
    idPrefix: 'sg-',
  },
  aws_iam_role: {
    names: ['enclave_instance_role'],
    owned: ['assume_role_policy', 'path', 'permissions_boundary', 'tags'],
    ownedDefaults: ['max_session_duration'],
    immutable: ['name', 'path'],
    adoption: 'import',
    drift: 'role.policies',
    inventory: { listedBy: 'name', ownedIf: 'tags' },
  },
  aws_iam_role_policy: {
    names: ['enclave_cloudwatch_policy', 'enclave_host_policy'],
    owned: ['name', 'policy', 'role'],
    immutable: ['name', 'role'],
    adoption: 'overwrite',
    drift: 'role.policies',
    inventory: { listedBy: 'parent', ownedIf: 'tags' },
  },
  aws_iam_role_policies_exclusive: {
    names: ['enclave_policies'],
    owned: ['policy_names'],
    immutable: ['role_name'],
    adoption: 'overwrite',
    drift: 'role.policies',
  },
  aws_iam_role_policy_attachments_exclusive: {
    names: ['enclave_attachments'],
    owned: ['policy_arns'],
    immutable: ['role_name'],
    adoption: 'overwrite',
    drift: 'role.policies',
  },
  aws_iam_instance_profile: {
    names: ['enclave_instance_profile'],
    owned: ['name', 'role'],
    immutable: ['name', 'path'],
    unowned: ['tags'],
    adoption: 'import',
    drift: 'host.profile',
    inventory: { listedBy: 'name', ownedIf: 'tags' },
  },
  aws_cloudwatch_log_group: {
    names: ['enclave_logs'],
    owned: ['kms_key_id', 'retention_in_days', 'tags'],
    ownedDefaults: ['log_group_class'],
    immutable: ['name'],
    adoption: 'import',
    drift: 'logs.group',
    // Its name holds the whole id, so one without tags is this enclave's.
    inventory: { listedBy: 'name', ownedIf: 'no other tags' },
  },
  aws_kms_key: {
    names: ['enclave_key'],
    owned: ['enable_key_rotation', 'policy'],
    ownedDefaults: ['is_enabled', 'tags'],
    unowned: ['deletion_window_in_days', 'description'],
    adoption: 'import',
    drift: 'key.policy',
    // By its alias.
    inventory: { listedBy: 'name', ownedIf: 'name' },
  },
  aws_kms_alias: {
    names: ['enclave_key_alias'],
    owned: ['name', 'target_key_id'],
    immutable: ['name'],
    adoption: 'import',
    drift: 'key.state',
    inventory: { listedBy: 'parent', ownedIf: 'name' },
  },
  aws_s3_object: {
    names: ['enclave_configuration'],
    owned: ['bucket', 'content', 'key'],
    ownedDefaults: ['etag', 'source_hash'],
    immutable: ['bucket', 'key'],
    unowned: ['content_type', 'kms_key_id'],
    adoption: 'overwrite',
    drift: 'host.userData',
    inventory: { listedBy: 'name', ownedIf: 'name' },
  },
  // Of the legacy pipeline: the stack keeps it and changes nothing in it.
  aws_s3_bucket: {
    names: ['enclave_scripts'],
    owned: 'all',
    adoption: 'overwrite',
  },
} as const satisfies Readonly<Record<string, ResourceType>>;

export type ResourceTypeName = keyof typeof RESOURCE_TYPES;

/** Types whose resources the runner lists by themselves. */
export type ListedType = {
  [Name in ResourceTypeName]: (typeof RESOURCE_TYPES)[Name] extends {
    readonly inventory: { readonly listedBy: Exclude<Inventory['listedBy'], 'parent'> };
  }
    ? Name
    : never;
}[ResourceTypeName];

/** A state may list types that the enclave stack does not have. */
export function isResourceType(type: string): type is ResourceTypeName {
  return Object.hasOwn(RESOURCE_TYPES, type);
}

/** Undefined for a type that the enclave stack does not have. */
export function resourceTypeOf(type: string): ResourceType | undefined {
  return isResourceType(type) ? RESOURCE_TYPES[type] : undefined;
}

/** Where the state lists it, e.g. `aws_security_group.enclave_sg`; without a name, the first of its type. */
export function addressOf(type: ResourceTypeName, name: string = RESOURCE_TYPES[type].names[0]): string {
  return `${type}.${name}`;
}

/** The attributes of a type that a plan is compared by; undefined: all. */
export function comparedAttributes(type: string): readonly string[] | undefined {
  const { owned, ownedDefaults = [] } = resourceTypeOf(type) ?? { owned: 'all' as const };
  return owned === 'all' ? undefined : [...owned, ...ownedDefaults];
}

/** The inline policies of the role, as IAM names them, by their name in the state. */
export const ROLE_POLICIES = {
  enclave_cloudwatch_policy: 'enclave-logs',
  enclave_host_policy: 'enclave-host',
} as const satisfies Readonly<Record<(typeof RESOURCE_TYPES)['aws_iam_role_policy']['names'][number], string>>;
