/** A typed map that is written through to a journal. */
import type { z } from 'zod';
import type { JsonValue } from '../../enclave/json.ts';
import type { Journal } from '../journal.ts';

/** A journal that forgets, for a cloud that lives as long as its process. */
export function memoryJournal(): Journal {
  const entries = new Map<string, JsonValue>();
  return {
    entries,
    set: (key, value) => void entries.set(key, value),
    delete: (key) => void entries.delete(key),
    close: () => undefined,
  };
}

export class Shelf<T> {
  readonly #items = new Map<string, T>();
  readonly #journal: Journal;
  readonly #prefix: string;

  /** Takes what the journal holds under `prefix`; what an older version wrote and nobody can read is dropped. */
  constructor(journal: Journal, prefix: string, schema: z.ZodType<T>) {
    this.#journal = journal;
    this.#prefix = prefix;
    for (const [key, value] of [...journal.entries]) {
      if (!key.startsWith(prefix)) continue;
      const read = schema.safeParse(value);
      if (read.success) this.#items.set(key.slice(prefix.length), read.data);
      else journal.delete(key);
    }
  }

  get(key: string): T | undefined {
    return this.#items.get(key);
  }

  put(key: string, value: T): T {
    this.#items.set(key, value);
    this.#journal.set(this.#prefix + key, value as JsonValue);
    return value;
  }

  delete(key: string): void {
    if (this.#items.delete(key)) this.#journal.delete(this.#prefix + key);
  }

  values(): IterableIterator<T> {
    return this.#items.values();
  }
}
