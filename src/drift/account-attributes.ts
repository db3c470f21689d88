/** The drift table: attributes of related resources in the account: role, key, logs, Terraform state. */
import { type AttributeEntry, by } from './attribute-entry.ts';
import { digestFacet, facet, judgement, sorted } from './judgement.ts';
import type { Wanted } from './observed.ts';

/** Whose key it is, and undefined where the enclave uses none. */
function keyOwner({ spec, made }: Wanted): 'operator' | 'foreign' | undefined {
  if (spec.attestation.kmsKeyArn !== undefined) return 'foreign';
  const measures = spec.awsServices.includes('kms') && spec.attestation.expectedMeasurements.length > 0;
  return made?.keyArn !== undefined || measures ? 'operator' : undefined;
}

export const ACCOUNT_ATTRIBUTES = {
  'role.policies': {
    ...by('GetAccountAuthorizationDetails', 'role'),
    severity: 'critical',
    steps: ['apply'],
    security: true,
    compares: "Trust, attached and inline policies of the host's role.",
    judge: ({ made }, { role }) =>
      judgement(
        digestFacet('trust', made?.trust, role?.trust),
        digestFacet('attached', made?.attached, role?.attached),
        digestFacet('inline', made?.inline, role?.inline),
      ),
  },
  'key.policy': {
    ...by('GetKeyPolicy, ListGrants', 'key'),
    severity: 'critical',
    steps: ['apply'],
    security: true,
    compares:
      "The policy of the enclave's key; no statement or grant leads to a plaintext without an attestation, or with one of zeros. A key the record names is `foreign`, and reported only.",
    judge(wanted, { key }) {
      const owned = keyOwner(wanted);
      if (owned === undefined) return undefined;
      const open = facet('bypass', [], key?.bypasses);
      if (owned === 'foreign') return { facets: [open], owned, rung: 'alert' };
      return judgement(
        open,
        facet('grants', [], sorted(key?.grantIds)),
        digestFacet('policy', wanted.made?.keyPolicy, key?.policy),
      );
    },
  },
  'key.state': {
    ...by('DescribeKey', 'key'),
    severity: 'critical',
    steps: [],
    terraform: ['aws_kms_key.is_enabled'],
    compares: 'The key is enabled.',
    judge(wanted, { key }) {
      const owned = keyOwner(wanted);
      if (owned === undefined) return undefined;
      const passing = key?.state === 'Creating' || key?.state === 'Updating';
      return { facets: [facet('', 'Enabled', passing ? undefined : key?.state)], owned };
    },
  },
  'logs.group': {
    ...by('DescribeLogGroups', 'logGroup'),
    severity: 'low',
    steps: ['apply'],
    compares: 'The log group exists, with `logs.retentionDays` and `logs.kmsKeyArn`.',
    judge({ spec: { logs } }, { logGroup }) {
      const exists = facet('exists', true, logGroup?.exists);
      if (logGroup?.exists === false) return judgement(exists);
      return judgement(
        exists,
        facet('retentionDays', logs.retentionDays, logGroup?.retentionDays),
        facet('kmsKeyArn', logs.kmsKeyArn ?? null, logGroup?.kmsKeyArn),
      );
    },
  },
  'terraform.state': {
    ...by('ListObjectsV2 of S3', 'terraform'),
    severity: 'medium',
    steps: [],
    compares:
      'The Terraform state exists, and no lock on it is older than any run may become. See [Terraform states](#terraform-states).',
    judge: (_wanted, { terraform }) =>
      judgement(facet('present', true, terraform?.state), facet('lockStale', false, terraform?.lockStale)),
  },
  orphans: {
    ...by('the lists above, joined with the lifecycles', 'strays'),
    severity: 'high',
    steps: [],
    owned: 'foreign',
    compares: 'Every resource of an enclave has an owner. No enclave has this finding: see [Orphans](#orphans).',
    judge: (_wanted, { strays }) => judgement(facet('', [], sorted(strays))),
  },
} as const satisfies Readonly<Record<string, AttributeEntry>>;
