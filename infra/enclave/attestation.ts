/** KMS keys that only an attested enclave can use: the enclave's own key, and what its role may do with another. */
import { pcr3OfRole } from '../../src/enclave/measurements.ts';
import type { EnclaveSpec } from '../../src/enclave/spec/types.ts';
import { type PolicyDocument, policy, type Statement } from './iam.ts';
import type { Place } from './place.ts';

/** Operations that KMS can bind to an attestation; see "Condition keys for attested platforms" of its documentation. */
const ATTESTED = ['kms:Decrypt', 'kms:DeriveSharedSecret', 'kms:GenerateDataKey', 'kms:GenerateDataKeyPair'];

/** No way to a plaintext is among them: neither Decrypt nor a data key, a re-encryption or a grant. */
const ADMINISTRATION = [
  'kms:CancelKeyDeletion',
  'kms:CreateAlias',
  'kms:DeleteAlias',
  'kms:DescribeKey',
  'kms:DisableKey',
  'kms:EnableKey',
  'kms:EnableKeyRotation',
  'kms:Encrypt',
  'kms:GetKeyPolicy',
  'kms:GetKeyRotationStatus',
  'kms:ListResourceTags',
  'kms:PutKeyPolicy',
  'kms:ScheduleKeyDeletion',
  'kms:TagResource',
  'kms:UntagResource',
  'kms:UpdateAlias',
  'kms:UpdateKeyDescription',
];

/** What tells whether a key is as it was made. */
const OBSERVATION = ['kms:DescribeKey', 'kms:GetKeyPolicy', 'kms:ListGrants'];

type Condition = NonNullable<Statement['Condition']>;

/** One condition for each set of measurements, any of which is enough; empty where nothing binds to an image. */
export function attestationConditions({ attestation }: EnclaveSpec, roleArn: string): readonly Condition[] {
  const { bindPcr3, bindPcr8, expectedMeasurements } = attestation;
  return expectedMeasurements.flatMap(({ pcr0, pcr1, pcr2, pcr8 }) => {
    const image = Object.entries({ PCR0: pcr0, PCR1: pcr1, PCR2: pcr2, ...(bindPcr8 ? { PCR8: pcr8 } : {}) });
    const bound = image.flatMap(([register, value]) => (value === undefined ? [] : [[register, value] as const]));
    // The role alone would admit whatever image its host runs.
    if (bound.length === 0) return [];
    const registers = bindPcr3 ? [...bound, ['PCR3', pcr3OfRole(roleArn)] as const] : bound;
    const keys = registers.map(([register, value]) => [`kms:RecipientAttestation:${register}`, value]);
    return [{ StringEqualsIgnoreCase: Object.fromEntries(keys) }];
  });
}

/** A key is made where the enclave speaks to KMS, says what it measures and names no key of its own. */
export function wantsOwnKey(spec: EnclaveSpec, { roleArn }: Place): boolean {
  return (
    spec.awsServices.includes('kms') &&
    spec.attestation.kmsKeyArn === undefined &&
    attestationConditions(spec, roleArn).length > 0
  );
}

/**
 * The policy of the enclave's own key.
 *
 * Guarantees: nobody gets at a plaintext without the attestation, the account's root and its IAM policies included.
 * Caveats: an administrator can put another policy, which CloudTrail records.
 */
export function keyPolicy(spec: EnclaveSpec, place: Place): PolicyDocument {
  const { facts, roleArn } = place;
  if (facts.keyAdministratorArns.length === 0) {
    throw new Error('keyAdministratorArns of the platform is empty: KMS refuses a key that nobody could administrate');
  }
  // In a key's policy `*` is the key itself.
  const Resource = ['*'];
  return policy([
    {
      Sid: 'Administration',
      Effect: 'Allow',
      Principal: { AWS: facts.keyAdministratorArns },
      Action: ADMINISTRATION,
      Resource,
    },
    ...(facts.keyObserverArns.length === 0
      ? []
      : [
          {
            Sid: 'Observation',
            Effect: 'Allow' as const,
            Principal: { AWS: facts.keyObserverArns },
            Action: OBSERVATION,
            Resource,
          },
        ]),
    ...attestationConditions(spec, roleArn).map(
      (Condition, index): Statement => ({
        Sid: `AttestedEnclave${index + 1}`,
        Effect: 'Allow',
        Principal: { AWS: roleArn },
        Action: ATTESTED,
        Resource,
        Condition,
      }),
    ),
  ]);
}

/** What the role may do with the key the spec names: only for an attested enclave, and for the measured ones if given. */
export function foreignKeyStatements(spec: EnclaveSpec, { facts, roleArn }: Place): readonly Statement[] {
  const { kmsKeyArn } = spec.attestation;
  if (kmsKeyArn === undefined) return [];
  const [, , , region, accountId, name = ''] = kmsKeyArn.split(':');
  const isAlias = name.startsWith('alias/');
  // IAM knows keys only; what an alias points to is a condition.
  const resource = isAlias ? `arn:${facts.partition}:kms:${region}:${accountId}:key/*` : kmsKeyArn;
  const alias: Condition = isAlias ? { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': name } } : {};
  const measured = attestationConditions(spec, roleArn);
  const conditions: readonly Condition[] =
    measured.length > 0 ? measured : [{ Null: { 'kms:RecipientAttestation:ImageSha384': 'false' } }];
  return conditions.map((condition, index) => ({
    Sid: `AttestedEnclave${index + 1}`,
    Effect: 'Allow',
    Action: ATTESTED,
    Resource: [resource],
    Condition: { ...condition, ...alias },
  }));
}
