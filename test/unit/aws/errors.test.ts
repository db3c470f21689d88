import { describe, expect, it } from 'vitest';
import { call, onNames, operatorError } from '../../../src/aws/errors.ts';
import { OperatorError } from '../../../src/reconciler/ports/index.ts';

function sdkError(name: string, more: object = { $metadata: { httpStatusCode: 400 } }): Error {
  return Object.assign(new Error('the service said so'), { name }, more);
}

describe('what an SDK error means', () => {
  it.each([
    ['Throttled', sdkError('ProvisionedThroughputExceededException')],
    ['Throttled', sdkError('ThrottlingException')],
    ['Throttled', sdkError('RequestLimitExceeded', { $metadata: { httpStatusCode: 503 } })],
    ['Throttled', sdkError('TooManyRequestsException', { $metadata: { httpStatusCode: 429 } })],
    ['Throttled', sdkError('ExecutionLimitExceeded')],
    ['Throttled', sdkError('Whatever', { $metadata: { httpStatusCode: 429 } })],
    ['Throttled', sdkError('Whatever', { $retryable: { throttling: true }, $metadata: {} })],
    ['Transient', sdkError('InternalServerError', { $metadata: { httpStatusCode: 500 } })],
    ['Transient', sdkError('Whatever', { $metadata: { httpStatusCode: 502 } })],
    ['Transient', sdkError('TimeoutError', {})],
    ['Transient', sdkError('Error', { code: 'ECONNREFUSED' })],
    ['Transient', sdkError('Error', { code: 'ECONNRESET', $metadata: {} })],
    ['Transient', sdkError('AbortError', {})],
    ['Transient', sdkError('InsufficientInstanceCapacity')],
    ['Transient', sdkError('ExpiredTokenException')],
    ['Conflict', sdkError('TransactionConflictException')],
    ['Conflict', sdkError('IncorrectInstanceState')],
    ['Blocked', sdkError('AccessDeniedException')],
    ['Blocked', sdkError('UnauthorizedOperation', { $metadata: { httpStatusCode: 403 } })],
    ['Blocked', sdkError('ResourceNotFoundException')],
    ['Blocked', sdkError('UnrecognizedClientException')],
    ['Blocked', sdkError('CredentialsProviderError', {})],
    ['Blocked', sdkError('StateMachineDoesNotExist')],
    ['Terminal', sdkError('ValidationException')],
    ['Terminal', sdkError('SomethingNew', { $metadata: { httpStatusCode: 404 } })],
  ])('%s: %s', (expected, error) => {
    const thrown = operatorError('svc:Op', 'enclave e-1', error);
    expect(thrown).toBeInstanceOf(OperatorError);
    expect(thrown).toMatchObject({ class: expected, operation: 'svc:Op', cause: error });
  });

  it('says what happened, on which enclave, and what to do', () => {
    const thrown = operatorError('dynamodb:GetItem', 'enclave e-1', sdkError('AccessDeniedException'));
    expect(String(thrown)).toBe(
      "OperatorError: dynamodb:GetItem: enclave e-1: AccessDeniedException: the service said so (grant the operator's role this action)",
    );
  });

  it('leaves faults of this program, and errors that are read already, as they are', () => {
    const fault = new TypeError('undefined is not a function');
    const known = new OperatorError('Transient', 'a:B', 'x');
    expect(operatorError('svc:Op', 's', fault)).toBe(fault);
    expect(operatorError('svc:Op', 's', known)).toBe(known);
    expect(operatorError('svc:Op', 's', 'text')).toBe('text');
  });

  it('makes expected failures values, and only those', async () => {
    const failing = (name: string) => () => Promise.reject(sdkError(name));
    const conflict = onNames('conflict' as const, 'ConditionalCheckFailedException');
    expect(await call('a:B', 's', failing('ConditionalCheckFailedException'), conflict)).toBe('conflict');
    await expect(call('a:B', 's', failing('ValidationException'), conflict)).rejects.toMatchObject({
      class: 'Terminal',
    });
    expect(await call('a:B', 's', () => Promise.resolve(5), conflict)).toBe(5);
  });
});
