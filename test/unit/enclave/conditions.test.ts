/** Conditions by Kubernetes' conventions. */
import { describe, expect, it } from 'vitest';
import {
  CONDITION_MEANINGS,
  CONDITION_TYPES,
  type Condition,
  ConditionSchema,
  conditionOf,
  REASON_MEANINGS,
  REASONS,
  setCondition,
} from '../../../src/enclave/conditions.ts';

const at = (now: string, generation = 1) => ({ now, generation });
const ready = setCondition([], { type: 'Ready', status: 'False', reason: 'NotReady' }, at('t1'));

describe('setCondition', () => {
  it('adds what was not there, with the meaning of its reason as message', () => {
    expect(ready).toEqual([
      {
        type: 'Ready',
        status: 'False',
        reason: 'NotReady',
        message: REASON_MEANINGS.NotReady,
        observedGeneration: 1,
        lastTransitionTime: 't1',
      },
    ]);
    expect(ConditionSchema.parse(ready[0])).toEqual(ready[0]);
  });

  it('gives the very same list where nothing changed, so that nothing is written', () => {
    expect(setCondition(ready, { type: 'Ready', status: 'False', reason: 'NotReady' }, at('t2'))).toBe(ready);
  });

  it.each([
    ['another reason', { reason: 'Destroying' as const }, 1, 't1'],
    ['another message', { message: 'still not' }, 1, 't1'],
    ['another generation', {}, 2, 't1'],
    ['another status', { status: 'True' as const, reason: 'Running' as const }, 1, 't2'],
  ])('%s: the time moves only with the status', (_, change, generation, time) => {
    const next = setCondition(
      ready,
      { type: 'Ready', status: 'False', reason: 'NotReady', ...change },
      at('t2', generation),
    );
    expect(next).not.toBe(ready);
    expect(conditionOf(next, 'Ready')).toMatchObject({
      ...change,
      observedGeneration: generation,
      lastTransitionTime: time,
    });
  });

  it('leaves the others as they are, those of a newer version too', () => {
    const future: Condition = { ...ready[0]!, type: 'FromTheFuture' };
    const next = setCondition([future, ...ready], { type: 'Ready', status: 'True', reason: 'Running' }, at('t2'));
    expect(next).toHaveLength(2);
    expect(next[0]).toBe(future);
  });
});

describe('the vocabulary', () => {
  it('has the conditions of the contract, each with a meaning', () => {
    expect([...CONDITION_TYPES].sort()).toEqual(
      [
        'Ready',
        'SpecValid',
        'Provisioned',
        'EnclaveRunning',
        'Healthy',
        'InSync',
        'MeasurementsReported',
        'Secure',
        'Progressing',
        'Stalled',
        'DeletionBlocked',
      ].sort(),
    );
    expect(Object.keys(CONDITION_MEANINGS).sort()).toEqual([...CONDITION_TYPES].sort());
  });

  it('spells reasons as Kubernetes does, and each is a sentence', () => {
    for (const reason of REASONS) {
      expect(reason).toMatch(/^[A-Z][A-Za-z]{2,60}$/);
      expect(REASON_MEANINGS[reason]).toMatch(/^[A-Z].*\.$/);
    }
  });
});
