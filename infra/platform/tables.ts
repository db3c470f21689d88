/** The application's table as the contract has it, and the operator's two. */
import { DynamodbTable } from '@cdktf/provider-aws/lib/dynamodb-table/index.js';
import type { Platform } from './context.ts';

export interface Tables {
  readonly enclaves: DynamodbTable;
  readonly state: DynamodbTable;
  readonly history: DynamodbTable;
}

const kept = {
  billingMode: 'PAY_PER_REQUEST',
  pointInTimeRecovery: { enabled: true },
  deletionProtectionEnabled: true,
};

const ttl = { enabled: true, attributeName: 'expiresAt' };

export function tables({ stack, config, names }: Platform, keyArn: string): Tables {
  const keyed = (id: string, name: string, more = {}) =>
    new DynamodbTable(stack, id, {
      ...kept,
      name,
      hashKey: 'pk',
      rangeKey: 'sk',
      attribute: ['pk', 'sk'].map((attribute) => ({ name: attribute, type: 'S' })),
      streamEnabled: true,
      streamViewType: 'KEYS_ONLY',
      serverSideEncryption: { enabled: true, kmsKeyArn: keyArn },
      lifecycle: { preventDestroy: true },
      ...more,
    });
  const index = (name: string, hashKey: string) => ({ name, hashKey, projectionType: 'ALL' });
  return {
    // Encrypted by DynamoDB's own key: with one of ours the application's credentials would need KMS permissions.
    enclaves: new DynamodbTable(stack, 'enclaves-table', {
      ...kept,
      name: config.enclavesTable,
      hashKey: 'id',
      attribute: ['id', 'status', 'walletAddress'].map((name) => ({ name, type: 'S' })),
      globalSecondaryIndex: [index('WalletIndex', 'walletAddress'), index('status-index', 'status')],
      streamEnabled: true,
      streamViewType: 'NEW_AND_OLD_IMAGES',
      lifecycle: { preventDestroy: true },
    }),
    // Of its items only reports expire, so that those of hosts that are gone do not stay for ever.
    state: keyed('state-table', names.stateTable, { ttl }),
    history: keyed('history-table', names.historyTable, {
      // Whether a run has an outcome shows in its image; of the state table the keys say all.
      streamViewType: 'NEW_IMAGE',
      ttl,
    }),
  };
}
