/** A drift run's decisions, with scripted engines and a store in memory. */
import { describe, expect, it } from 'vitest';
import { carryOutDriftRun, type DriftParts } from '../../../runner/src/drift-run.ts';
import { type Engine, EngineFailure, type TerraformPlan } from '../../../runner/src/engine/port.ts';
import { readSettings } from '../../../runner/src/environment.ts';
import type { FleetStore } from '../../../runner/src/fleet-store.ts';
import { createLog } from '../../../runner/src/log.ts';
import { Stop } from '../../../runner/src/stop.ts';
import type { DriftResult, FleetRunItem } from '../../../src/enclave/items/fleet-run.ts';
import type { Outcome } from '../../../src/enclave/items/run.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const ENVIRONMENT = {
  RUN: 'drift-1-1',
  ACTION: 'drift',
  STATE_TABLE: 'state',
  HISTORY_TABLE: 'history',
  ENCLAVE_ENVIRONMENT: 'dev',
  AWS_REGION: 'us-west-2',
  RUNNER_ENGINE: 'simulated',
  SIMULATED_CLOUD_URL: 'http://127.0.0.1:1',
  ECS_CONTAINER_METADATA_URI_V4: 'http://127.0.0.1:1/v4/x',
  EXECUTION_ARN: 'execution',
};

const clean: TerraformPlan = { resource_changes: [], resource_drift: [] };
const drifted: TerraformPlan = {
  resource_changes: [
    { address: 'aws_instance.enclave_instance', type: 'aws_instance', change: { actions: ['create'], before: null } },
  ],
  resource_drift: [],
};

interface Script {
  readonly ids: readonly string[];
  readonly look?: (id: string, stop: Stop) => Promise<TerraformPlan>;
  readonly record?: 'goOn' | 'cancelled' | 'lost';
  readonly stackVersion?: number;
  readonly item?: Partial<FleetRunItem>;
}

function setUp(script: Script) {
  const clock = new VirtualClock();
  const stop = new Stop();
  const looked: string[] = [];
  const closed: string[] = [];
  const lines: string[] = [];
  const outcomes: Outcome[] = [];
  let results: Readonly<Record<string, DriftResult>> = {};
  let interrupts = 0;
  const settings = readSettings(ENVIRONMENT);
  if (settings.action !== 'drift') throw new Error('not a drift run');
  const variables = {
    region: 'us-west-2',
    environment: 'dev',
    stateKey: 'k',
    stackVersion: script.stackVersion ?? 1,
    walletAddress: '',
    generation: 4,
    pinned: {},
  };
  const item: FleetRunItem = {
    v: 1,
    minReader: 1,
    name: settings.run,
    action: 'drift',
    requestedAt: clock.iso(),
    enclaves: script.ids.map((id) => ({ id, generation: 4, variables })),
    ...script.item,
  };
  const store: FleetStore = {
    claim: async () => ({ kind: 'claimed', item }),
    async record(_, known) {
      results = { ...known };
      return script.record ?? 'goOn';
    },
    async settle(_, outcome) {
      outcomes.push(outcome);
      return 'settled';
    },
  };
  const engine = (id: string): Engine => ({
    init: () => Promise.reject(new Error('a drift run takes no lock')),
    plan: () => Promise.reject(new Error('a drift run takes no lock')),
    apply: () => Promise.reject(new Error('a drift run applies nothing')),
    async look() {
      looked.push(id);
      return script.look?.(id, stop) ?? clean;
    },
    async interrupt() {
      interrupts += 1;
    },
    state: async () => ({ resources: [], outputs: {} }),
    dropEmptyState: async () => {},
    remaining: async () => [],
    hostIsGone: async () => false,
    close: () => void closed.push(id),
  });
  const logFor = (enclaveId: string) =>
    createLog({ enclaveId, run: settings.run }, clock.now.bind(clock), (line) => lines.push(line));
  const parts: DriftParts = {
    settings,
    clock,
    log: logFor(''),
    logFor,
    store,
    stop,
    hostName: 'host',
    taskArn: async () => 'task',
    engineFor: ({ enclaveId }) => engine(enclaveId),
  };
  return {
    run: () => carryOutDriftRun(parts),
    results: () => results,
    interrupts: () => interrupts,
    ...{ clock, looked, closed, lines, outcomes, settings },
  };
}

describe('a drift run', () => {
  it('looks at each enclave and writes what it found', async () => {
    const bench = setUp({ ids: ['a', 'b'], look: async (id) => (id === 'b' ? drifted : clean) });
    expect(await bench.run()).toBe('succeeded');
    expect(bench.results()).toMatchObject({
      a: { id: 'a', generation: 4, drifted: false, differences: [] },
      b: { id: 'b', drifted: true, differences: [{ address: 'aws_instance.enclave_instance', attributes: ['*'] }] },
    });
    expect(bench.closed).toEqual(['a', 'b']);
    expect(bench.outcomes).toMatchObject([{ result: 'succeeded', by: 'runner' }]);
    expect(bench.clock.pending).toBe(0);
  });

  it('goes on after an enclave whose plan fails', async () => {
    const diagnostics = [{ severity: 'error', summary: 'api error AccessDenied: arn:aws:iam::1:role/x', detail: '' }];
    const bench = setUp({
      ids: ['a', 'b'],
      look: async (id) => {
        if (id === 'a') throw new EngineFailure(diagnostics);
        return clean;
      },
    });
    expect(await bench.run()).toBe('succeeded');
    expect(bench.results().a).toMatchObject({
      failure: { class: 'permission', message: 'api error AccessDenied: <arn>' },
    });
    expect(bench.results().a).not.toHaveProperty('drifted');
    expect(bench.results().b).toMatchObject({ drifted: false });
    expect(bench.closed).toEqual(['a', 'b']);
  });

  it('says nothing of an enclave of another stack version', async () => {
    const bench = setUp({ ids: ['a'], stackVersion: 2 });
    expect(await bench.run()).toBe('succeeded');
    expect(bench.looked).toEqual([]);
    expect(bench.results().a).toMatchObject({ failure: { class: 'state' } });
  });

  it.each([['cancelled', 'cancelled'] as const, ['lost', 'failed'] as const])(
    'looks no further when its item says %s',
    async (record, ending) => {
      const bench = setUp({ ids: ['a', 'b'], record });
      expect(await bench.run()).toBe(ending);
      expect(bench.looked).toEqual(['a']);
    },
  );

  it('begins nothing when it was cancelled before', async () => {
    const bench = setUp({ ids: ['a'], item: { cancelRequestedAt: '2026-01-01T00:00:00.000Z' } });
    expect(await bench.run()).toBe('cancelled');
    expect(bench.looked).toEqual([]);
  });

  it('takes an interrupted plan for no finding', async () => {
    const bench = setUp({
      ids: ['a', 'b'],
      look: async (_, stop) => {
        stop.request('cancelled');
        throw new EngineFailure([]);
      },
    });
    expect(await bench.run()).toBe('cancelled');
    expect(bench.interrupts()).toBe(1);
    expect(bench.results()).toEqual({});
    expect(bench.looked).toEqual(['a']);
  });

  it('gives up at its deadline and keeps what it has', async () => {
    let tooLong = () => {};
    const bench = setUp({
      ids: ['a', 'b'],
      look: async (id) => {
        if (id === 'a') return clean;
        await new Promise<void>((resolve) => {
          tooLong = resolve;
        });
        return clean;
      },
    });
    const running = bench.run();
    await bench.clock.advance(bench.settings.deadlineMs);
    tooLong();
    expect(await running).toBe('failed');
    expect(Object.keys(bench.results())).toEqual(['a']);
    expect(bench.outcomes).toMatchObject([{ class: 'timeout' }]);
    expect(bench.outcomes[0]?.message).toContain('1 of 2');
  });

  it('names the enclave on every line about it', async () => {
    const bench = setUp({ ids: ['a'], look: async () => drifted });
    await bench.run();
    expect(bench.lines.filter((line) => JSON.parse(line).enclaveId === 'a')).toHaveLength(1);
  });
});
