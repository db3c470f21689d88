/** Runs over several enclaves in DynamoDB: the ledger of those under way, and the item of each. */
import {
  type DynamoDBClient,
  PutItemCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { FleetLedgerSchema, FleetRunItemSchema } from '../../enclave/items/fleet-run.ts';
import { keys } from '../../enclave/items/items.ts';
import type { FleetRunStore } from '../../reconciler/ports/index.ts';
import { call, onNames } from '../errors.ts';
import { absent, all, atMost, conditionInput, equal, exists } from './expressions.ts';
import { toAttribute, toItem } from './marshal.ts';
import type { StateStoreOptions } from './state.ts';
import { readOr, readOrRefuse } from './stored.ts';
import { openTable } from './table.ts';
import { lostRace } from './transactions.ts';

export function createFleetRunStore(options: StateStoreOptions): FleetRunStore {
  const { client, stateTable, historyTable, expiresAt, log } = options;
  const state = openTable(client, stateTable);
  const history = openTable(client, historyTable);
  return {
    async ledger() {
      const item = await state.get(keys.fleetLedger, 'fleet/drift');
      return readOrRefuse(FleetLedgerSchema, item, 'fleetRuns.ledger', 'fleet/drift');
    },

    async commit({ ledger, readRevision, start }) {
      const asRead =
        readRevision === undefined ? absent('pk') : all(equal('revision', readRevision), atMost('epoch', ledger.epoch));
      const put = {
        TableName: stateTable,
        Item: toItem({ ...ledger, ...keys.fleetLedger }),
        ...conditionInput(asRead),
      };
      return start === undefined ? putAlone(client, put) : putBoth(client, [{ Put: put }, { Put: itemOf(start) }]);
    },

    async run(name) {
      return readOr(FleetRunItemSchema, await history.get(keys.fleetRun(name), `run ${name}`), (problem) =>
        log.warn({ run: name, problem }, 'a malformed run item is left out'),
      );
    },

    async settle(name, outcome) {
      const condition = all(exists('pk'), absent('outcome'));
      const answer = await call(
        'dynamodb:UpdateItem',
        `run ${name}`,
        () =>
          client.send(
            new UpdateItemCommand({
              TableName: historyTable,
              Key: toItem(keys.fleetRun(name)),
              UpdateExpression: 'SET #outcome = :outcome',
              ConditionExpression: condition.text,
              ExpressionAttributeNames: { ...condition.names },
              ExpressionAttributeValues: { ':outcome': toAttribute(outcome) },
            }),
          ),
        onNames('already' as const, 'ConditionalCheckFailedException'),
      );
      return answer === 'already' ? 'already' : 'settled';
    },

    async deliver(results) {
      for (const result of results) {
        const input = {
          TableName: stateTable,
          Item: toItem({ ...result, ...keys.planResult(result.id, result.run) }),
          ...conditionInput(absent('pk')),
        };
        await call(
          'dynamodb:PutItem',
          `a plan result of enclave ${result.id}`,
          () => client.send(new PutItemCommand(input)),
          onNames('exists' as const, 'ConditionalCheckFailedException'),
        );
      }
    },
  };

  function itemOf(run: NonNullable<Parameters<FleetRunStore['commit']>[0]['start']>) {
    const body = { ...run, expiresAt: run.expiresAt ?? expiresAt(), ...keys.fleetRun(run.name) };
    return { TableName: historyTable, Item: toItem(body), ...conditionInput(absent('pk')) };
  }
}

async function putAlone(client: DynamoDBClient, put: NonNullable<TransactWriteItem['Put']>) {
  const answer = await call(
    'dynamodb:PutItem',
    'fleet/drift',
    () => client.send(new PutItemCommand(put)),
    lostRace('dynamodb:PutItem'),
  );
  return answer === 'conflict' ? 'conflict' : 'committed';
}

async function putBoth(client: DynamoDBClient, items: TransactWriteItem[]) {
  const answer = await call(
    'dynamodb:TransactWriteItems',
    'fleet/drift',
    () => client.send(new TransactWriteItemsCommand({ TransactItems: items })),
    lostRace('dynamodb:TransactWriteItems'),
  );
  return answer === 'conflict' ? 'conflict' : 'committed';
}
