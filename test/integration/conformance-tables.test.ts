import { afterAll, beforeAll, describe } from 'vitest';
import { awsHarness } from '../support/conformance-aws.ts';
import { databaseName, noDatabase, startTestDatabase, type TestDatabase } from '../support/conformance-database.ts';
import { fleetRunStoreConformance } from '../support/conformance-fleet-runs.ts';
import { historyStoreConformance } from '../support/conformance-history.ts';
import { leaseStoreConformance } from '../support/conformance-leases.ts';
import { recordStoreConformance } from '../support/conformance-records.ts';
import { stateStoreConformance } from '../support/conformance-state.ts';
import { changeStreamConformance } from '../support/conformance-streams.ts';

if (noDatabase !== undefined) console.warn(`skipped: ${noDatabase}`);

describe.skipIf(noDatabase !== undefined)(`the adapters over ${databaseName}`, () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await startTestDatabase();
  });
  afterAll(() => database.stop());

  const harness = awsHarness(() => database);
  recordStoreConformance('dynamodb', harness);
  stateStoreConformance('dynamodb', harness);
  historyStoreConformance('dynamodb', harness);
  fleetRunStoreConformance('dynamodb', harness);
  leaseStoreConformance('dynamodb', harness);
  changeStreamConformance('dynamodb', harness);
});
