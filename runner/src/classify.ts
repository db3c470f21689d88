/** From Terraform's diagnostics to the class of the failure, a message anyone may read, and a fix. */
import type { ErrorClass } from '../../src/enclave/items/run.ts';
import { scrub } from '../../src/enclave/scrub.ts';
import type { Diagnostic } from './engine/port.ts';

export interface Classified {
  readonly class: ErrorClass;
  readonly message: string;
  readonly fix: string;
}

/**
 * The first rule that matches wins. Sources: the error codes of the EC2 API reference (client and server errors), of
 * IAM, S3, KMS and CloudWatch Logs; Terraform's own messages in `internal/command` and `internal/backend`.
 */
const RULES: readonly (readonly [ErrorClass, RegExp])[] = [
  ['cancelled', /^execution halted|^operation cancell?ed|context canceled/im],
  // Another Terraform held or changed the state: the next run finds it free.
  ['locked', /error (?:acquiring|locking) (?:the )?state|state (?:blob is )?(?:already )?locked|saved plan is stale/i],
  [
    'throttled',
    /\b(?:RequestLimitExceeded|Throttl(?:ing|ed)(?:Exception)?|RequestThrottled(?:Exception)?|EC2ThrottledException|TooManyRequestsException|ProvisionedThroughputExceeded(?:Exception)?|BandwidthLimitExceeded|PriorRequestNotComplete|SlowDown|LimitExceededException: Rate)\b|rate exceeded/i,
  ],
  [
    'capacity',
    /\b(?:Insufficient(?:Instance|Host|ReservedInstance|Address|Volume)?Capacity|InsufficientFreeAddressesInSubnet|PendingVerification|Server\.InternalError|ServiceUnavailable)\b/i,
  ],
  [
    'quota',
    /\b(?:\w*LimitExceeded(?:Exception|Fault)?|ServiceQuotaExceeded(?:Exception)?|TooManyBuckets|QuotaExceeded)\b|quota (?:has been |was )?exceeded/i,
  ],
  // A profile that IAM has made and EC2 does not see yet: nothing is wrong with the spec.
  ['unknown', /Invalid IAM Instance Profile/i],
  [
    'permission',
    /\b(?:UnauthorizedOperation|AccessDenied(?:Exception)?|AuthFailure|OptInRequired|InvalidClientTokenId|ExpiredToken(?:Exception)?|SignatureDoesNotMatch|UnrecognizedClientException|MissingAuthenticationToken(?:Exception)?|Blocked)\b|not authorized to perform|no valid credential sources|explicit deny/i,
  ],
  [
    'state',
    /state data in S3 does not have the expected content|error (?:loading|saving|refreshing|reading) (?:the )?state|failed to (?:load|save|persist|read) (?:the )?state|state snapshot was created by Terraform v|unsupported state file format|backend (?:initialization required|configuration changed)|\b(?:EntityAlreadyExists|InvalidGroup\.Duplicate|ResourceAlreadyExists(?:Exception)?|BucketAlreadyExists|BucketAlreadyOwnedByYou)\b/i,
  ],
  [
    'bootstrap',
    /failed to (?:install|query available) provider|required plugins are not installed|failed to instantiate provider|plugin did not respond|could not load plugin/i,
  ],
  [
    'timeout',
    /timeout while waiting for|context deadline exceeded|i\/o timeout|TLS handshake timeout|\bRequestTimeout(?:Exception)?\b|timed out waiting/i,
  ],
  [
    'validation',
    /\b(?:Invalid(?:Parameter(?:Value|Combination)?|AMIID\.\w+|InstanceType|BlockDeviceMapping|KeyPair\.NotFound|SubnetID\.NotFound|VpcID\.NotFound|Permission\.Malformed|UserData\.Malformed|Input)|Unsupported(?:Operation|HostConfiguration|InstanceAttribute)?|MissingParameter|MalformedPolicyDocument(?:Exception)?|Validation(?:Error|Exception)|UnknownParameter|VPCIdNotSpecified)\b|(?:invalid|unsupported|missing required|no value for required) (?:value|argument|block|variable|attribute|function argument)|expected \S+ to be (?:one of|in the range)/i,
  ],
];

const FIXES: Readonly<Record<ErrorClass, string>> = {
  validation: 'Correct the field of the record that the message names.',
  quota: 'Ask AWS for a higher quota in this region, choose a smaller instance type, or remove enclaves.',
  capacity: 'It is tried again by itself; another instance type or region may be available at once.',
  throttled: 'It is tried again by itself.',
  locked: 'It is tried again by itself; another Terraform held or changed the state.',
  state: 'Compare the Terraform state with what exists in AWS; the run shows both.',
  permission: "Compare the runner's role with the platform stack; a service control policy may forbid it too.",
  bootstrap: "Check the runner's image and the host's console output.",
  timeout: 'It is tried again by itself; if it goes on, look at the resource in AWS.',
  cancelled: 'Nothing to do.',
  unknown: 'It is tried again by itself; the run shows the whole error.',
};

export function fixFor(errorClass: ErrorClass): string {
  return FIXES[errorClass];
}

/** Characters of a diagnostic that are looked at: the rules are to end soon on any text. */
const LONGEST_TEXT = 8_000;

function classOf(diagnostic: Diagnostic): ErrorClass {
  if (diagnostic.class !== undefined) return diagnostic.class;
  const text = `${diagnostic.summary}\n${diagnostic.detail}`.slice(0, LONGEST_TEXT);
  return RULES.find(([, pattern]) => pattern.test(text))?.[0] ?? 'unknown';
}

/** The error that the stop of the run did not cause; undefined: the stop caused every error, or there is none. */
export function errorBeforeStop(diagnostics: readonly Diagnostic[]): Classified | undefined {
  const own = diagnostics.filter((each) => each.severity === 'error' && classOf(each) !== 'cancelled');
  return own.length === 0 ? undefined : classify(own);
}

/**
 * The first error that is understood names the class and gives the message; where none is, the first one does.
 * Warnings say nothing about a failure.
 */
export function classify(diagnostics: readonly Diagnostic[]): Classified {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const classes = errors.map(classOf);
  const at = Math.max(
    0,
    classes.findIndex((each) => each !== 'unknown'),
  );
  const errorClass = classes[at] ?? 'unknown';
  const summary = scrub(errors[at]?.summary ?? '');
  return {
    class: errorClass,
    message: summary === '' ? 'Terraform failed without an error message.' : summary,
    fix: fixFor(errorClass),
  };
}
