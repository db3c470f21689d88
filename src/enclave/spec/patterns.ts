/**
 * Patterns of the fields that name something in AWS or in the enclave. Those that could backtrack are tried on short
 * text only (`text` of spec-fields.ts), and none needs a flag: the JSON schema cannot carry one.
 */

export const ENV_NAME = /^[A-Z_][A-Z0-9_]*$/;
/** Free text is data whatever it looks like; only NUL cannot pass to a process. */
export const NO_NUL = /^[^\0]*$/;
export const SHA256 = /^[0-9a-fA-F]{64}$/;
/** A platform configuration register: SHA-384. */
export const PCR = /^[0-9a-fA-F]{96}$/;
/** Characters that end lines, ring bells or delete. */
const CONTROL = '\\u0000-\\u001f\\u007f-\\u009f';
/** An absolute path without spaces. */
export const URL_PATH = new RegExp(`^/[^\\s${CONTROL}]*$`);
export const S3_URI = new RegExp(`^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\\s${CONTROL}]+$`);
export const KMS_KEY_ARN = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)\/[A-Za-z0-9/_-]+$/;
export const SECRET_ARN =
  /^arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+|ssm:[a-z0-9-]+:[0-9]{12}:parameter\/[A-Za-z0-9/_.-]+)$/;
export const AMI_ID = /^ami-[0-9a-f]{8,17}$/;
export const SUBNET_ID = /^subnet-[0-9a-f]{8,17}$/;
export const SECURITY_GROUP_ID = /^sg-[0-9a-f]{8,17}$/;
export const SSM_PARAMETER = /^\/[A-Za-z0-9/_.-]+$/;
/** A host name, `*.domain`, or `*`, with an optional port. */
export const EGRESS_HOST = /^(?:\*|(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::[1-9][0-9]{0,4})?$/;

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
/** IPv4 exactly; IPv6 by its characters: EC2 has the last word. */
export const CIDR = new RegExp(
  `^(?:${OCTET}(?:\\.${OCTET}){3}/(?:3[0-2]|[12]?[0-9])|(?=[^/]*:)[0-9A-Fa-f:]{2,39}/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))$`,
);

/** AWS reserves names that begin with `aws:`, in whatever case. */
export const TAG_NAME = new RegExp(`^(?![aA][wW][sS]:)[^${CONTROL}]+$`);
