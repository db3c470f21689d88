/** What a Terraform state says of what surrounds the host: as it was made, and as it should stay. */
import { z } from 'zod';
import {
  type GroupRule,
  type Made,
  namesDigest,
  policiesDigest,
  policyDigest,
  rulesDigest,
} from '../../../src/enclave/digests.ts';

const text = z.string();
const list = z
  .array(text)
  .nullish()
  .transform((given) => given ?? []);

const RuleSchema = z.object({
  protocol: text,
  from_port: z.number(),
  to_port: z.number(),
  cidr_blocks: list,
  ipv6_cidr_blocks: list,
  prefix_list_ids: list,
  security_groups: list,
  self: z.boolean().nullish(),
});
const GroupSchema = z.object({ id: text, ingress: z.array(RuleSchema), egress: z.array(RuleSchema) });
const RoleSchema = z.object({ assume_role_policy: text });
const PolicySchema = z.object({ name: text, policy: text });
const AttachmentsSchema = z.object({ policy_arns: list });
const KeySchema = z.object({ arn: text, policy: text });
const HostSchema = z.object({ user_data: text });

const StateSchema = z.object({
  resources: z.array(z.object({ mode: text, type: text, instances: z.array(z.object({ attributes: z.unknown() })) })),
});

/** Undefined where the text is no state. What a state does not hold, or not as it is known here, is absent. */
export function readMade(json: string | undefined): Made | undefined {
  const state = StateSchema.safeParse(parsed(json));
  if (!state.success) return undefined;
  const managed = state.data.resources.filter(({ mode }) => mode === 'managed');
  const all = <T>(type: string, schema: z.ZodType<T>): readonly T[] | undefined => {
    const found = managed.filter((each) => each.type === type).flatMap(({ instances }) => instances);
    const read = found.map(({ attributes }) => schema.safeParse(attributes));
    return read.every(({ success }) => success)
      ? read.flatMap(({ data }) => (data === undefined ? [] : [data]))
      : undefined;
  };
  const only = <T>(type: string, schema: z.ZodType<T>): T | undefined => {
    const found = all(type, schema);
    return found?.length === 1 ? found[0] : undefined;
  };
  const group = only('aws_security_group', GroupSchema);
  const role = only('aws_iam_role', RoleSchema);
  const inline = all('aws_iam_role_policy', PolicySchema);
  const attachments = only('aws_iam_role_policy_attachments_exclusive', AttachmentsSchema);
  const key = only('aws_kms_key', KeySchema);
  return {
    ...(group === undefined ? {} : { groupId: group.id, rules: rulesDigest(rulesOf(group)) }),
    trust: policyDigest(role?.assume_role_policy),
    inline: inline && policiesDigest(Object.fromEntries(inline.map(({ name, policy }) => [name, policy]))),
    attached: attachments && namesDigest(attachments.policy_arns),
    ...(key === undefined ? {} : { keyArn: key.arn, keyPolicy: policyDigest(key.policy) }),
    userData: only('aws_instance', HostSchema)?.user_data,
  };
}

function rulesOf({ ingress, egress }: z.infer<typeof GroupSchema>): readonly GroupRule[] {
  const rules = (direction: GroupRule['direction'], { protocol, ...rule }: z.infer<typeof RuleSchema>): GroupRule[] => {
    const lists = [rule.cidr_blocks, rule.ipv6_cidr_blocks, rule.prefix_list_ids, rule.security_groups];
    const peers = [...lists.flat(), ...(rule.self === true ? ['self'] : [])];
    return peers.map((peer) => ({ direction, protocol, fromPort: rule.from_port, toPort: rule.to_port, peer }));
  };
  return [...ingress.flatMap((each) => rules('ingress', each)), ...egress.flatMap((each) => rules('egress', each))];
}

function parsed(json: string | undefined): unknown {
  try {
    return json === undefined ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}
