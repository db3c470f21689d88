/** References: what a record names that is not part of it, and whether the environment allows records to name it. */
import { error, type Findings, warn } from './issues.ts';
import type { Draft, SpecContext } from './types.ts';

/**
 * An entry of the allow list: a full name, or the beginning of names with a `*` at its end. AMIs, groups and subnets
 * by their full ids alone; `publicIp` allows public addresses. No commas: the environment holds the list as one text.
 */
export const ALLOWED_REFERENCE =
  /^(?:arn:aws[a-z-]*:(?:secretsmanager|ssm|kms):[^*,\s]+\*?|s3:\/\/[a-z0-9.-]+\/[^*,\s]*\*?|\/[^*,\s]+\*?|(?:ami|sg|subnet)-[0-9a-f]{8,17}|publicIp)$/;
export const ALLOWED_REFERENCE_FORM =
  'the ARN of a secret, an SSM parameter or a KMS key, an s3:// URI, the name of an SSM parameter (each may end in *), the id of an AMI, a security group or a subnet, or publicIp';

/** Amazon's own machine images: public, and the only parameters the runner may read unasked. */
const AMAZON_IMAGES = '/aws/service/ami-amazon-linux-latest/';

interface Reference {
  readonly field: string;
  /** In words, without the name itself: findings of the operator are published. */
  readonly what: string;
  readonly name: string;
}

function referencesOf({ secrets, eif, registryCredentialsArn, attestation, host }: Draft): readonly Reference[] {
  const found: Reference[] = [];
  const refer = (field: string, what: string, name: string | undefined) => {
    if (name !== undefined) found.push({ field: `providerConfig.${field}`, what, name });
  };
  for (const { name, secretArn, kmsCiphertextUri } of secrets ?? []) {
    refer('secrets', `the secret or parameter of ${name}`, secretArn);
    refer('secrets', `the S3 object of ${name}`, kmsCiphertextUri);
  }
  refer('eif.uri', 'an S3 object', eif?.uri);
  refer('registryCredentialsArn', 'a registry login', registryCredentialsArn);
  refer('attestation.kmsKeyArn', 'a KMS key', attestation?.kmsKeyArn);
  refer('host.amiId', 'a machine image', host?.amiId);
  if (host?.amiSsmParameter?.startsWith(AMAZON_IMAGES) !== true) {
    refer('host.amiSsmParameter', 'a parameter', host?.amiSsmParameter);
  }
  refer('host.subnetId', 'a subnet', host?.subnetId);
  for (const id of host?.securityGroupIds ?? []) refer('host.securityGroupIds', `the security group ${id}`, id);
  if (host?.publicIp === true) refer('host.publicIp', 'a public address', 'publicIp');
  return found;
}

function isAllowed(name: string, allowed: readonly string[]): boolean {
  return allowed.some((entry) => (entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry));
}

/** Every other environment may hold what is not the record's owner's. */
function isDevelopment(environment: string): boolean {
  return /^dev(elopment)?$/i.test(environment);
}

/**
 * A record chooses what its enclave's host may read and where it stands, and its writer need not own any of that. So
 * what the environment does not name is refused; with `isApplied` only reported: what runs keeps running.
 */
export function checkReferences(draft: Draft, context: SpecContext, isApplied: () => boolean, to: Findings): void {
  const { environment, allowedReferences = [] } = context;
  const unlistedReferences = referencesOf(draft).filter(({ name }) => !isAllowed(name, allowedReferences));
  // Comparing with the applied spec may hash both, at every look, and most records have nothing unlisted.
  const keeps = unlistedReferences.length > 0 && !isDevelopment(environment) && isApplied();
  for (const { field, what, name } of unlistedReferences) {
    const refers = `${field} ${name === 'publicIp' ? 'asks for' : 'refers to'} ${what}`;
    const unlisted = `${refers}, which allowedReferences of the environment ${environment} does not list`;
    if (!isDevelopment(environment) && !keeps) {
      const fix = 'Remove it, or ask the platform team to add it to allowedReferences.';
      error(to, field, 'REFERENCE_NOT_ALLOWED', unlisted, fix);
    } else if (keeps) {
      const fix =
        'The enclave keeps running, but the operator refuses every edit that keeps this reference. Remove it, or ask the platform team to add it to allowedReferences.';
      warn(to, field, 'REFERENCE_NOT_ALLOWED', unlisted, fix);
    } else {
      const message = `${refers}, which allowedReferences does not list; ${environment} allows it, other environments refuse it unless theirs lists it`;
      const fix = 'Add it to allowedReferences of every other environment that deploys this record.';
      warn(to, field, 'REFERENCE_NOT_ALLOWED', message, fix);
    }
  }
}
