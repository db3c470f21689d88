import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { type AwsPorts, createAwsPorts } from '../../src/aws/index.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';
import { fleetWorkflowConformance } from '../support/conformance-fleet-runs.ts';
import { hostsConformance } from '../support/conformance-hosts.ts';
import { inspectorConformance } from '../support/conformance-inspector.ts';
import type { MakeServices } from '../support/conformance-services.ts';
import { surroundingsConformance } from '../support/conformance-surroundings.ts';
import { tasksConformance } from '../support/conformance-tasks.ts';
import { workflowsConformance } from '../support/conformance-workflows.ts';
import { type Embedded, eventually, printLogsOnFailure, startEmbedded } from '../support/embedded.ts';
import { memoryLog } from '../support/memory-world.ts';

describe('the adapters over the embedded AWS', () => {
  let embedded: Embedded;
  let ports: AwsPorts;
  beforeAll(async () => {
    embedded = await startEmbedded({ withOperator: false });
    // The SDK's own environment is what configures the adapters, as in production.
    Object.assign(process.env, embedded.env);
    const { region, environment, prefix, enclavesTable, stateTable, historyTable, cluster } = embedded.endpoints;
    const names = { region, environment, prefix, enclavesTable, stateTable, historyTable, cluster };
    const config = ConfigSchema.parse(names);
    ports = createAwsPorts({ config, log: memoryLog(), clock: systemClock, random: systemRandom });
  });
  afterAll(async () => {
    ports?.close();
    await embedded?.stop();
  });
  beforeEach(() => printLogsOnFailure(embedded));

  const services: MakeServices = async () => ({
    ports,
    region: embedded.endpoints.region,
    environment: embedded.endpoints.environment,
    hold: async (enclaveId) => void (await embedded.sim('holdApply', { enclaveId })),
    until: (what, probe) => eventually(what, probe, 60_000),
    close: async () => {},
  });
  workflowsConformance('embedded', services);
  fleetWorkflowConformance('embedded', services);
  tasksConformance('embedded', services);
  hostsConformance('embedded', services);
  surroundingsConformance('embedded', services);
  inspectorConformance('embedded', services);
});
