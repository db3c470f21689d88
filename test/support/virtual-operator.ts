/** An operator on virtual time in a world in memory, for scenarios. */
import { keys } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import type { RunItem } from '../../src/enclave/items/run.ts';
import { type Config, ConfigSchema } from '../../src/reconciler/config.ts';
import { Manager } from '../../src/reconciler/manager.ts';
import { createMetrics, type Metrics } from '../../src/reconciler/metrics/index.ts';
import type { Channel, RawRecord, TerraformStates } from '../../src/reconciler/ports/index.ts';
import { type Connection, createMemoryWorld, type MemoryWorld, type MemoryWorldOptions } from './memory-world.ts';
import { type Scenario, scenario } from './scenario.ts';
import { seededRandom, VirtualClock } from './virtual-clock.ts';

export interface Process {
  readonly loop: Manager;
  readonly metrics: Metrics;
  readonly connection: Connection;
  /** How often this process has called an operation, e.g. `hosts.stop`. */
  calls(operation: string): number;
  /** As SIGKILL does. */
  kill(): void;
  stop(): Promise<void>;
}

export interface VirtualOperator extends Scenario {
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  readonly config: Config;
  /** Starts an operator; several may compete. */
  start(channels?: readonly Channel[]): Process;
  /** Writes a record as the application's POST shapes it. */
  post(id: string, overrides?: Record<string, unknown>): RawRecord;
  /** Sets the status as the application's PATCH does. */
  command(id: string, status: string): void;
  lifecycle(id: string): Lifecycle | undefined;
  status(id: string): string | undefined;
  until(condition: () => boolean, what: string, limitMs?: number): Promise<void>;
  executions(id: string): readonly string[];
  /** Items of its runs, the oldest first; their names do not sort by time. */
  runs(id: string): readonly RunItem[];
}

export function virtualOperator(
  overrides: Partial<Config> = {},
  options: Partial<MemoryWorldOptions> & { readonly seed?: number; readonly states?: TerraformStates } = {},
): VirtualOperator {
  const clock = new VirtualClock();
  const random = seededRandom(options.seed ?? 1);
  const world = createMemoryWorld({ clock, random, ...options });
  const config = ConfigSchema.parse(overrides);
  const bare: Omit<VirtualOperator, keyof Scenario> = {
    clock,
    world,
    config,
    start(channels = []) {
      const connection = world.connect();
      // Every process counts its own local time from its own start.
      const bornAt = connection.ports.clock.monotonic();
      const ownClock = { ...connection.ports.clock, monotonic: () => connection.ports.clock.monotonic() - bornAt };
      const stopper = new AbortController();
      const metrics = createMetrics();
      const loop = new Manager({
        config,
        ports: { ...connection.ports, clock: ownClock, channels, states: options.states },
        metrics,
        holder: `test-${random.id(4)}`,
        signal: stopper.signal,
      });
      const running = loop.run();
      return {
        loop,
        metrics,
        connection,
        calls: (operation) => connection.faults.calls(operation),
        kill: () => connection.kill(),
        async stop() {
          stopper.abort();
          // Time has one mover: it has moved before another may begin.
          await clock.advance(60_000);
          await running;
        },
      };
    },
    post(id, fields = {}) {
      const now = clock.iso();
      const record = {
        id,
        name: `name of ${id}`,
        description: 'a test',
        region: 'us-west-2',
        walletAddress: '0x1111111111111111111111111111111111111111',
        providerId: 'aws-nitro',
        status: 'PENDING_DEPLOY',
        createdAt: now,
        updatedAt: now,
        ...fields,
        providerConfig: {
          dockerImage: 'nginx:1.27',
          cpuCount: '2',
          memoryMiB: '1024',
          instanceType: 'm6i.xlarge',
          enableDebug: false,
          ...(fields.providerConfig as object | undefined),
        },
      } as unknown as RawRecord;
      world.putRecord(record);
      return record;
    },
    command: (id, status) => world.updateRecord(id, { status, updatedAt: clock.iso() }),
    lifecycle: (id) => world.tables.state.get(`enclave#${id}`, 'lifecycle') as Lifecycle | undefined,
    status: (id) => world.record(id)?.status as string | undefined,
    until: (condition, what, limitMs = 3_600_000) => clock.advanceUntil(condition, limitMs, what),
    runs: (id) =>
      (world.tables.history.partition(keys.runs(id)) as unknown as readonly RunItem[]).toSorted((a, b) =>
        a.requestedAt.localeCompare(b.requestedAt),
      ),
    executions: (id) =>
      [...world.runs.executions.values()].filter((each) => each.enclaveId === id).map((each) => each.name),
  };
  return { ...bare, ...scenario(bare) };
}

type Options = Parameters<typeof virtualOperator>;

/** An operator that has led for a few seconds. */
export async function startedOperator(...options: Options): Promise<VirtualOperator> {
  const v = virtualOperator(...options);
  v.start();
  await v.clock.advance(5_000);
  return v;
}

/** An operator that has deployed one enclave. */
export async function deployedOperator(id: string, ...options: Options): Promise<VirtualOperator> {
  const v = await startedOperator(...options);
  await v.deploy(id);
  return v;
}
