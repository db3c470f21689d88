/**
 * IAM's evaluation of identity policies: enough of it for the policies this project writes. What it does not know
 * throws, so that no policy is called sufficient without being understood.
 */

export interface JsonStatement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}
export interface JsonPolicy {
  readonly Statement: readonly JsonStatement[];
}

export interface Call {
  readonly action: string;
  readonly resource: string;
  /** What AWS knows of the request; keys in any case. An absent key is absent. */
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
}

export type Decision = 'allowed' | 'denied' | 'explicitly denied';

const KNOWN_MEMBERS: ReadonlySet<string> = new Set(['Sid', 'Effect', 'Action', 'Resource', 'Condition']);
const list = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : [value].flat();

function wildcard(pattern: string, flags = ''): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, `s${flags}`);
}

/** Each of the first five parts by itself: a `*` in one reaches into no other. */
function arnLike(pattern: string, arn: string): boolean {
  const parts = (text: string) => /^([^:]*):([^:]*):([^:]*):([^:]*):([^:]*):(.*)$/s.exec(text)?.slice(1);
  const [patterns, values] = [parts(pattern), parts(arn)];
  if (patterns === undefined || values === undefined) return pattern === arn;
  return patterns.every((each, index) => wildcard(each).test(values[index] ?? ''));
}

const OPERATORS: Readonly<Record<string, (wanted: string, found: string) => boolean>> = {
  StringEquals: (wanted, found) => wanted === found,
  StringLike: (wanted, found) => wildcard(wanted).test(found),
  ArnLike: arnLike,
  ArnEquals: arnLike,
  Bool: (wanted, found) => wanted.toLowerCase() === found.toLowerCase(),
};

function holds(operator: string, wanted: readonly string[], found: readonly string[] | undefined): boolean {
  const [, set, name = operator] = /^(ForAllValues|ForAnyValue):(.+)$/.exec(operator) ?? [];
  if (name === 'Null') return wanted.includes(String(found === undefined || found.length === 0));
  const compare = OPERATORS[name];
  if (compare === undefined) throw new Error(`the condition operator ${operator} is not known here`);
  const matches = (value: string) => wanted.some((each) => compare(each, value));
  if (set === 'ForAllValues') return (found ?? []).every(matches);
  if (set === 'ForAnyValue') return (found ?? []).some(matches);
  if (found !== undefined && found.length > 1) throw new Error(`${operator} of several values needs a set operator`);
  return found?.some(matches) ?? false;
}

function applies(statement: JsonStatement, { action, resource, context = {} }: Call): boolean {
  const unknown = Object.keys(statement).filter((member) => !KNOWN_MEMBERS.has(member));
  if (unknown.length > 0) throw new Error(`the statement member ${unknown.join(', ')} is not known here`);
  const values = new Map(Object.entries(context).map(([key, value]) => [key.toLowerCase(), list(value)]));
  return (
    list(statement.Action).some((each) => wildcard(each, 'i').test(action)) &&
    list(statement.Resource).some((each) => wildcard(each).test(resource)) &&
    Object.entries(statement.Condition ?? {}).every(([operator, keys]) =>
      Object.entries(keys).every(([key, wanted]) => holds(operator, list(wanted), values.get(key.toLowerCase()))),
    )
  );
}

function decideAlone(policies: readonly JsonPolicy[], call: Call): Decision {
  const effects = policies
    .flatMap(({ Statement }) => Statement)
    .filter((statement) => applies(statement, call))
    .map(({ Effect }) => Effect);
  if (effects.includes('Deny')) return 'explicitly denied';
  return effects.includes('Allow') ? 'allowed' : 'denied';
}

/** All policies of a role together; a boundary has to allow the call as well. */
export function decide(policies: readonly JsonPolicy[], call: Call, boundary?: JsonPolicy): Decision {
  const decisions = [decideAlone(policies, call), ...(boundary === undefined ? [] : [decideAlone([boundary], call)])];
  if (decisions.includes('explicitly denied')) return 'explicitly denied';
  return decisions.every((each) => each === 'allowed') ? 'allowed' : 'denied';
}
