/** Seeded choices: one stream of them for each actor. */
import type { Random } from '../../src/reconciler/ports/index.ts';
import { seededRandom } from '../support/virtual-clock.ts';

/** FNV-1a: names of actors to seeds. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}

/**
 * Each actor forks a stream of its own, so that one more draw by one actor does not change what the others draw. The
 * name of a fork is part of its seed: under another name, the same seed plays another history.
 */
export class SeededRandom {
  /** The same stream as the `Random` port. */
  readonly port: Random;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    this.port = seededRandom(hash(name));
  }

  fork(actor: string): SeededRandom {
    return new SeededRandom(`${this.#name}/${actor}`);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.port.next() < probability;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.port.next() * (most - least + 1));
  }

  /** Many short times and few long ones, as waits in nature are; `mean` on average, at most ten times as long. */
  wait(meanMs: number): number {
    return Math.round(Math.min(10 * meanMs, -meanMs * Math.log(1 - this.port.next())));
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('nothing to pick from');
    return items[Math.floor(this.port.next() * items.length)] as T;
  }

  /** Picks by weight. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    const total = items.reduce((sum, [weight]) => sum + weight, 0);
    let left = this.port.next() * total;
    for (const [weight, item] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    return (items.at(-1) as readonly [number, T])[1];
  }
}
