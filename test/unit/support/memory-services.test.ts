import { fleetWorkflowConformance } from '../../support/conformance-fleet-runs.ts';
import { hostsConformance } from '../../support/conformance-hosts.ts';
import { inspectorConformance } from '../../support/conformance-inspector.ts';
import type { MakeServices } from '../../support/conformance-services.ts';
import { surroundingsConformance } from '../../support/conformance-surroundings.ts';
import { tasksConformance } from '../../support/conformance-tasks.ts';
import { workflowsConformance } from '../../support/conformance-workflows.ts';
import { createMemoryWorld } from '../../support/memory-world.ts';
import { seededRandom, VirtualClock } from '../../support/virtual-clock.ts';

const HOUR_MS = 3_600_000;

const memoryServices: MakeServices = async () => {
  const clock = new VirtualClock();
  const world = createMemoryWorld({ clock, random: seededRandom(1) });
  const held = new Set<string>();
  world.runs.script = (run) => (held.has(run.id) ? { workMs: HOUR_MS } : {});
  return {
    ports: world.ports,
    region: 'us-west-2',
    environment: 'dev',
    hold: async (id) => void held.add(id),
    async until(what, probe) {
      for (let waitedMs = 0; waitedMs < HOUR_MS / 2; waitedMs += 1_000) {
        const value = await probe();
        if (value !== undefined && value !== false) return value;
        await clock.advance(1_000);
      }
      throw new Error(`half an hour passed without: ${what}`);
    },
    close: async () => {},
  };
};

workflowsConformance('memory', memoryServices);
fleetWorkflowConformance('memory', memoryServices);
tasksConformance('memory', memoryServices);
hostsConformance('memory', memoryServices);
surroundingsConformance('memory', memoryServices);
inspectorConformance('memory', memoryServices);
