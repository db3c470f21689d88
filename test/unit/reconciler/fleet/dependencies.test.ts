/** The graph of dependencies: who waits for whom, who is woken, and cycles by name. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Lifecycle, Phase } from '../../../../src/enclave/items/lifecycle.ts';
import { Dependencies, findCycle } from '../../../../src/reconciler/fleet/dependencies.ts';

const graph = (edges: Readonly<Record<string, readonly string[]>>) => (id: string) => edges[id] ?? [];

describe('findCycle', () => {
  it.each([
    { name: 'no needs', edges: {}, cycle: undefined },
    { name: 'a chain', edges: { a: ['b'], b: ['c'] }, cycle: undefined },
    { name: 'a diamond', edges: { a: ['b', 'c'], b: ['d'], c: ['d'] }, cycle: undefined },
    { name: 'itself', edges: { a: ['a'] }, cycle: ['a', 'a'] },
    { name: 'two', edges: { a: ['b'], b: ['a'] }, cycle: ['a', 'b', 'a'] },
    { name: 'three, with a dead end', edges: { a: ['b'], b: ['x', 'c'], c: ['a'] }, cycle: ['a', 'b', 'c', 'a'] },
    { name: 'a cycle it only leads to', edges: { a: ['b'], b: ['c'], c: ['b'] }, cycle: undefined },
  ])('$name', ({ edges, cycle }) => {
    expect(findCycle('a', graph(edges as Record<string, string[]>))).toEqual(cycle);
  });

  it('names a way that exists, exactly where one does', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    fc.assert(
      fc.property(fc.dictionary(id, fc.uniqueArray(id)), (edges) => {
        const needs = graph(edges);
        const reach = new Set(needs('a'));
        for (const at of reach) for (const next of needs(at)) reach.add(next);
        const cycle = findCycle('a', needs);
        expect(cycle !== undefined).toBe(reach.has('a'));
        if (cycle === undefined) return;
        expect([cycle[0], cycle.at(-1)]).toEqual(['a', 'a']);
        for (const [index, at] of cycle.slice(0, -1).entries()) expect(needs(at)).toContain(cycle[index + 1]);
      }),
    );
  });
});

describe('Dependencies', () => {
  const bench = () => {
    const woken: string[] = [];
    const dependencies = new Dependencies((id) => woken.push(id));
    const know = (id: string, phase: Phase | undefined, touched = true, conditions: readonly object[] = []) =>
      phase === undefined
        ? dependencies.onDelete(id)
        : dependencies.onUpsert(id, { phase, touched, conditions } as unknown as Lifecycle);
    dependencies.complete();
    return { dependencies, know, woken };
  };

  it('waits for an enclave that runs and is not Ready', () => {
    const { dependencies, know, woken } = bench();
    dependencies.declare('app', ['db']);
    know('db', 'ready', true, [{ type: 'Ready', status: 'False', reason: 'MeasurementsUnverified' }]);
    expect(dependencies.missing('app')).toEqual(['db']);
    know('db', 'ready', true, [{ type: 'Ready', status: 'True', reason: 'Running' }]);
    expect(dependencies.missing('app')).toEqual([]);
    expect(woken).toContain('app');
  });

  it('knows what is not ready yet, and wakes who waits', () => {
    const { dependencies, know, woken } = bench();
    dependencies.declare('app', ['db', 'cache']);
    expect(dependencies.missing('app')).toEqual(['db', 'cache']);
    know('db', 'ready');
    expect(dependencies.missing('app')).toEqual(['cache']);
    expect(woken).toEqual(['app']);
    know('db', 'ready');
    expect(woken).toEqual(['app']);
    know('db', 'paused');
    expect(dependencies.missing('app')).toEqual(['db', 'cache']);
    dependencies.declare('app', []);
    expect(dependencies.missing('app')).toEqual([]);
  });

  it('knows who still needs an enclave, and wakes it when they are gone', () => {
    const { dependencies, know, woken } = bench();
    dependencies.declare('app', ['db']);
    know('db', 'destroying');
    know('app', 'pending', false);
    expect(dependencies.dependents('db')).toEqual([]);
    know('app', 'provisioning');
    expect(dependencies.dependents('db')).toEqual(['app']);
    woken.length = 0;
    know('app', 'destroyed');
    expect(dependencies.dependents('db')).toEqual([]);
    expect(woken).toEqual(['db']);
  });

  it('lets the enclaves of a cycle go, and keeps what needs the cycle', () => {
    const { dependencies, know } = bench();
    dependencies.declare('a', ['b']);
    dependencies.declare('b', ['a']);
    dependencies.declare('c', ['a']);
    for (const id of ['a', 'b', 'c']) know(id, 'ready');
    expect(dependencies.dependents('a')).toEqual(['c']);
    expect(dependencies.dependents('b')).toEqual([]);
    expect(dependencies.cycle('a')).toEqual(['a', 'b', 'a']);
    expect(dependencies.cycle('c')).toBeUndefined();
  });

  it('does not know who needs an enclave before every record was listed', () => {
    const dependencies = new Dependencies(() => {});
    expect(dependencies.dependents('db')).toBeUndefined();
    dependencies.complete();
    expect(dependencies.dependents('db')).toEqual([]);
  });

  it('forgets what an enclave needed when it is forgotten', () => {
    const { dependencies, know, woken } = bench();
    dependencies.declare('app', ['db']);
    know('app', 'ready');
    know('app', undefined);
    woken.length = 0;
    know('db', 'ready');
    expect(woken).toEqual([]);
  });
});
