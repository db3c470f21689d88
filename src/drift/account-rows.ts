/** Rows of what surrounds the host: groups, role, key, logs, Terraform state. */
import type { Digested, Observed, Wanted } from './observed.ts';
import { type Facet, facet, type Judgement, judged, type Row } from './row.ts';
import { groupNameOf } from './wanted-values.ts';

const of = (...facets: Facet[]): Judgement => ({ facets });

const sorted = (list: readonly string[] | undefined) => (list === undefined ? undefined : [...new Set(list)].sort());

/** Terraform knows the id of the enclave's own group; its name is fixed. */
function groups(wanted: Wanted, { posture }: Observed): Facet {
  const own = groupNameOf(wanted);
  const extra = wanted.spec.host.securityGroupIds;
  const seen = posture?.groups;
  const others = seen?.filter(({ id }) => !extra.includes(id));
  const lacking = seen !== undefined && extra.some((id) => !seen.some((group) => group.id === id));
  const strangers = others?.filter(({ name }) => name !== undefined && name !== own) ?? [];
  const nameless = others?.some(({ name }) => name === undefined) === true;
  const complete = others?.some(({ name }) => name === own) === true;
  const differs = lacking || strangers.length > 0 || (seen !== undefined && !complete && !nameless);
  const same = seen === undefined ? undefined : differs ? false : nameless ? undefined : true;
  const shown = seen?.map(({ id, name }) => (extra.includes(id) ? id : (name ?? id)));
  return judged('', sorted([own, ...extra]), sorted(shown), same);
}

/** By digest; what is shown is as much as was kept of it. */
function same(name: string, wanted: string | undefined, seen: Digested | undefined): Facet {
  return judged(name, wanted, seen?.says ?? seen?.digest, seen && wanted === seen.digest);
}

/** Whose key it is, and undefined where the enclave uses none. */
function keyOwner({ spec, made }: Wanted): 'operator' | 'foreign' | undefined {
  if (spec.attestation.kmsKeyArn !== undefined) return 'foreign';
  const measures = spec.awsServices.includes('kms') && spec.attestation.expectedMeasurements.length > 0;
  return made?.keyArn !== undefined || measures ? 'operator' : undefined;
}

export const ACCOUNT_ROWS: readonly Row[] = [
  {
    attribute: 'network.groups',
    judge: (wanted, observed) => of(groups(wanted, observed)),
  },
  {
    attribute: 'network.rules',
    judge: ({ made }, { rules }) => of(same('', made?.rules, rules)),
  },
  {
    attribute: 'role.policies',
    judge: ({ made }, { role }) =>
      of(
        same('trust', made?.trust, role?.trust),
        same('attached', made?.attached, role?.attached),
        same('inline', made?.inline, role?.inline),
      ),
  },
  {
    attribute: 'key.policy',
    judge(wanted, { key }) {
      const owned = keyOwner(wanted);
      if (owned === undefined) return undefined;
      const open = facet('bypass', [], key?.bypasses);
      if (owned === 'foreign') return { facets: [open], owned, rung: 'alert' };
      return of(open, facet('grants', [], sorted(key?.grantIds)), same('policy', wanted.made?.keyPolicy, key?.policy));
    },
  },
  {
    attribute: 'key.state',
    judge(wanted, { key }) {
      const owned = keyOwner(wanted);
      if (owned === undefined) return undefined;
      const passing = key?.state === 'Creating' || key?.state === 'Updating';
      return { facets: [facet('', 'Enabled', passing ? undefined : key?.state)], owned };
    },
  },
  {
    attribute: 'logs.group',
    judge({ spec: { logs } }, { logGroup }) {
      const exists = facet('exists', true, logGroup?.exists);
      if (logGroup?.exists === false) return of(exists);
      return of(
        exists,
        facet('retentionDays', logs.retentionDays, logGroup?.retentionDays),
        facet('kmsKeyArn', logs.kmsKeyArn ?? null, logGroup?.kmsKeyArn),
      );
    },
  },
  {
    attribute: 'terraform.state',
    judge: (_wanted, { terraform }) =>
      of(facet('present', true, terraform?.state), facet('lockStale', false, terraform?.lockStale)),
  },
  {
    attribute: 'orphans',
    judge: (_wanted, { strays }) => of(facet('', [], sorted(strays))),
  },
];
