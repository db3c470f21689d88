/** The table of event reasons, against the sources that emit them. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EVENT_REASONS, type EventReason, newEvent } from '../../../src/enclave/event-reasons.ts';

const root = new URL('../../../', import.meta.url);
const TABLE = 'src/enclave/event-reasons.ts';

const sources = ['src', 'runner/src'].flatMap((folder) =>
  readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .map((file) => `${folder}/${file}`)
    .filter((file) => file.endsWith('.ts') && file !== TABLE)
    .map((file) => readFileSync(new URL(file, root), 'utf8')),
);
const reasons = Object.keys(EVENT_REASONS) as EventReason[];
/** A type beside a reason, in an object: nothing but an event has both. */
const emitted = sources.flatMap((text) => [
  ...text.matchAll(/\btype: '(?<type>Normal|Warning)',\s*reason: '(?<reason>\w+)'/g),
]);

describe('event reasons', () => {
  it.each(reasons)('%s is emitted somewhere', (reason) => {
    const literal = new RegExp(`'${reason}'`);
    expect(sources.filter((text) => literal.test(text)).length).toBeGreaterThan(0);
  });

  it('has every reason that a source emits, with its type', () => {
    expect(emitted.length).toBeGreaterThan(10);
    const foreign = emitted.filter(({ groups }) => {
      const defined = reasons.includes(groups?.reason as EventReason)
        ? EVENT_REASONS[groups?.reason as EventReason].type
        : undefined;
      return defined !== 'Varies' && defined !== groups?.type;
    });
    expect(foreign.map(([text]) => text)).toEqual([]);
  });

  it('spells reasons as Kubernetes does; meaning and action are sentences', () => {
    for (const reason of reasons) {
      const { meaning, action } = EVENT_REASONS[reason];
      expect(reason).toMatch(/^[A-Z][A-Za-z]{2,60}$/);
      expect([meaning, action]).toEqual([expect.stringMatching(/^[A-Z].*\.$/), expect.stringMatching(/^[A-Z].*\.$/)]);
    }
  });

  it('gives an event the operator as actor, unless a person is named', () => {
    const details = { id: 'enc_1', at: '2030-01-01T00:00:00.000Z', message: 'started run-1' };
    expect(newEvent({ type: 'Normal', reason: 'RunStarted' }, details)).toEqual({
      ...{ v: 1, minReader: 1, type: 'Normal', reason: 'RunStarted', actor: 'operator' },
      ...details,
    });
    expect(newEvent({ type: 'Normal', reason: 'Requested' }, { ...details, actor: 'ana' }).actor).toBe('ana');
    // @ts-expect-error -- BreakerOpened is a warning
    newEvent({ type: 'Normal', reason: 'BreakerOpened' }, details);
    // @ts-expect-error -- in no table
    newEvent({ type: 'Normal', reason: 'Whatever' }, details);
  });
});
