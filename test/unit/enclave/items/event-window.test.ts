import { describe, expect, it } from 'vitest';
import { eventCells } from '../../../../src/cli/commands/events.ts';
import { countEvents } from '../../../../src/enclave/items/event-window.ts';
import { EventSchema, keys } from '../../../../src/enclave/items/items.ts';
import { anEvent } from '../../../support/conformance-harness.ts';

const at = (time: string) => anEvent('e', { at: `2030-01-01T${time}.000Z` });

describe('repeats of an event', () => {
  it('are one item a window, in order of time, of the newest with the first time and a count', () => {
    const counted = countEvents([at('00:09:59'), at('00:00:00'), at('00:10:00'), at('00:05:00')]);
    expect(counted).toMatchObject([
      { event: { at: '2030-01-01T00:09:59.000Z' }, firstAt: '2030-01-01T00:00:00.000Z', count: 3 },
      { event: { at: '2030-01-01T00:10:00.000Z' }, firstAt: '2030-01-01T00:10:00.000Z', count: 1 },
    ]);
    expect(counted.map(({ key }) => key.pk)).toEqual([keys.events('e'), keys.events('e')]);
    expect(counted.map(({ key }) => key.sk)).toEqual(counted.map(({ key }) => key.sk).toSorted());
  });

  it('of several enclaves do not mix', () => {
    expect(countEvents([anEvent('a'), anEvent('b'), anEvent('a')]).map(({ count }) => count)).toEqual([2, 1]);
  });

  it('an item without a count, as earlier versions wrote it, is read as one', () => {
    const { count, firstAt } = EventSchema.parse(anEvent('e'));
    expect([count, firstAt]).toEqual([undefined, undefined]);
    expect(eventCells(anEvent('e')).at(-1)).toBe('deployed');
  });

  it('are shown with their count', () => {
    const event = { ...at('00:09:59'), count: 12, firstAt: '2030-01-01T00:01:00.000Z' };
    expect(eventCells(event).at(-1)).toBe('deployed (12 times since 2030-01-01T00:01:00.000Z)');
  });
});
