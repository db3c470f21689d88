/** Digests of what surrounds a host: equal meanings have equal ones, whoever took them, before or after AWS. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, isPlainMap, type JsonMap, type JsonValue } from './json.ts';

/** One peer of one rule of a security group. */
export interface GroupRule {
  readonly direction: 'ingress' | 'egress';
  /** `tcp`, `udp`, or `-1` for all. */
  readonly protocol: string;
  readonly fromPort: number;
  readonly toPort: number;
  /** An address range, a prefix list, a group, or `self`. */
  readonly peer: string;
}

const text = z.string().max(256).optional();
/** What the last apply left in the Terraform state: by what it is found again, and digests of how it should be. */
export const MadeSchema = z.looseObject({
  groupId: text,
  rules: text,
  trust: text,
  attached: text,
  inline: text,
  /** Of the enclave's own key. */
  keyArn: text,
  keyPolicy: text,
  /** As the provider keeps it: SHA-1, in hexadecimal. */
  userData: text,
});
export type Made = z.infer<typeof MadeSchema>;

/** 132 bits of a SHA-256: nobody makes another policy to the same digest. */
function digest(value: string): string {
  return createHash('sha256').update(value).digest('base64url').slice(0, 22);
}

/** Of names, in whatever order and however often each is told. */
export function namesDigest(names: readonly string[]): string {
  return digest([...new Set(names)].sort().join('\n'));
}

export function ruleText({ direction, protocol, fromPort, toPort, peer }: GroupRule): string {
  // All protocols have no ports.
  const ports = protocol === '-1' ? 'all' : `${protocol} ${fromPort}-${toPort}`;
  return `${direction} ${ports} ${peer}`;
}

/** Of rules, however they were put together; descriptions do not count. */
export function rulesDigest(rules: readonly GroupRule[]): string {
  return namesDigest(rules.map(ruleText));
}

/** Of a policy's JSON text; undefined: it is none. */
export function policyDigest(policy: string | undefined): string | undefined {
  const document = parsePolicyDocument(policy);
  return document === undefined ? undefined : digest(canonicalJson(normal(document)));
}

/** Of inline policies by their names; undefined where one of them is none. */
export function policiesDigest(policies: Readonly<Record<string, string>>): string | undefined {
  const lines: string[] = [];
  for (const [name, policy] of Object.entries(policies)) {
    const own = policyDigest(policy);
    if (own === undefined) return undefined;
    lines.push(`${name} ${own}`);
  }
  return namesDigest(lines);
}

export function parsePolicyDocument(policy: string | undefined): JsonMap | undefined {
  if (policy === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(policy);
    return isPlainMap(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Without the order of statements and of lists, and with a list of one as its member, as AWS writes it. */
function normal(value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value)) {
    const members = value.map((each) => normal(each) ?? null);
    const sorted = [...new Map(members.map((each) => [canonicalJson(each), each])).entries()].sort(([a], [b]) =>
      a < b ? -1 : 1,
    );
    return sorted.length === 1 ? sorted[0]?.[1] : sorted.map(([, each]) => each);
  }
  if (!isPlainMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, normal(member)]));
}
