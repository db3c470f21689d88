/** Mutants: copies of the controller with one fault each, which the simulation must find. */

export interface Mutant {
  readonly name: string;
  /** Module, from the root of the project. */
  readonly file: string;
  /** Occurs once in the module. */
  readonly find: string;
  readonly replace: string;
  /** A seed that finds it, to begin with; where it no longer does, after a change of the controller, all are played. */
  readonly seed?: number;
}

/** Each is a mistake somebody could make in good faith. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no marker before start',
    file: 'src/reconciler/reconcile/reconcile.ts',
    find: 'const result = await ports.state.commit({',
    replace: `if (begun && lifecycle.run) await ports.workflows.start(lifecycle.run.name, lifecycle.run.action, id);
    const result = await ports.state.commit({`,
  },
  {
    name: 'run name reused',
    file: 'src/machines/run-updates.ts',
    find: 'runName(lifecycle.id, seq, action, assessment.random)',
    replace: 'runName(lifecycle.id, lifecycle.generation, action, 0)',
    seed: 2,
  },
  {
    name: 'publish without condition',
    file: 'src/reconciler/reconcile/record-status.ts',
    find: "const text = (name: string) => (typeof record.raw[name] === 'string' ? (record.raw[name] as string) : undefined);",
    replace: `const present: Record<string, unknown> = (await ports.records.get(record.id)) ?? {};
  const text = (name: string) => (typeof present[name] === 'string' ? (present[name] as string) : undefined);`,
    seed: 1,
  },
  {
    name: 'repeated status taken as a new command',
    file: 'src/machines/intent.ts',
    find: `(record.status !== lifecycle.lastSeen.status ||
      (onlyCommandsLead && record.updatedAt !== lifecycle.lastSeen.updatedAt))`,
    replace: '(onlyCommandsLead || true)',
    seed: 10,
  },
  {
    name: 'new record given the old host',
    file: 'src/machines/intent.ts',
    find: 'if (record === undefined || !sameIdentity(record.identity, lifecycle.identity)) {',
    replace: 'if (record === undefined) {',
    seed: 12,
  },
  {
    name: 'revision ignored',
    file: 'src/reconciler/reconcile/reconcile.ts',
    find: 'readRevision: before?.revision,',
    replace: 'readRevision: (await ports.state.read(id)).lifecycle?.revision,',
    seed: 15,
  },
  {
    name: 'lock freed on execution end alone',
    file: 'src/reconciler/observers/runs.ts',
    find: 'if (!(await this.#tasksStopped(marker, item))) return viewOf(lock, item);',
    replace: '',
    seed: 3,
  },
  {
    name: 'stale report accepted',
    file: 'src/reconciler/observers/report-view.ts',
    find: 'const fresh = isFresh(report, lifecycle.baseline);',
    replace: 'const fresh = isFresh(report, undefined);',
    seed: 3,
  },
  {
    name: 'LATEST for child shards',
    file: 'src/reconciler/watch/stream-subscription.ts',
    find: "'TRIM_HORIZON'",
    replace: "'LATEST'",
  },
  {
    name: 'queue forgets while processing',
    file: 'src/reconciler/queue/work-queue.ts',
    find: `processing.again =
        processing.again === undefined`,
    // What asks for a later look is kept; what tells of a change is not.
    replace: `if (options.delayMs === undefined) return;
      processing.again =
        processing.again === undefined`,
    seed: 23,
  },
  {
    name: 'Unknown treated as missing',
    file: 'src/reconciler/reconcile/observe.ts',
    find: 'return UNSEEN;',
    replace: "return { ...UNSEEN, verdict: 'Drift', state: 'gone', observedAt: ports.clock.monotonic() };",
    seed: 6,
  },
  {
    name: 'a host created without a record',
    file: 'src/machines/setup.ts',
    find: 'if (!hasNoRecord(context)) return false;',
    replace: 'return false;',
    seed: 12,
  },
  {
    name: 'one look suffices for a repair',
    file: 'src/machines/drift.ts',
    find: 'drift.seen < 2',
    replace: 'drift.seen < 1',
  },
  {
    name: 'a host restarted without a second look',
    file: 'src/machines/setup.ts',
    find: "return secondLook === 'unwell' ||",
    replace: "return secondLook === undefined || secondLook === 'unwell' ||",
    seed: 5,
  },
  {
    name: 'attempts reset too eagerly',
    file: 'src/machines/updates.ts',
    find: "const attempts = isRepairKey(lifecycle.attempts.key) ? lifecycle.attempts : { key: '', count: 0 };",
    replace: "const attempts = { key: '', count: 0 };",
    seed: 5,
  },
  {
    name: 'a plan result deleted and not taken in',
    file: 'src/reconciler/reconcile/reconcile.ts',
    find: 'const noted = trackPlans(found.lifecycle, planResults, ports.clock.now());',
    replace: 'const noted = trackPlans(found.lifecycle, [], ports.clock.now());',
    seed: 11,
  },
];
