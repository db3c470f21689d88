/** The drift table: attributes of the host's network, and its tags. */
import { type AttributeEntry, by } from './attribute-entry.ts';
import { digestFacet, type Facet, facet, judged, judgement, sorted, unlessLegacy } from './judgement.ts';
import type { Observed, Wanted } from './observed.ts';
import { groupNameOf, isOwnership, tagsOf } from './wanted-values.ts';

const ofHosts = by('DescribeInstances', 'posture');

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

export const NETWORK_ATTRIBUTES = {
  'network.groups': {
    ...ofHosts,
    severity: 'critical',
    steps: ['apply'],
    security: true,
    terraform: ['aws_instance.vpc_security_group_ids'],
    compares: "The enclave's own group, by its name, and `host.securityGroupIds`; no other.",
    judge: (wanted, observed) => judgement(groups(wanted, observed)),
  },
  'network.rules': {
    ...by('DescribeSecurityGroups', 'rules'),
    severity: 'critical',
    steps: ['apply'],
    security: true,
    compares: "The rules of the enclave's own group, all of them.",
    judge: ({ made }, { rules }) => judgement(digestFacet('', made?.rules, rules)),
  },
  'network.publicIp': {
    ...ofHosts,
    severity: 'high',
    steps: ['replace'],
    security: true,
    compares: 'No public address, unless `host.publicIp` asks for one.',
    judge(wanted, observed) {
      if (wanted.spec.host.publicIp) return undefined;
      return unlessLegacy(wanted, facet('', null, observed.posture?.publicIp));
    },
  },
  tags: {
    ...ofHosts,
    severity: 'low',
    steps: ['apply'],
    terraform: ['aws_instance', 'aws_security_group', 'aws_iam_role', 'aws_cloudwatch_log_group', 'aws_kms_key'].map(
      (type) => `${type}.tags`,
    ),
    compares:
      'The tags the operator sets. Severity `medium` where the host has lost `EnclaveId` or `Environment`, by which the operator finds it.',
    judge(wanted, { posture: { tags } = {} }) {
      const facets = Object.entries(tagsOf(wanted)).map(([key, value]) =>
        facet(key, value, tags === undefined ? undefined : Object.hasOwn(tags, key) ? tags[key] : null),
      );
      const lost = facets.some(({ name, verdict }) => verdict === 'Drift' && isOwnership(name));
      return lost ? { facets, severity: 'medium' } : { facets };
    },
  },
} as const satisfies Readonly<Record<string, AttributeEntry>>;
