/** What every scenario needs of a virtual operator: shorthands to change one enclave's world and to read its items. */
import { type Condition, type ConditionType, conditionOf } from '../../src/enclave/conditions.ts';
import { type Control, ControlSchema } from '../../src/enclave/items/fleet.ts';
import { keys, type OperatorEvent } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import type { Report } from '../../src/enclave/items/report.ts';
import { omit } from '../../src/enclave/omit.ts';
import type { Posture, RawRecord } from '../../src/reconciler/ports/index.ts';
import type { MemoryHost } from './memory-hosts.ts';
import type { MemorySurrounding } from './memory-surroundings.ts';
import type { MemoryWorld } from './memory-world.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** The virtual operator itself, without the shorthands. */
export interface Bare {
  readonly clock: VirtualClock;
  readonly world: MemoryWorld;
  post(id: string, overrides?: Record<string, unknown>): RawRecord;
  lifecycle(id: string): Lifecycle | undefined;
  status(id: string): string | undefined;
  until(condition: () => boolean, what: string, limitMs?: number): Promise<void>;
}

export interface Scenario {
  /** Posts records with the same fields, and waits until all of them are DEPLOYED. @default limitMs an hour */
  deploy(ids: string | readonly string[], fields?: Record<string, unknown>, limitMs?: number): Promise<void>;
  /** Replaces `providerConfig` as a whole, as the application's PUT does. */
  edit(id: string, providerConfig: object): void;
  /** Changes members of `providerConfig`, and keeps the others. */
  editMembers(id: string, changes: object): void;
  /** Freezes the fleet, as `enclavectl freeze` does. */
  freeze(freeze?: { readonly reason?: string; readonly actor?: string; readonly untilMs?: number | undefined }): void;
  unfreeze(): void;
  control(): Control;

  condition(id: string, type: ConditionType): Condition | undefined;
  /** Status and reason of a condition, e.g. `False HostMissing`. */
  conditionText(id: string, type: ConditionType): string;
  events(id: string): readonly OperatorEvent[];
  /** The reasons of its events. */
  reasons(id: string): readonly string[];

  /** The first host of an enclave. Throws if there is none. */
  host(id: string): MemoryHost;
  /** Changes what EC2 describes of the host. Throws if there is no host, or EC2 describes nothing of it. */
  changeHost(id: string, changes: Partial<Posture>): void;
  /** The resources around the host. Throws if there are none. */
  around(id: string): MemorySurrounding;
  /** Writes a report of the host, over what it reported before. */
  report(id: string, report: Partial<Report>): void;
}

export function scenario(v: Bare): Scenario {
  const { clock, world } = v;
  const { state, history } = world.tables;

  const condition: Scenario['condition'] = (id, type) => conditionOf(v.lifecycle(id)?.conditions ?? [], type);
  const events: Scenario['events'] = (id) => history.partition(keys.events(id)) as unknown as readonly OperatorEvent[];
  const edit: Scenario['edit'] = (id, providerConfig) =>
    world.updateRecord(id, { providerConfig, updatedAt: clock.iso() });
  const control: Scenario['control'] = () => ControlSchema.parse(state.get(keys.control.pk, keys.control.sk));
  const host: Scenario['host'] = (id) => {
    const [first] = world.hosts.living(id);
    if (first === undefined) throw new Error(`no host of ${id}`);
    return first;
  };

  return {
    async deploy(ids, fields = {}, limitMs) {
      const all = typeof ids === 'string' ? [ids] : ids;
      for (const id of all) v.post(id, fields);
      await v.until(() => all.every((id) => v.status(id) === 'DEPLOYED'), `${all.join(', ')} DEPLOYED`, limitMs);
    },
    edit,
    editMembers: (id, changes) => edit(id, { ...(world.record(id)?.providerConfig as object | undefined), ...changes }),
    freeze({ reason = 'a test', actor = 'test', untilMs } = {}) {
      const until = untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() };
      state.put({ ...control(), ...keys.control, freeze: { reason, actor, at: clock.iso(), ...until } });
    },
    unfreeze: () => state.put({ ...omit(control(), 'freeze'), ...keys.control }),
    control,
    condition,
    conditionText(id, type) {
      const { status, reason } = condition(id, type) ?? {};
      return `${status} ${reason}`;
    },
    events,
    reasons: (id) => events(id).map(({ reason }) => reason),
    host,
    changeHost(id, changes) {
      const changed = host(id);
      if (changed.posture === undefined) throw new Error(`EC2 does not describe the host of ${id}`);
      changed.posture = { ...changed.posture, ...changes };
    },
    around(id) {
      const around = world.surroundings.all.get(id);
      if (around === undefined) throw new Error(`no resources around the host of ${id}`);
      return around;
    },
    report(id, report) {
      const { instanceId } = host(id);
      host(id).sequence += 1;
      const { pk, sk } = keys.report(id, instanceId);
      state.put({ ...state.get(pk, sk), ...report, pk, sk, sequence: host(id).sequence });
    },
  };
}
