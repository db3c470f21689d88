/** The item of a drift run: taken by one task, one result after another, concluded once. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type DriftResult, type FleetRunItem, FleetRunItemSchema } from '../../src/enclave/items/fleet-run.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Outcome } from '../../src/enclave/items/run.ts';
import { type Claim, type Claimant, createItemStore } from './run-item.ts';

export interface FleetStore {
  claim(claimant: Claimant): Promise<Claim<FleetRunItem>>;
  /** Writes the results known so far. Answers whether the run's cancellation has been asked for, in the same step. */
  record(taskArn: string, results: Readonly<Record<string, DriftResult>>): Promise<'goOn' | 'cancelled' | 'lost'>;
  settle(taskArn: string, outcome: Outcome): Promise<'settled' | 'already'>;
}

export function createFleetStore(options: {
  readonly client: DynamoDBClient;
  readonly historyTable: string;
  readonly run: string;
}): FleetStore {
  const item = createItemStore({
    client: options.client,
    table: options.historyTable,
    key: keys.fleetRun(options.run),
    schema: FleetRunItemSchema,
    action: 'drift',
  });
  return {
    claim: item.claim,
    settle: item.settle,
    async record(taskArn, results) {
      const stored = await item.update(taskArn, { results });
      if (stored === 'lost') return 'lost';
      return stored.cancelRequestedAt === undefined ? 'goOn' : 'cancelled';
    },
  };
}
