/** Ignore rules: somebody has decided that an attribute, or a class of them, may differ for a while. */
import type { Attribute } from './attributes.ts';

export interface IgnoreRule {
  /** `tags`, `host.ami`, or `host` for all that begin with `host.`. */
  readonly path: string;
  readonly reason: string;
  /** RFC 3339. From then on, and where it is no time, the rule does not hold. */
  readonly expires: string;
}

/** The rule that lets an attribute differ at this time, ms; undefined: none does. Policies stored long ago have no rules. */
export function ignoredBy(
  rules: readonly IgnoreRule[] | undefined,
  attribute: Attribute,
  nowMs: number,
): IgnoreRule | undefined {
  const covers = ({ path }: IgnoreRule) => attribute === path || attribute.startsWith(`${path}.`);
  return rules?.find((rule) => nowMs < Date.parse(rule.expires) && covers(rule));
}
