/** A fleet at rest on virtual time, of which nothing happens but that it is planned. */
import type { PlanResult } from '../../src/enclave/items/fleet-run.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { type Config, ConfigSchema } from '../../src/reconciler/config.ts';
import { RunSlots } from '../../src/reconciler/limits/run-slots.ts';
import { trackPlans } from '../../src/reconciler/plan/result.ts';
import { planDueAt } from '../../src/reconciler/plan/schedule.ts';
import { PlanScheduler } from '../../src/reconciler/plan/scheduler.ts';
import { aLifecycle } from './conformance-harness.ts';
import { MemoryFleet, memoryFleetRuns } from './memory-fleet-runs.ts';
import { MemoryTable } from './memory-table.ts';
import { memoryLog } from './memory-world.ts';
import { VirtualClock } from './virtual-clock.ts';

const HOUR = 3_600_000;

export interface PlannedFleet {
  readonly clock: VirtualClock;
  readonly lifecycles: ReadonlyMap<string, Lifecycle>;
  /** When each was planned. */
  readonly plans: ReadonlyMap<string, readonly number[]>;
  readonly runner: MemoryFleet;
  /** Most slots of the run cap held at once. */
  readonly peakSlots: () => number;
  /** Another leader takes over: it knows what is stored, and nothing else. */
  restart(): void;
  stop(): void;
}

/** All were deployed within the last `deployedWithinMs`. */
export function plannedFleet(size: number, deployedWithinMs: number, overrides: Partial<Config> = {}): PlannedFleet {
  const clock = new VirtualClock();
  const config = ConfigSchema.parse(overrides);
  const history = new MemoryTable('history', ['pk', 'sk']);
  const fleetRuns = memoryFleetRuns(new MemoryTable('state', ['pk', 'sk']), history, () => 0);
  const runner = new MemoryFleet({ clock, history }, 60_000);
  const lifecycles = new Map<string, Lifecycle>();
  const plans = new Map<string, readonly number[]>();
  for (let n = 0; n < size; n += 1) {
    const id = `enc_${n}`;
    const ranAt = new Date(clock.now() - (deployedWithinMs * n) / size).toISOString();
    lifecycles.set(id, aLifecycle(id, { phase: 'ready', observedGeneration: 1, ranAt }));
  }
  let epoch = 0;
  let peakSlots = 0;
  let leader = new AbortController();
  const lead = () => {
    epoch += 1;
    leader = new AbortController();
    const { maxRuns: max } = config;
    const slots = new RunSlots({ clock, max, maxPerOwner: 0, createsPerSecond: 0, wake: () => {} });
    slots.allListed();
    const drift = new PlanScheduler({
      ports: {
        clock,
        log: memoryLog(),
        fleetRuns: { ...fleetRuns, deliver: async (results) => consume(results) },
        workflows: {
          start: async () => 'exists',
          startFleetRun: async (name) => {
            peakSlots = Math.max(peakSlots, slots.inFlight);
            return runner.start(name);
          },
          running: async () => new Set([...runner.executions.values()].filter(isRunning).map(({ name }) => name)),
          describe: async (name) => runner.executions.get(name) ?? { state: 'missing', executionArn: '' },
          tasks: async () => [],
          abort: async () => {},
        },
      },
      config,
      epoch: () => epoch,
      slots,
      mayStart: () => true,
      ask: async (id) => {
        const lifecycle = lifecycles.get(id);
        const dueAt = lifecycle === undefined ? undefined : planDueAt(lifecycle, config.driftEveryMs);
        if (lifecycle?.snapshot === undefined || dueAt === undefined || dueAt > clock.now()) return { kind: 'notNow' };
        return { kind: 'subject', subject: { id, generation: lifecycle.generation, variables: lifecycle.snapshot } };
      },
      onEnded: () => {},
    });
    /** As the reconcile of each does. */
    const consume = (results: readonly PlanResult[]) => {
      for (const result of results) {
        const { id } = result;
        const before = lifecycles.get(id);
        if (before === undefined) continue;
        const after = trackPlans(before, [result], clock.now());
        if (after !== before) plans.set(id, [...(plans.get(id) ?? []), clock.now()]);
        lifecycles.set(id, after);
        drift.onUpsert(id, after);
      }
    };
    for (const [id, lifecycle] of lifecycles) drift.onUpsert(id, lifecycle);
    void drift.run(leader.signal);
  };
  lead();
  return {
    clock,
    lifecycles,
    plans,
    runner,
    peakSlots: () => peakSlots,
    restart() {
      leader.abort();
      lead();
    },
    stop: () => leader.abort(),
  };
}

const isRunning = ({ state }: { readonly state: string }) => state === 'running';

/** Virtual hours until each of a fleet that was deployed within an hour has been planned once. */
export async function hoursToPlan(size: number): Promise<number> {
  const fleet = plannedFleet(size, HOUR);
  const began = fleet.clock.now();
  await fleet.clock.advanceUntil(() => fleet.plans.size === size, 48 * HOUR, 'every enclave planned');
  fleet.stop();
  return (fleet.clock.now() - began) / HOUR;
}
