/** What a cancelled DynamoDB transaction, or a write beside one, means. */
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { OperatorError } from '../../reconciler/ports/index.ts';

/**
 * For `call`: `conflict` where another writer was first. DynamoDB gives one reason an item; a throttled item beside a
 * failed condition is a conflict, since the condition fails whatever the rest does.
 */
export function lostRace(operation: string): (error: Error) => 'conflict' | undefined {
  return (error) => {
    if (error.name === 'ConditionalCheckFailedException' || error.name === 'TransactionConflictException') {
      return 'conflict';
    }
    if (!(error instanceof TransactionCanceledException)) return undefined;
    const codes = (error.CancellationReasons ?? []).map((reason) => reason.Code);
    if (codes.some((code) => code === 'ConditionalCheckFailed' || code === 'TransactionConflict')) return 'conflict';
    const throttled = codes.some((code) => code === 'ThrottlingError' || code === 'ProvisionedThroughputExceeded');
    const causes = codes.filter((code) => code !== undefined && code !== 'None').join(', ') || 'no reason given';
    throw new OperatorError(throttled ? 'Throttled' : 'Terminal', operation, `transaction cancelled: ${causes}`, {
      cause: error,
    });
  };
}
