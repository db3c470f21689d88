/** What AWS tells of rules, roles and keys, as far as it is compared. */
import {
  type GroupRule,
  namesDigest,
  policiesDigest,
  policyDigest,
  rulesDigest,
  ruleText,
} from '../enclave/digests.ts';
import type { Digested, Key, Role } from './observed.ts';
import { bypasses } from './policies.ts';

/** An IAM role; policies are JSON text. */
export interface RoleDocuments {
  readonly trust?: string | undefined;
  readonly attachedArns?: readonly string[] | undefined;
  readonly inline?: Readonly<Record<string, string>> | undefined;
}

/** A KMS key; what is absent was not told. */
export interface KeyDocuments {
  readonly state?: string | undefined;
  /** JSON text. */
  readonly policy?: string | undefined;
  readonly grantIds?: readonly string[] | undefined;
}

/** `says` goes along where somebody wants to read it; otherwise only what is compared is kept. */
function digested(digest: string | undefined, says: () => readonly string[], closely: boolean): Digested | undefined {
  if (digest === undefined) return undefined;
  return closely ? { digest, says: says() } : { digest };
}

export function digestRules(rules: readonly GroupRule[], closely = false): Digested {
  return { digest: rulesDigest(rules), ...(closely ? { says: rules.map(ruleText).sort() } : {}) };
}

export function digestRole({ trust, attachedArns, inline }: RoleDocuments, closely = false): Role {
  return {
    trust: digested(policyDigest(trust), () => [trust ?? ''], closely),
    attached: digested(attachedArns && namesDigest(attachedArns), () => [...(attachedArns ?? [])].sort(), closely),
    inline: digested(inline && policiesDigest(inline), () => Object.keys(inline ?? {}).sort(), closely),
  };
}

export function digestKey({ state, policy, grantIds }: KeyDocuments, closely = false): Key {
  return {
    state,
    policy: digested(policyDigest(policy), () => [policy ?? ''], closely),
    bypasses: bypasses(policy),
    grantIds,
  };
}
