/** A host that the pipeline before this one made, as its Terraform state describes it. */
import { z } from 'zod';

const TagsSchema = z.record(z.string(), z.string());
const GroupRulesSchema = z.array(z.record(z.string(), z.unknown()));

/** A host the pipeline before this one made, in Terraform's words: all that a plan must find as it was. */
export const LegacySchema = z.looseObject({
  /** Of the provider: every resource has them. */
  tags: TagsSchema,
  host: z.looseObject({
    ami: z.string(),
    instance_type: z.string(),
    user_data_replace_on_change: z.boolean(),
    disable_api_termination: z.boolean(),
    extra_security_group_ids: z.array(z.string()),
    tags: TagsSchema,
  }),
  security_group: z.looseObject({
    name: z.string(),
    description: z.string(),
    vpc_id: z.string(),
    ingress: GroupRulesSchema,
    egress: GroupRulesSchema,
    tags: TagsSchema,
  }),
  role: z.looseObject({ name: z.string(), path: z.string(), assume_role_policy: z.string(), tags: TagsSchema }),
  log_policy: z.looseObject({ name: z.string(), policy: z.string() }),
  profile: z.looseObject({ name: z.string(), path: z.string(), tags: TagsSchema }),
  log_group: z.looseObject({ name: z.string(), retention_in_days: z.number(), tags: TagsSchema }),
  outputs: z.record(z.string(), z.string()),
});
export type Legacy = z.infer<typeof LegacySchema>;
