/** The drift table: attributes of related resources in the account: role, key, logs, Terraform state. */
import { type AttributeEntry, by } from './attribute-entry.ts';

export const ACCOUNT_ATTRIBUTES = {
  'role.policies': {
    ...by('GetAccountAuthorizationDetails', 'role'),
    severity: 'critical',
    steps: ['apply'],
    security: true,
    terraform: ['', '_policy', '_policies_exclusive', '_policy_attachments_exclusive'].map(
      (suffix) => `aws_iam_role${suffix}.*`,
    ),
    compares: "Trust, attached and inline policies of the host's role.",
  },
  'key.policy': {
    ...by('GetKeyPolicy, ListGrants', 'key'),
    severity: 'critical',
    steps: ['apply'],
    security: true,
    terraform: ['aws_kms_key.*'],
    compares:
      "The policy of the enclave's key; no statement or grant leads to a plaintext without an attestation, or with one of zeros. A key the record names is `foreign`, and reported only.",
  },
  'key.state': {
    ...by('DescribeKey', 'key'),
    severity: 'critical',
    steps: [],
    terraform: ['aws_kms_key.is_enabled', 'aws_kms_alias.*'],
    compares: 'The key is enabled.',
  },
  'logs.group': {
    ...by('DescribeLogGroups', 'logGroup'),
    severity: 'low',
    steps: ['apply'],
    terraform: ['aws_cloudwatch_log_group.*'],
    compares: 'The log group exists, with `logs.retentionDays` and `logs.kmsKeyArn`.',
  },
  'terraform.state': {
    ...by('ListObjectsV2 of S3', 'terraform'),
    severity: 'medium',
    steps: [],
    compares:
      'The Terraform state exists, and no lock on it is older than any run may become. See [Terraform states](#terraform-states).',
  },
  orphans: {
    ...by('the lists above, joined with the lifecycles', 'strays'),
    severity: 'high',
    steps: [],
    owned: 'foreign',
    compares: 'Every resource of an enclave has an owner. No enclave has this finding: see [Orphans](#orphans).',
  },
} as const satisfies Readonly<Record<string, AttributeEntry>>;
