/** Planned findings: what the last plan of an enclave says differs, in the words of the comparison. Pure. */

import type { Lifecycle } from '../enclave/items/lifecycle.ts';
import type { Difference } from '../enclave/items/plan.ts';
import { isResourceType, RESOURCE_TYPES, type ResourceType, type ResourceTypeName } from '../enclave/resource-types.ts';
import { ATTRIBUTES, type Attribute, baseOf, ENTRIES, type Finding, ROWS } from './index.ts';

/** By `type.attribute`. */
const BY_TERRAFORM_NAME: ReadonlyMap<string, Attribute> = new Map(
  ATTRIBUTES.flatMap((attribute) => (ENTRIES[attribute].terraform ?? []).map((name) => [name, attribute] as const)),
);
type MappedType = Omit<ResourceType, 'drift'> & { readonly drift?: Attribute };
const BY_TYPE: Readonly<Record<ResourceTypeName, MappedType>> = RESOURCE_TYPES;
/** What no row is about, and the enclave stack sets all the same. */
const OTHERWISE: Attribute = 'terraform.state';
/** Resources named in one finding. */
const MOST_NAMED = 5;

const typeOf = (address: string) => address.split('.')[0] ?? '';

function attributesOf({ address, attributes }: Difference): readonly Attribute[] {
  const type = typeOf(address);
  // A host that is gone, or would be another.
  if (type === 'aws_instance' && attributes.includes('*')) return ['host.exists'];
  const others = isResourceType(type) ? BY_TYPE[type].drift : undefined;
  return attributes.map((name) => BY_TERRAFORM_NAME.get(`${type}.${name}`) ?? others ?? OTHERWISE);
}

/**
 * What the last plan says differs of the generation that was applied: until a run of any kind has ended since, or
 * another generation is wanted.
 */
export function plannedFindings(lifecycle: Lifecycle): readonly Finding[] {
  const { planned, ranAt, run, generation, observedGeneration } = lifecycle;
  if (planned?.verdict !== 'Drift' || run !== undefined) return [];
  if (planned.generation !== observedGeneration || generation !== observedGeneration) return [];
  if (ranAt !== undefined && Date.parse(ranAt) >= Date.parse(planned.askedAt)) return [];
  const found = new Map<Attribute, string[]>();
  for (const difference of planned.differences ?? []) {
    for (const attribute of new Set(attributesOf(difference))) {
      found.set(attribute, [...(found.get(attribute) ?? []), textOf(difference)]);
    }
  }
  return ROWS.flatMap((row): readonly Finding[] => {
    const texts = found.get(row.attribute);
    if (texts === undefined) return [];
    const { attribute, severity, owned, security } = row;
    // Terraform replaces a host for nothing but what differs of the host.
    const rung = row.rung === 'replace' && !texts.some((text) => typeOf(text) === 'aws_instance') ? 'apply' : row.rung;
    const observed = texts.slice(0, MOST_NAMED).join('; ');
    const difference = { verdict: 'Drift', observed, observedAt: Date.parse(planned.askedAt) } as const;
    return [{ attribute, desired: 'as it was applied', severity, rung, owned, security, ...difference }];
  });
}

/** Addresses and names of the stack's own; no value of anything is in them. */
function textOf({ address, attributes }: Difference): string {
  return attributes.includes('*') ? address : `${address} (${attributes.join(', ')})`;
}

/**
 * Joined with what was observed: whatever a later look decides, be it that all is well, counts instead of the plan.
 *
 * `decidedAt`: when an attribute was last decided by a look, ms; undefined: none has.
 */
export function withPlanned(
  observed: readonly Finding[],
  lifecycle: Lifecycle,
  decidedAt: (attribute: Attribute) => number | undefined,
): readonly Finding[] {
  const plannedAt = Date.parse(lifecycle.planned?.askedAt ?? '');
  const standing = plannedFindings(lifecycle).filter(({ attribute }) => {
    const decided = decidedAt(attribute);
    return decided === undefined || decided < plannedAt;
  });
  const seen = new Set(observed.filter(({ verdict }) => verdict === 'Drift').map(({ attribute }) => attribute));
  const added = standing.filter(({ attribute }) => !seen.has(attribute));
  const replaced = new Set(added.map(({ attribute }) => attribute));
  return [...observed.filter(({ attribute }) => !replaced.has(attribute)), ...added];
}

/**
 * What differs of the state as an object, if anything does. Without it, Terraform would make everything anew; a lock that
 * no run holds any more may keep the next one out. Both are told, and left to a person.
 */
export function stateFinding(
  { isMissing, isLockStale }: { readonly isMissing: boolean; readonly isLockStale: boolean },
  observedAt: number,
): readonly Finding[] {
  if (!isMissing && !isLockStale) return [];
  const verdict = 'Drift' as const;
  const desired = [...(isMissing ? ['present=true'] : []), ...(isLockStale ? ['lockStale=false'] : [])].join(', ');
  const observed = [...(isMissing ? ['present=false'] : []), ...(isLockStale ? ['lockStale=true'] : [])].join(', ');
  return [{ attribute: OTHERWISE, desired, observed, verdict, ...baseOf(OTHERWISE), observedAt }];
}
