/** The application and its users: they write records as they please, and remember what they asked for. */
import { type CommandStatus, isCommand } from '../../src/enclave/record.ts';
import type { RawRecord } from '../../src/reconciler/ports/index.ts';
import type { SeededRandom } from './random.ts';
import type { Stage } from './stage.ts';

/** Commands that may still be carried out, for they stood there or were being read before the last one. */
interface Before {
  readonly destroy: boolean;
  readonly deploy: boolean;
  /** It was brought back with a status that asks for nothing. */
  readonly saysThatItExists: boolean;
  /** What stood there when it was written. */
  readonly status: string;
}
const NOTHING: Before = { destroy: false, deploy: false, saysThatItExists: false, status: '' };

/** What the application asked of one record last, and how things stood then. */
export interface LastCommand {
  readonly status: string;
  readonly atMs: number;
  /** Desired and phase of the record's lifecycle at that time; undefined: it had none. */
  readonly desired: string | undefined;
  readonly phase: string | undefined;
  readonly after: Before;
}

export interface Owned {
  readonly id: string;
  /** Undefined: deleted. */
  identity: { readonly createdAt: string; readonly walletAddress: string } | undefined;
  command: LastCommand;
  valid: boolean;
  /** When the application last wrote anything to it. */
  touchedMs: number;
  /** Nobody touches it until then. */
  aloneUntilMs: number;
  /** Nobody commands it: it is left to its illness. */
  readonly sick: boolean;
}

const REGION = 'us-west-2';
const DAY_MS = 24 * 60 * 60_000;
/** How long a decision may be under way: a command read before another was written may be committed after it. */
const DECISION_MS = 90_000;
/** Longer than any deadline of the settings. */
const PATIENCE_MS = 12 * 60_000;
export const SICK_ID = 'enc_sick';
export const UNKNOWN_VERB = 'no such verb';

/** What the application's own gates let a user ask for. */
const GATES: Readonly<Record<string, readonly CommandStatus[]>> = {
  DEPLOYED: ['PAUSING', 'PENDING_DESTROY'],
  PAUSED: ['RESUMING', 'PENDING_DESTROY'],
  FAILED: ['PENDING_DEPLOY', 'PENDING_DESTROY'],
  DESTROYED: ['PENDING_DEPLOY'],
};
const COMMANDS: readonly CommandStatus[] = ['PENDING_DEPLOY', 'PENDING_DESTROY', 'PAUSING', 'RESUMING'];

export class App {
  readonly enclaves = new Map<string, Owned>();
  /** Whose host it is, for hosts that no run launched. */
  readonly hostOwners = new Map<string, string>();
  readonly #stage: Stage;
  readonly #random: SeededRandom;
  #number = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#random = stage.random.fork('app');
  }

  /** What was there before the operator was installed. */
  found(): void {
    const { settings, world } = this.#stage;
    const many = this.#random.between(0, Math.ceil(settings.fleet / 2));
    for (let n = 0; n < many; n += 1) {
      const id = this.#newId();
      const status = this.#random.pick(['DEPLOYED', 'DEPLOYED', 'PAUSED', 'FAILED', 'PENDING_DESTROY', 'DESTROYED']);
      // Made long before the operator was installed: resources of it may exist that nobody has seen yet.
      const createdAt = new Date(this.#stage.clock.now() - DAY_MS).toISOString();
      const owned = this.post(id, { status, createdAt });
      if (owned.identity === undefined || status === 'DESTROYED' || this.#random.chance(0.2)) continue;
      const host = world.hosts.launch({
        enclaveId: id,
        region: REGION,
        state: status === 'PAUSED' ? 'stopped' : 'running',
        reports: this.#random.chance(0.7),
      });
      this.hostOwners.set(host.instanceId, ownerOf(owned.identity));
    }
    // Records of others, which nobody may touch.
    this.#write(() => world.putRecord(this.#record('enc_other', { providerId: 'azure-confidential' })));
    this.#write(() => world.putRecord(this.#record('enc_building', { status: 'BUILDING' })));
    if (this.#stage.has('sick')) this.post(SICK_ID, {});
  }

  /** Acts until faults stop, or for as long as `going` says so. */
  act(going: () => boolean): void {
    const { settings } = this.#stage;
    this.#stage.every(this.#random, settings.appEveryMs, going, () => this.step());
  }

  /** One thing a user does. */
  step(): void {
    const random = this.#random;
    const now = this.#stage.clock.monotonic();
    const living = [...this.enclaves.values()].filter(
      (owned) => owned.identity !== undefined && !owned.sick && owned.aloneUntilMs <= now,
    );
    if (living.length === 0 || (this.enclaves.size < this.#stage.settings.fleet && random.chance(0.3))) {
      this.post(this.#newId(), random.chance(0.05) ? { providerConfig: { cpuCount: 'many' } } : {});
      return;
    }
    const owned = random.pick(living);
    this.#stepOn(owned);
    // Somebody impatient clicks again while the first click is being worked on.
    if (this.#stage.has('lateCommands') && random.chance(0.4)) {
      this.#stage.clock.schedule(random.between(100, 4_000), () => {
        if (owned.identity !== undefined && this.#stage.has('lateCommands')) this.#stepOn(owned);
      });
    }
    // Somebody patient waits for as long as it takes.
    if (random.chance(0.25)) owned.aloneUntilMs = now + PATIENCE_MS;
  }

  #stepOn(owned: Owned): void {
    const random = this.#random;
    random.weighted<() => void>([
      [8, () => this.gated(owned)],
      [3, () => this.edit(owned)],
      [1, () => this.rename(owned)],
      [1, () => this.request(owned, random.pick(['retry', 'adopt', 'plan', UNKNOWN_VERB]))],
      [this.#stage.has('lateCommands') ? 4 : 0, () => this.#late(owned)],
      [this.#stage.has('deletions') ? 3 : 0, () => this.#delete(owned)],
    ])();
  }

  /** A record as the application's POST shapes it. */
  post(id: string, overrides: Record<string, unknown>): Owned {
    const record = this.#record(id, overrides);
    const owned: Owned = {
      id,
      identity: { createdAt: String(record.createdAt), walletAddress: String(record.walletAddress) },
      command: this.#commandNow(id, String(record.status), NOTHING),
      valid: (record.providerConfig as { cpuCount?: unknown }).cpuCount !== 'many',
      touchedMs: this.#stage.clock.monotonic(),
      aloneUntilMs: 0,
      sick: id === SICK_ID,
    };
    this.enclaves.set(id, owned);
    this.#stage.trace.say('app', `posts ${id} ${record.status}${owned.valid ? '' : ', invalid'}`);
    this.#write(() => this.#stage.world.putRecord(record));
    return owned;
  }

  /** A command the gates let through in this status, if there is one. */
  gated(owned: Owned, among: readonly CommandStatus[] = COMMANDS): void {
    const allowed = (GATES[this.statusOf(owned)] ?? []).filter((status) => among.includes(status));
    if (allowed.length > 0) this.command(owned, this.#random.pick(allowed));
  }

  command(owned: Owned, status: CommandStatus): void {
    const { world, clock, trace } = this.#stage;
    const before = this.statusOf(owned);
    const { command } = owned;
    const recent = clock.monotonic() - command.atMs < DECISION_MS;
    owned.command = this.#commandNow(owned.id, status, {
      destroy:
        before === 'PENDING_DESTROY' || (recent && (command.after.destroy || command.after.status === 'DESTROYED')),
      saysThatItExists: false,
      deploy: before === 'PENDING_DEPLOY' || (recent && (command.status === 'PENDING_DEPLOY' || command.after.deploy)),
      status: before,
    });
    trace.say('app', `commands ${owned.id} ${status} (was ${before})`);
    this.#touch(owned, () => world.updateRecord(owned.id, { status, updatedAt: clock.iso() }));
  }

  request(owned: Owned, verb: string): void {
    this.#stage.trace.say('app', `requests ${verb} of ${owned.id}`);
    owned.touchedMs = this.#stage.clock.monotonic();
    this.#write(() => this.#stage.world.putRequest(owned.id, verb));
  }

  /** A new configuration; now and then one that is not valid. */
  edit(owned: Owned, valid = this.#random.chance(0.85)): void {
    const { world, clock, trace } = this.#stage;
    const cpuCount = valid ? '2' : 'many';
    const memoryMiB = String(512 * this.#random.between(1, 6));
    owned.valid = valid;
    trace.say('app', `edits ${owned.id}: memoryMiB ${memoryMiB}${valid ? '' : ', invalid'}`);
    const known = world.record(owned.id)?.providerConfig as object | undefined;
    const providerConfig = { ...known, cpuCount, memoryMiB };
    // Somebody who edits the item in the console does not think of updatedAt.
    const stamp = this.#random.chance(0.15) ? {} : { updatedAt: clock.iso() };
    this.#touch(owned, () => world.updateRecord(owned.id, { providerConfig, ...stamp }));
  }

  statusOf(owned: Owned): string {
    return String(this.#stage.world.record(owned.id)?.status ?? '');
  }

  rename(owned: Owned): void {
    const { world, clock, trace } = this.#stage;
    trace.say('app', `renames ${owned.id}`);
    const changes = { name: `name ${this.#random.between(0, 999)}`, updatedAt: clock.iso() };
    this.#touch(owned, () => world.updateRecord(owned.id, changes));
  }

  /** What gates would not let through: a request that hung for long, two tabs, a script, a repetition. */
  #late(owned: Owned): void {
    const { world, trace } = this.#stage;
    const status = this.#random.chance(0.3) ? this.statusOf(owned) : this.#random.pick(COMMANDS);
    if (isCommand(status)) this.command(owned, status);
    if (status === 'PENDING_DESTROY' && this.#random.chance(0.5)) {
      const name = `app-${this.#random.port.id(8)}`;
      trace.say('app', `starts the cleanup machine for ${owned.id} directly, as ${name}`);
      void world.runs.start(name, 'destroy', owned.id);
    }
  }

  #delete(owned: Owned): void {
    const { world, clock, trace, settings } = this.#stage;
    const record = world.record(owned.id);
    const { identity } = owned;
    owned.identity = undefined;
    trace.say('app', `deletes ${owned.id}`);
    this.#touch(owned, () => world.deleteRecord(owned.id));
    const again = this.#random.chance(0.6);
    if (!again || record === undefined) return;
    const another = this.#random.chance(0.6);
    clock.schedule(this.#random.between(1_000, 2 * settings.config.deletionGraceMs), () => {
      if (owned.identity !== undefined || this.#stage.calm) return;
      if (another) {
        this.post(owned.id, {});
        return;
      }
      owned.identity = identity;
      // As it was, status included: what it last said is what it says again.
      const status = String(record.status);
      const said = isCommand(status) ? status : owned.command.status;
      // Whether the destruction had begun by then is for the operator to know: both ends are right.
      // What it says exists may be gone by then: nothing creates it until somebody asks.
      const before = { ...NOTHING, destroy: true, saysThatItExists: !isCommand(status) };
      owned.command = { ...this.#commandNow(owned.id, said, before), desired: undefined };
      trace.say('app', `brings ${owned.id} back as it was, ${status}`);
      this.#touch(owned, () => world.putRecord(record));
    });
  }

  #touch(owned: Owned, write: () => void): void {
    owned.touchedMs = this.#stage.clock.monotonic();
    this.#write(write);
  }

  #write(write: () => unknown): void {
    this.#stage.as('app', write);
  }

  #commandNow(id: string, status: string, after: Before): LastCommand {
    const stored = this.#stage.world.tables.state.get(`enclave#${id}`, 'lifecycle');
    const record = this.#stage.world.record(id);
    // The lifecycle of somebody else's enclave under this id says nothing about this one.
    const ours = record !== undefined && ownerOf(record) === ownerOf(Object(stored?.identity));
    const lifecycle = ours ? stored : undefined;
    return {
      status,
      atMs: this.#stage.clock.monotonic(),
      desired: lifecycle === undefined ? undefined : String(lifecycle.desired),
      phase: lifecycle === undefined ? undefined : String(lifecycle.phase),
      after,
    };
  }

  #newId(): string {
    this.#number += 1;
    return `enc_${this.#number}`;
  }

  #record(id: string, overrides: Record<string, unknown>): RawRecord {
    const now = this.#stage.clock.iso();
    return {
      id,
      name: `name of ${id}`,
      region: REGION,
      walletAddress: `0x${this.#random.port.id(12)}`,
      providerId: 'aws-nitro',
      status: 'PENDING_DEPLOY',
      createdAt: now,
      updatedAt: now,
      ...overrides,
      providerConfig: {
        dockerImage: 'nginx:1.27',
        cpuCount: '2',
        memoryMiB: '1024',
        instanceType: 'm6i.xlarge',
        enableDebug: false,
        ...(overrides.providerConfig as object | undefined),
      },
    };
  }
}

export function ownerOf(identity: object): string {
  const { createdAt, walletAddress } = identity as Record<string, unknown>;
  return `${String(createdAt)} ${String(walletAddress)}`;
}
