/** Event window: repeats of one event become one item. */
import { hash } from 'node:crypto';
import { canonicalJson } from '../json.ts';
import { keys, type OperatorEvent } from './items.ts';

/** Repeats within one such window, aligned to the clock, are counted in one item. */
export const EVENT_WINDOW_MS = 10 * 60_000;

export interface CountedEvent {
  readonly key: { readonly pk: string; readonly sk: string };
  /** The newest of them. */
  readonly event: OperatorEvent;
  readonly firstAt: string;
  readonly count: number;
}

/**
 * `<start of the window>-<digest of what is said, and by whom>`: writers that know nothing of each other meet in the
 * same item, and items lie in order of time.
 */
export function eventKey(event: OperatorEvent): CountedEvent['key'] {
  const { type, reason, message, actor } = event;
  const start = Math.floor(Date.parse(event.at) / EVENT_WINDOW_MS) * EVENT_WINDOW_MS;
  const digest = hash('sha256', canonicalJson([type, reason, message, actor]), 'hex').slice(0, 16);
  return keys.event(event.id, `${new Date(start).toISOString()}-${digest}`);
}

/** The items some events go into, each once. An event that carries a count stands for that many. */
export function countEvents(events: readonly OperatorEvent[]): readonly CountedEvent[] {
  const counted = new Map<string, CountedEvent>();
  for (const event of events) {
    const key = eventKey(event);
    const name = `${key.pk}\0${key.sk}`;
    const known = counted.get(name);
    const firstAt = event.firstAt ?? event.at;
    counted.set(name, {
      key,
      event: known === undefined || event.at >= known.event.at ? event : known.event,
      firstAt: known === undefined || firstAt < known.firstAt ? firstAt : known.firstAt,
      count: (known?.count ?? 0) + (event.count ?? 1),
    });
  }
  return [...counted.values()];
}
