import { fleetRunStoreConformance } from '../../support/conformance-fleet-runs.ts';
import { historyStoreConformance } from '../../support/conformance-history.ts';
import { leaseStoreConformance } from '../../support/conformance-leases.ts';
import { memoryHarness } from '../../support/conformance-memory.ts';
import { recordStoreConformance } from '../../support/conformance-records.ts';
import { stateStoreConformance } from '../../support/conformance-state.ts';
import { changeStreamConformance } from '../../support/conformance-streams.ts';

recordStoreConformance('memory', memoryHarness);
stateStoreConformance('memory', memoryHarness);
historyStoreConformance('memory', memoryHarness);
fleetRunStoreConformance('memory', memoryHarness);
leaseStoreConformance('memory', memoryHarness);
changeStreamConformance('memory', memoryHarness);
