/** One table in memory, with a stream. */
import type { JsonMap, JsonValue } from '../../src/enclave/json.ts';
import type { TableChange } from '../../src/reconciler/ports/index.ts';
import { MemoryStream } from './memory-stream.ts';

function freeze<T extends JsonValue | undefined>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) freeze(member);
    Object.freeze(value);
  }
  return value;
}

/** Told of every write that changed something, at the instant of the write; `undefined` stands for no item. */
export type TableWatcher = (before: JsonMap | undefined, after: JsonMap | undefined) => void;

/**
 * Items by partition and sort key. Items go in by way of JSON, as they would on the wire, and come out frozen: whoever
 * changes one in place fails.
 */
export class MemoryTable {
  readonly stream: MemoryStream;
  readonly #keyNames: readonly string[];
  readonly #partitions = new Map<string, Map<string, JsonMap>>();
  readonly #watchers: TableWatcher[] = [];
  /** What was put, by what is kept of it: comparing texts needs no second one to be made. */
  readonly #texts = new WeakMap<JsonMap, string>();

  constructor(name: string, keyNames: readonly [string] | readonly [string, string]) {
    this.stream = new MemoryStream(name);
    this.#keyNames = keyNames;
  }

  get(pk: string, sk = ''): JsonMap | undefined {
    return this.#partitions.get(pk)?.get(sk);
  }

  /** In order of the sort key. */
  partition(pk: string): readonly JsonMap[] {
    const items = this.#partitions.get(pk);
    if (items === undefined) return [];
    return [...items].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, item]) => item);
  }

  *items(): IterableIterator<JsonMap> {
    for (const partition of this.#partitions.values()) yield* partition.values();
  }

  /** Unconditional, key members included; a put that changes nothing leaves no trace in the stream. */
  put(item: object): void {
    const text = JSON.stringify(item);
    const stored = freeze(JSON.parse(text) as JsonMap);
    const keys = this.#keysOf(stored);
    const [pk = '', sk = ''] = Object.values(keys);
    const partition = this.#partitions.get(pk) ?? new Map<string, JsonMap>();
    const before = partition.get(sk);
    const unchanged = before !== undefined && this.#texts.get(before) === text;
    this.#texts.set(stored, text);
    partition.set(sk, stored);
    this.#partitions.set(pk, partition);
    if (unchanged) return;
    const strings = Object.fromEntries(
      Object.entries(stored).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
    this.#announce({ kind: 'put', keys, strings, attributes: Object.keys(stored) });
    for (const watcher of this.#watchers) watcher(before, stored);
  }

  delete(pk: string, sk = ''): void {
    const partition = this.#partitions.get(pk);
    const item = partition?.get(sk);
    if (partition === undefined || item === undefined) return;
    partition.delete(sk);
    if (partition.size === 0) this.#partitions.delete(pk);
    this.#announce({ kind: 'remove', keys: this.#keysOf(item), strings: {}, attributes: [] });
    for (const watcher of this.#watchers) watcher(item, undefined);
  }

  /** Watches every write from now on; what invariants are checked on. */
  watch(watcher: TableWatcher): void {
    this.#watchers.push(watcher);
  }

  /** The table is deleted and made anew, empty. */
  recreate(): void {
    this.#partitions.clear();
    this.stream.recreate();
  }

  #announce(change: TableChange): void {
    this.stream.append(change, Object.values(change.keys).join('\0'));
  }

  #keysOf(item: JsonMap): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.#keyNames.map((name) => {
        const value = item[name];
        if (typeof value !== 'string' || value === '') throw new TypeError(`key ${name} is not a non-empty string`);
        return [name, value];
      }),
    );
  }
}
