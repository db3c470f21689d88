/** Safety: what must hold at every instant, checked on every write as it happens. */
import { keys, type Lock } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { equalJson, type JsonMap } from '../../src/enclave/json.ts';
import { isCommand } from '../../src/enclave/record.ts';
import type { MemoryHost } from '../support/memory-hosts.ts';
import { type App, ownerOf } from './app.ts';
import { isOperator, type Stage } from './stage.ts';

const MINUTE = 60_000;
/** Healthy for this long, past repairs are history (architecture §9). */
const HEALTHY_RESET_MS = 30 * MINUTE;

/** An answer counts no longer than this. */
const ASKED_MS = 5 * MINUTE;

/** Attributes of a record the operator may write. */
const OWN = new Set([
  'status',
  'updatedAt',
  'updated_at',
  'error_message',
  'error_type',
  'instance_id',
  'providerConfig',
  'architecture',
  'workload_type',
  'operator',
]);
const WAITING = new Set(['operator', 'updatedAt', 'updated_at']);

interface Intent {
  readonly id: string;
  readonly owner: string;
  readonly startedAt: string;
}

/**
 * Watches the tables. What it knows of hosts and of Terraform it takes from the world itself, never from what an
 * operator has seen of it.
 */
export class Safety {
  readonly #stage: Stage;
  readonly #app: App;
  /** Every run ever intended, by name. */
  readonly #intents = new Map<string, Intent>();
  readonly #locks = new Set<string>();
  /** Those that a former leader's write took, which arrived after the next had begun to lead. */
  readonly #late = new Set<string>();
  readonly #begun = new Map<string, { readonly incarnation: string; readonly atMs: number }>();
  readonly #working = new Map<string, number>();
  /** When each host was last asked to report, virtual ms. */
  readonly #asked = new Map<string, number>();
  /** Restarts of an enclave in a row, since anything else was tried. */
  readonly #restarts = new Map<string, Map<string, number>>();

  constructor(stage: Stage, app: App) {
    this.#stage = stage;
    this.#app = app;
    const { tables, runs } = stage.world;
    tables.state.watch((before, after) => this.#state(before, after));
    tables.records.watch((before, after) => this.#record(before, after));
    runs.onWork = (id, working) => {
      this.#working.set(id, working);
      if (working > 1) this.#violate('one Terraform an enclave', `${working} work on ${id}`);
      if (this.#lifecycle(id) === undefined)
        this.#violate('no resource without a lifecycle', `Terraform works on ${id}`);
    };
  }

  /** Runs begun since the simulation began. */
  get intents(): number {
    return this.#intents.size;
  }

  /** When the lifecycle of `id` began, virtual ms. */
  begunMs(id: string): number {
    return this.#begun.get(id)?.atMs ?? 0;
  }

  /** Called as an operator asks a host to report. */
  asking(instanceId: string): void {
    this.#asked.set(instanceId, this.#stage.clock.monotonic());
  }

  /** Called as an operator's StartExecution arrives. */
  starting(name: string, id: string): void {
    const item = this.#stage.world.tables.history.get(keys.runs(id), name);
    if (item === undefined || !this.#intents.has(name)) {
      this.#violate('no run without a marker', `${name} is started, and no intent of it is recorded`);
    }
  }

  #violate(rule: string, message: string): void {
    this.#stage.violate(rule, `${this.#stage.actor}: ${message}`);
  }

  #lifecycle(id: string): Lifecycle | undefined {
    const { pk, sk } = keys.lifecycle(id);
    return this.#stage.world.tables.state.get(pk, sk) as Lifecycle | undefined;
  }

  #lock(id: string): Lock | undefined {
    const { pk, sk } = keys.lock(id);
    return this.#stage.world.tables.state.get(pk, sk) as Lock | undefined;
  }

  #state(before: JsonMap | undefined, after: JsonMap | undefined): void {
    const item = (after ?? before) as JsonMap;
    if (item.sk === 'lifecycle')
      this.#lifecycleWritten(before as Lifecycle | undefined, after as Lifecycle | undefined);
    if (item.sk === 'lock') this.#lockWritten(item as unknown as Lock, String(item.pk).slice(8), after !== undefined);
  }

  #lockWritten(lock: Lock, id: string, held: boolean): void {
    if (held) {
      this.#locks.add(id);
      return;
    }
    this.#locks.delete(id);
    this.#late.delete(id);
    this.#stage.trace.say(this.#stage.actor, `frees the lock of ${lock.run}`);
    if ((this.#working.get(id) ?? 0) > 0) {
      this.#violate('a lock outlives its work', `the lock of ${lock.run} is freed while Terraform works on ${id}`);
    }
  }

  #lifecycleWritten(before: Lifecycle | undefined, after: Lifecycle | undefined): void {
    if (after === undefined) {
      if (before !== undefined) this.#forgotten(before);
      return;
    }
    this.#tellChange(before, after);
    const { id, incarnation } = after;
    if (this.#begun.get(id)?.incarnation !== incarnation) {
      this.#begun.set(id, { incarnation, atMs: this.#stage.clock.monotonic() });
    }
    if (before !== undefined && (after.epoch < before.epoch || after.revision !== before.revision + 1)) {
      this.#violate(
        'nothing is written over a newer commit',
        `${after.id}: revision ${before.revision} → ${after.revision}, epoch ${before.epoch} → ${after.epoch}`,
      );
    }
    this.#marked(before, after);
    if (after.phase === 'ready' && before?.phase !== 'ready') this.#provenReady(before, after);
    this.#repaired(before, after);
    this.#climbs(before, after);
  }

  #tellChange(before: Lifecycle | undefined, after: Lifecycle): void {
    const parts: string[] = [];
    const tell = (what: string, was: unknown, is: unknown) => {
      if (was !== is) parts.push(`${what} ${was === undefined ? '' : `${was} → `}${is ?? 'none'}`);
    };
    tell('phase', before?.phase, after.phase);
    tell('desired', before?.desired, after.desired);
    tell('generation', before?.generation, after.generation);
    tell('run', before?.run?.name, after.run?.name);
    tell(
      'attempts',
      before && `${before.attempts.key}×${before.attempts.count}`,
      `${after.attempts.key}×${after.attempts.count}`,
    );
    tell(
      'direct',
      before?.direct && `${before.direct.effect}@${before.direct.at}`,
      after.direct && `${after.direct.effect}@${after.direct.at}`,
    );
    tell(
      'drift',
      before?.drift && `${before.drift.fingerprint}×${before.drift.seen}`,
      after.drift && `${after.drift.fingerprint}×${after.drift.seen}`,
    );
    tell('missing', before?.missingSince, after.missingSince);
    this.#stage.trace.say(
      this.#stage.actor,
      `commits ${after.id} r${after.revision}: ${parts.join(', ') || after.message}`,
    );
  }

  #forgotten(lifecycle: Lifecycle): void {
    const { id } = lifecycle;
    this.#stage.trace.say(this.#stage.actor, `forgets ${id}`);
    const living = this.#stage.world.hosts.living(id);
    if (living.length > 0)
      this.#violate('no resource without a lifecycle', `${id} is forgotten, ${living.length} host lives`);
    if (this.#lock(id) !== undefined)
      this.#violate('no resource without a lifecycle', `${id} is forgotten, its lock is held`);
  }

  #marked(before: Lifecycle | undefined, after: Lifecycle): void {
    const { id, run } = after;
    const lock = this.#lock(id);
    if (lock !== undefined && lock.run !== run?.name) {
      this.#violate(
        'a held lock has its marker',
        `${id}: the lock is of ${lock.run}, the marker ${run?.name ?? 'gone'}`,
      );
    }
    if (run === undefined || run.name === before?.run?.name) return;
    const known = this.#intents.get(run.name);
    if (known !== undefined)
      this.#violate('one intent a name', `${run.name} was intended at ${known.startedAt} before`);
    this.#capped(after);
    const isDeploy = run.action === 'deploy' && after.missingSince !== undefined;
    if (isDeploy && (run.reason !== 'repair' || this.#stage.world.hosts.living(id).length === 0)) {
      this.#violate('no host is created without a record', `${run.name} begins, and the record of ${id} is gone`);
    }
    this.#intents.set(run.name, { id, owner: ownerOf(after.identity), startedAt: run.startedAt });
  }

  /** Each leader keeps to the cap; what arrives late of a former one it cannot have counted (ADR 0009). */
  #capped({ id, epoch }: Lifecycle): void {
    const lease = this.#stage.world.tables.state.get(keys.lease.pk, keys.lease.sk);
    if (epoch < Number(lease?.epoch)) this.#late.add(id);
    const { maxRuns } = this.#stage.settings.config;
    const counted = this.#locks.size - this.#late.size;
    if (counted > maxRuns) this.#violate('never more runs than the cap', `${counted} > ${maxRuns}`);
  }

  /** Ready is said on the word of a report that is newer than the last start, or apply, of the host. */
  #provenReady(before: Lifecycle | undefined, after: Lifecycle): void {
    const { baseline, pinned } = after;
    const host = this.#hostOf(pinned.instanceId);
    if (before === undefined || baseline?.bootId === undefined || host === undefined || after.adopted) return;
    const newBoot = host.bootId !== baseline.bootId;
    const newer = newBoot || (!baseline.newBoot && host.sequence > (baseline.sequence ?? -1));
    if (!newer)
      this.#violate('no stale report is believed', `${after.id} is ready, and its host has said nothing since`);
  }

  #hostOf(instanceId: string | undefined): MemoryHost | undefined {
    return instanceId === undefined ? undefined : this.#stage.world.hosts.all.get(instanceId);
  }

  /** What is repaired was broken, in truth, within the time old news can take. */
  #repaired(before: Lifecycle | undefined, after: Lifecycle): void {
    const { config } = this.#stage.settings;
    const acted = after.direct !== undefined && after.direct.at !== before?.direct?.at;
    const ran = after.run?.reason === 'repair' && after.run.name !== before?.run?.name;
    if (after.phase !== 'repairing' || (!acted && !ran)) return;
    this.#consideredWell(before, after);
    const host = this.#hostOf(before?.pinned.instanceId);
    if (host === undefined || host.state !== 'running' || !host.reports) return;
    const { clock } = this.#stage;
    const what = ran ? 'an apply' : after.direct?.effect;
    const upMs = clock.now() - Date.parse(host.launchedAt);
    const runs = host.enclaveState === 'RUNNING' && host.illness === undefined;
    const wellMs = runs ? clock.monotonic() - host.ranAt : 0;
    const asMadeMs = equalJson(host.posture, host.made) ? clock.monotonic() - host.alteredAt : 0;
    const fingerprint = after.drift?.fingerprint ?? '';
    const ofEnclave = fingerprint.startsWith('enclave:');
    const soundMs = ofEnclave ? wellMs : fingerprint.startsWith('host:') ? upMs : asMadeMs;
    const limitMs = ofEnclave ? config.reportSilenceMs + 3 * MINUTE : 2 * config.sweepMs + 3 * MINUTE;
    if (Math.min(upMs, soundMs) > limitMs) {
      this.#violate(
        'nothing is repaired on Unknown',
        `${what} for ${after.drift?.fingerprint} of ${after.id}, which is well`,
      );
    }
  }

  /** One look may be wrong; and what takes everything down is not done on the word of reports alone. */
  #consideredWell(before: Lifecycle | undefined, after: Lifecycle): void {
    if (before?.drift === undefined) {
      this.#violate(
        'a repair follows from two looks',
        `${after.id} is repaired for ${after.drift?.fingerprint} at once`,
      );
    }
    if (after.direct?.effect !== 'stopHost' || after.direct.at === before?.direct?.at) return;
    const askedMs = this.#asked.get(after.pinned.instanceId ?? '') ?? Number.NEGATIVE_INFINITY;
    if (this.#stage.clock.monotonic() - askedMs > ASKED_MS) {
      this.#violate('a host is asked before it is restarted', `${after.id} is restarted unasked`);
    }
  }

  /** A repair that does not help gives way to the next rung. */
  #climbs(before: Lifecycle | undefined, after: Lifecycle): void {
    const { id, direct, phase } = after;
    const readyMs = before?.phase === 'ready' ? this.#stage.clock.now() - Date.parse(before.phaseSince) : 0;
    if (readyMs >= HEALTHY_RESET_MS) this.#restarts.delete(id);
    if (direct?.effect === 'restartEnclave' && direct.at !== before?.direct?.at) {
      // Of each difference, however they take turns.
      const fingerprint = after.drift?.fingerprint ?? '';
      const byFingerprint = this.#restarts.get(id) ?? new Map<string, number>();
      const restarts = (byFingerprint.get(fingerprint) ?? 0) + 1;
      this.#restarts.set(id, byFingerprint.set(fingerprint, restarts));
      if (restarts > this.#stage.settings.config.repairAttempts) {
        this.#violate(
          'a repair that does not help gives way to the next',
          `${id} is restarted for the ${restarts}th time for ${fingerprint}`,
        );
      }
    } else if (
      phase === 'stalled' ||
      phase === 'backingOff' ||
      (direct !== undefined && direct.effect !== 'restartEnclave') ||
      after.commandAt !== before?.commandAt ||
      after.drift?.fingerprint.startsWith('host:') === true
    ) {
      this.#restarts.delete(id);
    }
  }

  #record(before: JsonMap | undefined, after: JsonMap | undefined): void {
    if (!isOperator(this.#stage.actor)) return;
    const id = String((after ?? before)?.id);
    if (before === undefined || after === undefined) {
      this.#violate('no ghost record', `${id} is ${after === undefined ? 'deleted' : 'written, and it did not exist'}`);
      return;
    }
    const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
    );
    const lifecycle = this.#lifecycle(id);
    this.#stage.trace.say(
      this.#stage.actor,
      `publishes ${id}${before.status === after.status ? '' : ` ${before.status} → ${after.status}`}: ${changed.join(' ')}`,
    );
    const foreign = changed.find((name) => !OWN.has(name));
    if (foreign !== undefined)
      this.#violate("the application's attributes are left alone", `${id}.${foreign} is changed`);
    const ours = lifecycle !== undefined && ownerOf(lifecycle.identity) === ownerOf(before);
    if (!ours && changed.some((name) => !WAITING.has(name))) {
      this.#violate('no publish on a record of another identity', `${id}: ${changed.join(' ')}`);
    }
    if (before.status !== after.status && isCommand(String(after.status))) {
      this.#violate('no command is ever published', `${id} ${String(before.status)} → ${String(after.status)}`);
    }
    const read = ours ? lifecycle.lastSeen : undefined;
    if (read !== undefined && (read.status !== before.status || read.updatedAt !== before.updatedAt)) {
      this.#violate('nothing is overwritten unread', `${id}: ${String(before.status)} of ${String(before.updatedAt)}`);
    }
    this.#rightHost(id, after);
  }

  /** Nobody is ever given the host of another one's enclave. */
  #rightHost(id: string, record: JsonMap): void {
    const instanceId = String(record.instance_id ?? '');
    const host = this.#hostOf(instanceId);
    if (host === undefined || record.status !== 'DEPLOYED') return;
    const owner =
      host.launchedBy === undefined ? this.#app.hostOwners.get(instanceId) : this.#intents.get(host.launchedBy)?.owner;
    if (owner !== undefined && owner !== ownerOf(record)) {
      this.#violate("nobody gets another one's host", `${id} shows ${instanceId}, made for ${owner}`);
    }
  }
}
