/** The leader's lease in DynamoDB. */
import { type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { LeaseSchema } from '../../enclave/items/fleet.ts';
import { keys } from '../../enclave/items/items.ts';
import type { LeaseStore } from '../../reconciler/ports/index.ts';
import { call, onNames } from '../errors.ts';
import { absent, conditionInput, equal } from './expressions.ts';
import { toItem } from './marshal.ts';
import { readOrRefuse } from './stored.ts';
import { openTable } from './table.ts';

/**
 * Caveat: a `replace` whose answer was lost and which the SDK sent again reads `lost` although it was taken; the holder
 * sees its own name at the next `read`.
 */
export function createLeaseStore(client: DynamoDBClient, stateTable: string): LeaseStore {
  const table = openTable(client, stateTable);
  return {
    async read() {
      return readOrRefuse(LeaseSchema, await table.get(keys.lease, 'fleet/lease'), 'leases.read', 'fleet/lease');
    },

    async replace(next, expectedNonce) {
      const input = {
        TableName: stateTable,
        Item: toItem({ ...next, ...keys.lease }),
        ...conditionInput(expectedNonce === undefined ? absent('pk') : equal('nonce', expectedNonce)),
      };
      const answer = await call(
        'dynamodb:PutItem',
        'fleet/lease',
        () => client.send(new PutItemCommand(input)),
        onNames('lost' as const, 'ConditionalCheckFailedException'),
      );
      return answer === 'lost' ? 'lost' : 'taken';
    },
  };
}
