/**
 * The documentation as an oracle: each row of docs/drift.md is put into a world on virtual time, and the operator must
 * take the row's repair steps, in their order and after its patience, and report the row's difference.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Attribute } from '../../src/drift/index.ts';
import { conditionOf } from '../../src/enclave/conditions.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { States } from '../simulation/concurrent-actor.ts';
import { FAULTS_BY_ATTRIBUTE, PCR0 } from '../simulation/faults.ts';
import type { Illness, MemoryHost } from '../support/memory-hosts.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Row {
  readonly attribute: Attribute;
  readonly severity: string;
  readonly steps: readonly string[];
  readonly patienceMs: number;
  readonly interrupts: boolean;
  readonly kind: string;
}

const PAGE = readFileSync(new URL('../../docs/drift.md', import.meta.url), 'utf8');
const ROWS: readonly Row[] = PAGE.split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, name = '', , severity = '', steps = '', patience = '', interrupts = '', kind = '']) => ({
    attribute: name.replaceAll('`', '') as Attribute,
    severity,
    steps: steps === 'alert' ? [] : steps.split(', '),
    patienceMs: Number.parseInt(patience || '0', 10) * MINUTE,
    interrupts: interrupts === 'yes',
    kind,
  }));

/** Rows that this world cannot show to differ, and why. */
const NOT_PRODUCED: Readonly<Partial<Record<Attribute, string>>> = {
  'host.userData': 'no list shows it, and Terraform repairs the object it follows by an apply, not by another host',
  'host.paused': 'the pausing phase stops the host: it is no repair step of a drift',
  orphans: 'no enclave has this finding: an event reports it',
};

/** What a host reports, several values of each; no step cures it. */
const REPORTED: Readonly<Partial<Record<Attribute, readonly Illness['says'][]>>> = (() => {
  const enclave = { name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 1_024, debug: false };
  const enclaves = (...changes: object[]) => ({ enclaves: changes.map((each) => ({ ...enclave, ...each })) });
  const proxy = (state: string) => ({ proxies: [{ destination: 'a.example:443', state }] });
  const short = { cpuCount: 0, memoryMiB: 0, ok: false };
  return {
    'enclave.running': [enclaves(), enclaves({ state: 'EMPTY' })],
    'enclave.terminating': [enclaves({ state: 'TERMINATING' })],
    'enclave.debug': [enclaves({ debug: true }), enclaves({}, { debug: true })],
    'enclave.cpuCount': [enclaves({ cpuCount: 4 }), enclaves({ cpuCount: 1 })],
    'enclave.memory': [enclaves({ memoryMiB: 64 }), enclaves({ memoryMiB: 1_023 })],
    'enclave.extra': [enclaves({}, {})],
    'enclave.measurements': [{ measurements: { PCR0: 'b2'.repeat(48) } }],
    'enclave.health': [{ health: 'failing' }],
    'enclave.allocator': [{ ...enclaves(), allocator: short }],
    'enclave.proxies': [proxy('failed'), proxy('inactive')],
  } as Readonly<Partial<Record<Attribute, readonly Illness['says'][]>>>;
})();

const CONFIG = {
  awsServices: ['kms'],
  exposePorts: [8_080],
  attestation: { expectedMeasurements: [{ pcr0: PCR0 }], enforce: 'quarantine' },
};
const VARIANTS = ['default', 'alert', 'replace', 'window'] as const;
type Variant = (typeof VARIANTS)[number];

function policyOf(variant: Variant, attribute: Attribute): object | undefined {
  if (variant === 'default') return undefined;
  // A window that stays closed for as long as a test lasts.
  if (variant === 'window') return { maintenanceWindow: { cron: '0 0 29 2 *', durationMinutes: 60 } };
  const overrides = (TOGETHER[attribute] ?? [attribute]).map((each) => [each, variant]);
  return { drift: { overrides: Object.fromEntries(overrides) } };
}

/** A host whose check fails and that SSM does not hear from differs in both. */
const DEAD = ['host.statusChecks', 'host.agent'] as const;
const TOGETHER: Readonly<Partial<Record<Attribute, readonly Attribute[]>>> = {
  'host.statusChecks': DEAD,
  'host.agent': DEAD,
};

/** Without the tags by which the operator finds it, the page says. */
function expectedSeverity({ attribute, severity }: Row, value: number): string {
  return attribute === 'tags' && value === NO_TAGS ? 'medium' : severity;
}
const NO_TAGS = 1;

/** What the page says the operator does. */
function expectedSteps({ attribute, steps, interrupts, kind, severity }: Row, variant: Variant): readonly string[] {
  const isUrgent = kind === 'security' && severity === 'critical';
  if (variant === 'alert' || (variant === 'window' && interrupts && !isUrgent)) return [];
  const isLast = attribute.startsWith('enclave.') || attribute === 'host.running';
  if (variant === 'replace') return isLast && steps.length > 0 ? [...steps, 'replace'] : steps;
  return steps[0] === 'replace' ? [] : steps;
}

interface Step {
  readonly at: number;
  readonly step: string;
}

class Stage {
  readonly v: VirtualOperator;
  readonly states = new States();
  readonly #direct = new Map<string, Step[]>();
  /** Until when what was reported is reported again, whatever was done about it. */
  readonly #ill = new Map<string, Illness['says']>();
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
    runs.fleet.plan = ({ id }) => {
      const differences = [...(surroundings.all.get(id)?.hidden ?? [])];
      return { drifted: differences.length > 0, differences, planDigest: 'of-this-plan' };
    };
  }

  async deploy(attribute: Attribute, ids: ReadonlyMap<string, Variant>): Promise<void> {
    const { v } = this;
    const { connection } = v.start();
    for (const [operation, step] of [
      ['hosts.start', 'startHost'],
      ['hosts.stop', 'restartHost'],
      ['hosts.restartEnclave', 'restartEnclave'],
      ['hosts.restartAllocator', 'restartAllocator'],
    ] as const) {
      connection.faults.before(operation, ([, instanceId]) => {
        const host = v.world.hosts.all.get(String(instanceId));
        if (host === undefined) return;
        const steps = this.#direct.get(host.enclaveId) ?? [];
        // The start of a host that the operator has stopped is the second half of its restart.
        const isSecondHalf = step === 'startHost' && steps.at(-1)?.step === 'restartHost';
        if (!isSecondHalf) this.#direct.set(host.enclaveId, [...steps, { at: v.clock.now(), step }]);
      });
    }
    await v.clock.advance(5_000);
    for (const [id, variant] of ids) {
      const policy = policyOf(variant, attribute);
      v.post(id, { providerConfig: CONFIG, ...(policy === undefined ? {} : { policy }) });
    }
    const isReady = (id: string) => v.lifecycle(id)?.phase === 'ready';
    await v.until(() => [...ids.keys()].every(isReady), 'all are ready', 2 * HOUR);
    for (const id of ids.keys()) this.states.create(id, v.clock.now());
    await v.clock.advance(20 * MINUTE);
    this.#from = v.clock.now();
  }

  /** Puts the difference into the world; it comes back after each repair of what the host reports, and of the host's state. */
  put(attribute: Attribute, id: string, value: number): void {
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
    const { faults } = FAULTS_BY_ATTRIBUTE[attribute];
    faults[value % faults.length]?.({
      world,
      host,
      around,
      replaceable: true,
      now: clock.now(),
      mayEnd: () => {},
      // The host reports again once it has been restarted, and its checks fail as before.
      curedByBoot: () => this.#onBoot(host),
      loseState: () => {
        this.states.all.delete(id);
        return () => {};
      },
    });
    if (attribute !== 'host.running') return;
    world.hosts.onState = (each) => {
      if (each.state === 'running') void world.hosts.stop(each.region, each.instanceId);
    };
  }

  #onBoot(host: MemoryHost): void {
    this.v.world.hosts.onState = (each) => {
      if (each === host && each.state === 'pending') this.v.world.hosts.freezeReports(host, false);
    };
  }

  #host(id: string): MemoryHost {
    const [host] = this.v.world.hosts.living(id);
    if (host === undefined) throw new Error(`no host of ${id}`);
    return host;
  }

  lifecycle(id: string): Lifecycle {
    const found = this.v.lifecycle(id);
    if (found === undefined) throw new Error(`no lifecycle of ${id}`);
    return found;
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

const PRODUCED = ROWS.filter(({ attribute }) => NOT_PRODUCED[attribute] === undefined);

describe('a difference as docs/drift.md has it', () => {
  it('has a row for every attribute, and a reason for each row that this world cannot produce', () => {
    for (const [attribute, reason] of Object.entries(NOT_PRODUCED))
      console.info(`not produced: ${attribute}: ${reason}`);
    expect(ROWS.map(({ attribute }) => attribute).sort()).toEqual(Object.keys(FAULTS_BY_ATTRIBUTE).sort());
  });

  it.each(PRODUCED)('$attribute is reported and repaired as its row says', async (row) => {
    const { attribute, patienceMs, kind } = row;
    const values = (REPORTED[attribute] ?? FAULTS_BY_ATTRIBUTE[attribute].faults).length;
    const ids = new Map<string, Variant>();
    const valueBy = new Map<string, number>();
    for (const variant of VARIANTS) ids.set(`enc_${variant}`, variant);
    for (let value = 1; value < values; value += 1) {
      ids.set(`enc_value_${value}`, 'default');
      valueBy.set(`enc_value_${value}`, value);
    }
    const stage = new Stage();
    await stage.deploy(attribute, ids);
    const began = stage.v.clock.now();
    for (const id of ids.keys()) stage.put(attribute, id, valueBy.get(id) ?? 0);
    /** Whatever was said of each in the course of time. */
    const severities = new Map<string, string>();
    const conditions = new Map<string, Set<string>>([...ids.keys()].map((id) => [id, new Set()]));
    stage.v.world.tables.state.watch((_before, after) => {
      if (after?.sk !== 'lifecycle') return;
      const { id, conditions: now, findings = [] } = after as unknown as Lifecycle;
      const inSync = conditionOf(now, 'InSync');
      const finding = findings.find((each) => each.attribute === attribute);
      if (finding !== undefined) severities.set(id, finding.severity);
      if (inSync?.status === 'False') conditions.get(id)?.add(inSync.reason);
    });
    const isReported = (id: string) => severities.has(id) || (conditions.get(id)?.size ?? 0) > 0;
    const isDone = ([id, variant]: [string, Variant]) =>
      isReported(id) && stage.steps(id).length >= expectedSteps(row, variant).length;
    // What is missing then is said below, in full.
    await stage.v.until(() => [...ids].every(isDone), 'every step is taken', 6 * HOUR).catch(() => {});
    await stage.v.clock.advance(20 * MINUTE);
    const taken = Object.fromEntries([...ids.keys()].map((id) => [id, stage.steps(id).map(({ step }) => step)]));
    const expected = Object.fromEntries([...ids].map(([id, variant]) => [id, expectedSteps(row, variant)]));
    expect(taken).toEqual(expected);
    const reason = FAULTS_BY_ATTRIBUTE[attribute].reason ?? 'Drifted';
    for (const id of ids.keys()) {
      if (kind === 'foreign') expect([...(conditions.get(id) ?? [])], id).toEqual([]);
      else expect([...(conditions.get(id) ?? [])], id).toContain(reason);
      if (!attribute.match(/^host\.(exists|running)$/)) {
        expect(severities.get(id), id).toBe(expectedSeverity(row, valueBy.get(id) ?? 0));
      }
      const [first] = stage.steps(id);
      if (first !== undefined) expect(first.at - began, id).toBeGreaterThanOrEqual(patienceMs);
    }
  });
});
