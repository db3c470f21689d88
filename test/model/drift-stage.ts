/** A stage for drift: enclaves at rest on virtual time, differences put into their world, and what the operator does. */
import type { Attribute } from '../../src/drift/index.ts';
import { States } from '../simulation/concurrent-actor.ts';
import { FAULTS_BY_ATTRIBUTE, PCR0 } from '../simulation/faults.ts';
import type { Illness, MemoryHost } from '../support/memory-hosts.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';
import { type Case, policyOf } from './drift-page.ts';
import { REPORTED } from './drift-values.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const SPEC = {
  awsServices: ['kms'],
  exposePorts: [8_080],
  attestation: { expectedMeasurements: [{ pcr0: PCR0 }], enforce: 'quarantine' },
};

/** Calls by which the operator repairs without Terraform. */
const DIRECT = [
  ['hosts.start', 'startHost'],
  ['hosts.stop', 'restartHost'],
  ['hosts.restartEnclave', 'restartEnclave'],
  ['hosts.restartAllocator', 'restartAllocator'],
] as const;

/** User data as a host is made with, and as somebody has changed it. */
const USER_DATA = { made: 'a'.repeat(64), changed: 'b'.repeat(64) };

export interface Step {
  readonly at: number;
  readonly step: string;
}

export class Stage {
  readonly v: VirtualOperator;
  readonly states = new States();
  readonly #direct = new Map<string, Step[]>();
  /** What is reported again, whatever was done about it; by enclave. */
  readonly #ill = new Map<string, Illness['says']>();
  /** What happens whenever a host of the enclave changes its state. */
  readonly #onState = new Map<string, (host: MemoryHost) => void>();
  #from = 0;

  constructor() {
    this.v = virtualOperator(
      {
        repairAttempts: 1,
        repairCapPercent: 100,
        breakerMin: 1_000,
        runInstancesPerSecond: 0,
        maxRuns: 100,
        attestationTrail: true,
        driftEveryMs: HOUR,
        retryBaseMs: 1_000,
      },
      { hostTimings: { reportEveryMs: 2 * MINUTE }, states: this.states },
    );
    const { hosts, runs, surroundings } = this.v.world;
    const report = hosts.report.bind(hosts);
    hosts.report = (host) => {
      const says = this.#ill.get(host.enclaveId);
      if (says !== undefined) host.illness = { says, cure: 'boot' };
      report(host);
    };
    hosts.onState = (host) => this.#onState.get(host.enclaveId)?.(host);
    runs.fleet.plan = ({ id }) => {
      const differences = [...(surroundings.all.get(id)?.hidden ?? [])];
      return { drifted: differences.length > 0, differences, planDigest: 'of-this-plan' };
    };
    const apply = surroundings.apply.bind(surroundings);
    surroundings.apply = (run) => ({ ...apply(run), userData: USER_DATA.made });
  }

  async deploy(cases: readonly Case[]): Promise<void> {
    const { v } = this;
    this.#watchSteps(v.start().connection.faults);
    await v.clock.advance(5_000);
    for (const each of cases) {
      const policy = policyOf(each);
      v.post(each.id, { providerConfig: SPEC, ...(policy === undefined ? {} : { policy }) });
    }
    const isIn = (phase: string) => (id: string) => v.lifecycle(id)?.phase === phase;
    const ids = cases.map(({ id }) => id);
    await v.until(() => ids.every(isIn('ready')), 'all are ready', 2 * HOUR);
    const paused = cases.filter(({ row }) => FAULTS_BY_ATTRIBUTE[row.attribute].of === 'paused').map(({ id }) => id);
    for (const id of paused) v.command(id, 'PAUSING');
    await v.until(() => paused.every(isIn('paused')), 'all that are to be paused are', HOUR);
    for (const id of ids) this.#prepare(id);
    await v.clock.advance(20 * MINUTE);
    this.#from = v.clock.now();
  }

  #watchSteps(faults: ReturnType<VirtualOperator['start']>['connection']['faults']): void {
    const { v } = this;
    for (const [operation, step] of DIRECT) {
      faults.before(operation, ([, instanceId]) => {
        const host = v.world.hosts.all.get(String(instanceId));
        if (host === undefined) return;
        const steps = this.#direct.get(host.enclaveId) ?? [];
        // The start of a host that the operator has stopped is the second half of its restart.
        const isSecondHalf = step === 'startHost' && steps.at(-1)?.step === 'restartHost';
        const isStopAlone = step === 'restartHost' && v.lifecycle(host.enclaveId)?.desired === 'Paused';
        if (isSecondHalf) return;
        const taken = { at: v.clock.now(), step: isStopAlone ? 'stopHost' : step };
        this.#direct.set(host.enclaveId, [...steps, taken]);
      });
    }
  }

  #prepare(id: string): void {
    this.states.create(id, this.v.clock.now());
    const { instanceId } = this.#host(id);
    this.v.world.inspector.attributes.set(instanceId, { userData: USER_DATA.made, terminationProtection: false });
  }

  /** Puts the difference into the world; it comes back after each repair of what the host reports, and of the host's state. */
  put({ row: { attribute }, id, value, beside }: Case): void {
    this.#put(attribute, id, value);
    if (beside !== undefined) this.#put(beside, id, 0);
  }

  #put(attribute: Attribute, id: string, value: number): void {
    const { world, clock } = this.v;
    const host = this.#host(id);
    const around = world.surroundings.all.get(id);
    if (around === undefined) throw new Error(`nothing surrounds ${id}`);
    const says = REPORTED[attribute]?.[value];
    if (says !== undefined) {
      this.#ill.set(id, says);
      world.hosts.report(host);
      return;
    }
    this.#alterAttributes(attribute, host);
    const { faults } = FAULTS_BY_ATTRIBUTE[attribute];
    faults[value % faults.length]?.({
      world,
      host,
      around,
      replaceable: true,
      now: clock.now(),
      mayEnd: () => {},
      // The host reports again once it has been restarted, and its checks fail as before.
      curedByBoot: () => {
        this.#onState.set(id, (each) => {
          if (each === host && each.state === 'pending') world.hosts.freezeReports(host, false);
        });
      },
      loseState: () => {
        this.states.all.delete(id);
        return () => {};
      },
    });
    if (attribute !== 'host.running') return;
    this.#onState.set(id, (each) => {
      if (each.state === 'running') void world.hosts.stop(each.region, each.instanceId);
    });
  }

  /** What AWS shows of one host a call, which only `enclavectl drift ID` reads. */
  #alterAttributes(attribute: Attribute, { instanceId }: MemoryHost): void {
    const { attributes } = this.v.world.inspector;
    if (attribute === 'host.userData')
      attributes.set(instanceId, { userData: USER_DATA.changed, terminationProtection: false });
    if (attribute === 'host.terminationProtection')
      attributes.set(instanceId, { userData: USER_DATA.made, terminationProtection: true });
  }

  #host(id: string): MemoryHost {
    const [host] = this.v.world.hosts.living(id);
    if (host === undefined) throw new Error(`no host of ${id}`);
    return host;
  }

  /** Everything the operator did to it since the difference is there, in order. */
  steps(id: string): readonly Step[] {
    const runs = this.v.runs(id).map((run) => ({
      at: Date.parse(run.requestedAt),
      step: run.variables.change === 'replace' ? 'replace' : 'apply',
    }));
    const direct = this.#direct.get(id) ?? [];
    return [...direct, ...runs].filter(({ at }) => at >= this.#from).sort((a, b) => a.at - b.at);
  }
}
