/** The three tables, with production's keys, indexes, streams and TTL. */
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  type DynamoDBClient,
  ResourceInUseException,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';

export interface TableNames {
  readonly enclavesTable: string;
  readonly stateTable: string;
  readonly historyTable: string;
}

const LONGEST_WAIT_SECONDS = 60;

/** The application's table, as it is in production. */
function enclaves(name: string): CreateTableCommandInput {
  const index = (indexName: string, attribute: string) => ({
    IndexName: indexName,
    KeySchema: [{ AttributeName: attribute, KeyType: 'HASH' as const }],
    Projection: { ProjectionType: 'ALL' as const },
  });
  return {
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: ['id', 'status', 'walletAddress'].map((attribute) => ({
      AttributeName: attribute,
      AttributeType: 'S' as const,
    })),
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [index('status-index', 'status'), index('WalletIndex', 'walletAddress')],
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
  };
}

/** State and history: partition and sort key, and a stream. */
function keyed(name: string, StreamViewType: 'KEYS_ONLY' | 'NEW_IMAGE'): CreateTableCommandInput {
  return {
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: ['pk', 'sk'].map((attribute) => ({ AttributeName: attribute, AttributeType: 'S' as const })),
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    StreamSpecification: { StreamEnabled: true, StreamViewType },
  };
}

async function create(client: DynamoDBClient, table: CreateTableCommandInput): Promise<boolean> {
  try {
    await client.send(new CreateTableCommand(table));
  } catch (error) {
    if (error instanceof ResourceInUseException) return false;
    throw error;
  }
  const wait = { client, maxWaitTime: LONGEST_WAIT_SECONDS, minDelay: 1, maxDelay: 2 };
  await waitUntilTableExists(wait, { TableName: table.TableName });
  return true;
}

/** Creates what is missing; tables that exist stay as they are. */
export async function createTables(client: DynamoDBClient, names: TableNames): Promise<void> {
  await create(client, enclaves(names.enclavesTable));
  const TimeToLiveSpecification = { Enabled: true, AttributeName: 'expiresAt' };
  for (const table of [keyed(names.stateTable, 'KEYS_ONLY'), keyed(names.historyTable, 'NEW_IMAGE')]) {
    if (!(await create(client, table))) continue;
    await client.send(new UpdateTimeToLiveCommand({ TableName: table.TableName, TimeToLiveSpecification }));
  }
}
