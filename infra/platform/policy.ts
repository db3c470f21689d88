/** Policy statements, built so that nothing wide is written by accident: every `*` says why. */

/** Exact ARNs or patterns below one account; or everything, with the reason why AWS allows nothing narrower. */
export type On = readonly string[] | { readonly everything: string };
export type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
export type Principals = Readonly<Record<string, string | readonly string[]>>;

export interface Statement {
  readonly sid: string;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** Why the resource is `*`. */
  readonly reason?: string;
  readonly conditions?: Conditions;
  readonly principals?: Principals;
}

const ACTION = /^[a-z0-9-]+:[A-Z][A-Za-z0-9]*\*?$/;
/** Families of one meaning: AWS adds versions of the same call. */
const FAMILIES: ReadonlySet<string> = new Set(['kms:GenerateDataKey*', 'kms:ReEncrypt*']);

function statement(
  effect: 'Allow' | 'Deny',
  sid: string,
  actions: readonly string[],
  on: On,
  more: { readonly conditions?: Conditions; readonly principals?: Principals } = {},
): Statement {
  if (!/^[A-Za-z0-9]+$/.test(sid)) throw new Error(`statement ${sid}: a Sid has letters and digits alone`);
  for (const action of actions) {
    if (!ACTION.test(action) || (action.endsWith('*') && !FAMILIES.has(action))) {
      throw new Error(`statement ${sid}: ${action} is no single action`);
    }
  }
  const resources = 'everything' in on ? ['*'] : on;
  if (resources.length === 0) throw new Error(`statement ${sid}: names no resource`);
  if (!('everything' in on) && resources.includes('*')) throw new Error(`statement ${sid}: * needs its reason`);
  return {
    sid,
    effect,
    actions: [...actions].sort(),
    resources,
    ...('everything' in on ? { reason: on.everything } : {}),
    ...more,
  };
}

export const allow = (sid: string, actions: readonly string[], on: On, conditions?: Conditions) =>
  statement('Allow', sid, actions, on, conditions === undefined ? {} : { conditions });

export const deny = (sid: string, actions: readonly string[], on: On, conditions?: Conditions) =>
  statement('Deny', sid, actions, on, conditions === undefined ? {} : { conditions });

/** A statement of a resource's own policy. */
export const grant = (
  sid: string,
  principals: Principals,
  actions: readonly string[],
  on: On,
  conditions?: Conditions,
) => statement('Allow', sid, actions, on, { principals, ...(conditions === undefined ? {} : { conditions }) });

export const refuse = (
  sid: string,
  principals: Principals,
  actions: readonly string[],
  on: On,
  conditions: Conditions,
) => statement('Deny', sid, actions, on, { principals, conditions });

/** Items of these partition key patterns; a request that names no key would satisfy the first condition alone. */
export function leadingKeys(...patterns: readonly string[]): Conditions {
  return {
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': patterns },
    Null: { 'dynamodb:LeadingKeys': 'false' },
  };
}

const one = (list: readonly string[]) => (list.length === 1 ? list[0] : list);

export function policyJson(statements: readonly Statement[]): string {
  const sids = statements.map(({ sid }) => sid);
  const twice = sids.find((sid, index) => sids.indexOf(sid) !== index);
  if (twice !== undefined) throw new Error(`two statements are called ${twice}`);
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map(({ sid, effect, actions, resources, conditions, principals }) => ({
      Sid: sid,
      Effect: effect,
      ...(principals === undefined ? {} : { Principal: principals }),
      Action: one(actions),
      Resource: one(resources),
      ...(conditions === undefined ? {} : { Condition: conditions }),
    })),
  });
}

/** Who may assume a role: a service, for this account's own resources alone. */
export function trust(service: string, accountId: string, sourceArn?: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'Assume',
        Effect: 'Allow',
        Principal: { Service: service },
        Action: 'sts:AssumeRole',
        Condition: {
          StringEquals: { 'aws:SourceAccount': accountId },
          ...(sourceArn === undefined ? {} : { ArnLike: { 'aws:SourceArn': sourceArn } }),
        },
      },
    ],
  });
}
