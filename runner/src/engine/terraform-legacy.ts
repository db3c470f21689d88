/** What the Terraform state of the pipeline before this one says of a host: read, so that nothing of it is changed. */
import { z } from 'zod';
import type { Scripts } from '../../../infra/enclave/index.ts';
import { type Legacy, LegacySchema } from '../../../src/enclave/items/legacy-host.ts';
import { EngineFailure } from './port.ts';

export interface LeftBehind {
  /** Undefined: the state is none, or one of our own making. */
  readonly legacy?: Legacy;
  readonly instanceId?: string;
  readonly scripts?: Scripts;
  /** Addresses of other providers' resources: not even `init` succeeds while the state lists them. */
  readonly strangers: readonly string[];
}

const text = z.string();
const tags = z
  .record(text, text)
  .nullish()
  .transform((given) => given ?? {});
const flag = z
  .boolean()
  .nullish()
  .transform((given) => given ?? false);
const rules = z
  .array(z.record(text, z.unknown()))
  .nullish()
  .transform((given) => given ?? []);

const HostSchema = z.object({
  id: text,
  ami: text,
  instance_type: text,
  user_data_replace_on_change: flag,
  disable_api_termination: flag,
  vpc_security_group_ids: z.array(text),
  tags,
  tags_all: tags,
});
const GroupSchema = z.object({
  id: text,
  name: text,
  description: text,
  vpc_id: text,
  ingress: rules,
  egress: rules,
  tags,
  tags_all: tags,
});
const RoleSchema = z.object({ name: text, path: text, assume_role_policy: text, tags, tags_all: tags });
const PolicySchema = z.object({ name: text, policy: text });
const ProfileSchema = z.object({ name: text, path: text, tags, tags_all: tags });
const LogGroupSchema = z.object({ name: text, retention_in_days: z.number(), tags, tags_all: tags });
const BucketSchema = z.object({ bucket: text });
const ObjectSchema = z.object({ bucket: text, key: text });

const StateSchema = z.object({
  outputs: z.record(text, z.object({ value: z.unknown() })).default({}),
  resources: z.array(
    z.object({
      mode: text,
      type: text,
      name: text,
      instances: z.array(z.object({ attributes: z.unknown() })),
    }),
  ),
});

/** Only our own stack has it, and it has it before it makes a host. */
const OURS = 'aws_iam_role_policy.enclave_host_policy';
const HOST = 'aws_instance.enclave_instance';
const BUCKET = 'aws_s3_bucket.enclave_scripts';

/** Reads a state object. Throws {@link EngineFailure} where it is no state, or lacks what a takeover must know. */
export function readLeftBehind(json: string | undefined): LeftBehind {
  if (json === undefined) return { strangers: [] };
  const state = parsed(json);
  const managed = state.resources.filter(({ mode }) => mode === 'managed');
  const byAddress = new Map(managed.map(({ type, name, instances }) => [`${type}.${name}`, instances[0]?.attributes]));
  const strangers = managed.filter(({ type }) => !type.startsWith('aws_')).map(({ type, name }) => `${type}.${name}`);
  const scripts = scriptsOf(byAddress);
  const common = { strangers, ...(scripts === undefined ? {} : { scripts }) };
  if (byAddress.get(HOST) === undefined || byAddress.has(OURS)) return common;
  const { instanceId, legacy } = legacyOf(state, byAddress);
  return { ...common, legacy, instanceId };
}

type Attributes = ReadonlyMap<string, unknown>;

function legacyOf(state: z.infer<typeof StateSchema>, byAddress: Attributes) {
  const host = at(byAddress, HOST, HostSchema);
  const group = at(byAddress, 'aws_security_group.enclave_sg', GroupSchema);
  const role = at(byAddress, 'aws_iam_role.enclave_instance_role', RoleSchema);
  const policy = at(byAddress, 'aws_iam_role_policy.enclave_cloudwatch_policy', PolicySchema);
  const profile = at(byAddress, 'aws_iam_instance_profile.enclave_instance_profile', ProfileSchema);
  const logs = at(byAddress, 'aws_cloudwatch_log_group.enclave_logs', LogGroupSchema);
  const outputs = Object.entries(state.outputs).flatMap(([name, { value }]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  );
  const legacy: Legacy = LegacySchema.parse({
    tags: inAll([host, group, role, profile, logs].map(({ tags_all }) => tags_all)),
    host: {
      ami: host.ami,
      instance_type: host.instance_type,
      user_data_replace_on_change: host.user_data_replace_on_change,
      disable_api_termination: host.disable_api_termination,
      extra_security_group_ids: host.vpc_security_group_ids.filter((id) => id !== group.id),
      tags: host.tags,
    },
    security_group: {
      name: group.name,
      description: group.description,
      vpc_id: group.vpc_id,
      ingress: group.ingress,
      egress: group.egress,
      tags: group.tags,
    },
    role: { name: role.name, path: role.path, assume_role_policy: role.assume_role_policy, tags: role.tags },
    log_policy: policy,
    profile: { name: profile.name, path: profile.path, tags: profile.tags },
    log_group: { name: logs.name, retention_in_days: logs.retention_in_days, tags: logs.tags },
    outputs: Object.fromEntries(outputs),
  });
  return { legacy, instanceId: host.id };
}

/** A provider's default tags stand in no state: they are what all its resources have. */
function inAll(sets: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}, ...others] = sets;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((each) => each[name] === value)),
  );
}

function scriptsOf(byAddress: Attributes): Scripts | undefined {
  if (!byAddress.has(BUCKET)) return undefined;
  const { bucket } = at(byAddress, BUCKET, BucketSchema);
  const objects: Record<string, string> = {};
  for (const [address] of byAddress) {
    const [type, name = ''] = address.split('.');
    if (type !== 'aws_s3_object') continue;
    const object = at(byAddress, address, ObjectSchema);
    if (object.bucket === bucket) objects[name] = object.key;
  }
  return { bucket, objects };
}

function parsed(json: string) {
  try {
    const state = StateSchema.safeParse(JSON.parse(json));
    if (state.success) return state.data;
  } catch {
    // Falls through: it is no JSON either.
  }
  throw failure('The Terraform state object is none that Terraform has written.');
}

function at<T>(byAddress: Attributes, address: string, schema: z.ZodType<T>): T {
  const read = schema.safeParse(byAddress.get(address));
  if (read.success) return read.data;
  const field = read.error.issues[0]?.path.join('.') ?? '';
  throw failure(
    byAddress.has(address)
      ? `The Terraform state of the old pipeline has no usable ${field} of ${address}.`
      : `The Terraform state of the old pipeline lists a host and no ${address}.`,
  );
}

function failure(summary: string): EngineFailure {
  return new EngineFailure([{ severity: 'error', summary, detail: '', class: 'state' }]);
}
