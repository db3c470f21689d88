/** What an SDK error means to the operator: one table for all services. */
import { OperatorError, type OperatorErrorClass } from '../reconciler/ports/index.ts';

/** What AWS' errors have in common. Network errors have `code` and no `$metadata`. */
interface SdkError extends Error {
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number | undefined };
  readonly $retryable?: { readonly throttling?: boolean | undefined };
}

const THROTTLED = new Set([
  'BandwidthLimitExceeded',
  'EC2ThrottledException',
  'ExecutionLimitExceeded',
  'LimitExceededException',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingError',
  'ThrottlingException',
  'TooManyRequestsException',
]);

/** Another writer, or an EC2 state that has moved on: read again, decide again. */
const CONFLICT = new Set([
  'ConditionalCheckFailedException',
  'IncorrectInstanceState',
  'IncorrectState',
  'InvalidInstanceID.NotFound',
  'TransactionConflictException',
  'TransactionInProgressException',
]);

/** A person must act: permission, credentials, or a part of the platform that is not there. */
const BLOCKED: ReadonlyMap<string, string> = new Map([
  ...[
    'AccessDenied',
    'AccessDeniedException',
    'AuthFailure',
    'AuthorizationErrorException',
    'KMSAccessDeniedException',
    'NotAuthorized',
    'OptInRequired',
    'UnauthorizedOperation',
  ].map((name): [string, string] => [name, "grant the operator's role this action"]),
  ...[
    'CredentialsProviderError',
    'IncompleteSignature',
    'InvalidClientTokenId',
    'InvalidSignatureException',
    'MissingAuthenticationToken',
    'SignatureDoesNotMatch',
    'UnrecognizedClientException',
  ].map((name): [string, string] => [name, "check the operator's credentials and region"]),
  ...[
    'ClusterNotFoundException',
    'InvalidDocument',
    'NotFoundException',
    'ResourceNotFoundException',
    'StateMachineDeleting',
    'StateMachineDoesNotExist',
  ].map((name): [string, string] => [
    name,
    'deploy the platform, or check region, prefix and table names in the configuration',
  ]),
]);

const TRANSIENT = new Set([
  'AbortError',
  'ExpiredToken',
  'ExpiredTokenException',
  'InsufficientInstanceCapacity',
  'InternalError',
  'InternalFailure',
  'InternalServerError',
  'InvalidInstanceId',
  'RequestExpired',
  'RequestTimeout',
  'RequestTimeoutException',
  'ServerException',
  'ServiceUnavailable',
  'TimeoutError',
  'Unavailable',
]);

const NETWORK_CODES = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** The class, and what to do about it; undefined where the error is none of the SDK's: a fault of this program. */
function classify(error: SdkError): { readonly class: OperatorErrorClass; readonly fix: string } | undefined {
  const status = error.$metadata?.httpStatusCode;
  const blocked = BLOCKED.get(error.name);
  if (THROTTLED.has(error.name) || error.$retryable?.throttling === true || status === 429) {
    return { class: 'Throttled', fix: 'tried again later, and less often' };
  }
  if (CONFLICT.has(error.name)) return { class: 'Conflict', fix: 'read again and decided again' };
  if (blocked !== undefined) return { class: 'Blocked', fix: blocked };
  if (
    TRANSIENT.has(error.name) ||
    (status !== undefined && status >= 500) ||
    (typeof error.code === 'string' && NETWORK_CODES.has(error.code))
  ) {
    return { class: 'Transient', fix: 'tried again' };
  }
  if (status !== undefined)
    return { class: 'Terminal', fix: 'trying again does not help; the message names the cause' };
  return undefined;
}

/** The name of an SDK error, which is its code in the service's documentation; empty for anything else. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/**
 * The error to throw for what the SDK threw.
 *
 * Caveat: the message is the service's own and may hold ARNs and account ids. It belongs in logs, never in a record.
 *
 * @param subject what the call was about, e.g. `enclave abc`.
 */
export function operatorError(operation: string, subject: string, error: unknown): unknown {
  if (error instanceof OperatorError || !(error instanceof Error)) return error;
  const verdict = classify(error as SdkError);
  if (verdict === undefined) return error;
  const message = `${subject}: ${error.name}: ${error.message || 'no message'} (${verdict.fix})`;
  return new OperatorError(verdict.class, operation, message, { cause: error });
}

/**
 * Runs one call of the SDK. Expected failures become values through `expected`; every other one is thrown as an
 * `OperatorError`, and what the SDK never throws (a fault of this program) as it is.
 */
export async function call<T, E = never>(
  operation: string,
  subject: string,
  send: () => Promise<T>,
  expected?: (error: Error) => E | undefined,
): Promise<T | E> {
  try {
    return await send();
  } catch (error) {
    const value = error instanceof Error ? expected?.(error) : undefined;
    if (value !== undefined) return value;
    throw operatorError(operation, subject, error);
  }
}

/** For `call`: the value that stands for errors of these names. */
export function onNames<E>(value: E, ...names: readonly string[]): (error: Error) => E | undefined {
  return (error) => (names.includes(error.name) ? value : undefined);
}
