/** A table's change stream in memory, with shards a test can split, trim and expire. */
import type { ChangeStream, Shard, ShardPage, TableChange } from '../../src/reconciler/ports.ts';

/** GetRecords gives at most this many records. */
const PAGE_SIZE = 1_000;

interface MemoryShard extends Shard {
  /** Changes still kept; the first one has position `trimmedTo`. */
  log: TableChange[];
  trimmedTo: number;
  open: boolean;
}

/** A cheap spread of keys over shards; the same key always meets the same shard of a set. */
function hash(text: string): number {
  let value = 0;
  for (let index = 0; index < text.length; index++) value = (Math.imul(value, 31) + text.charCodeAt(index)) >>> 0;
  return value;
}

export class MemoryStream implements ChangeStream {
  readonly #table: string;
  #tableId = 1;
  #enabled = true;
  #shardNumber = 0;
  #shards: MemoryShard[] = [];
  /** Iterators carry the number under which they were made; lower ones than this have expired. */
  #iteratorEpoch = 1;
  /** While held, new changes wait here: delivery is late. */
  #held: { readonly change: TableChange; readonly key: string }[] | undefined;

  constructor(table: string) {
    this.#table = table;
    this.#addShard(undefined);
  }

  // What the table does.

  append(change: TableChange, key: string): void {
    if (this.#held !== undefined) {
      this.#held.push({ change, key });
      return;
    }
    const open = this.#shards.filter((shard) => shard.open);
    open[hash(key) % open.length]!.log.push(change);
  }

  /** The table was deleted and made anew: another table id, another stream, nothing in it. */
  recreate(): void {
    this.#tableId += 1;
    this.#shards = [];
    this.#addShard(undefined);
  }

  // What a test does.

  disable(): void {
    this.#enabled = false;
  }

  /** Every open shard ends and gets two children. */
  split(): void {
    for (const parent of this.#shards.filter((shard) => shard.open)) {
      parent.open = false;
      this.#addShard(parent.shardId);
      this.#addShard(parent.shardId);
    }
  }

  /** What is in the stream is lost, and ended shards with it, as after 24 hours. */
  trim(): void {
    for (const shard of this.#shards) {
      shard.trimmedTo += shard.log.length;
      shard.log = [];
    }
    this.#shards = this.#shards.filter((shard) => shard.open);
  }

  /** As after 15 minutes without a read. */
  expireIterators(): void {
    this.#iteratorEpoch += 1;
  }

  /** Delays delivery until {@link deliver}. */
  hold(): void {
    this.#held ??= [];
  }

  deliver(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { change, key } of held) this.append(change, key);
  }

  // The port.

  async describeTable() {
    return { tableId: `${this.#table}-${this.#tableId}`, streamArn: this.#enabled ? this.#arn : undefined };
  }

  async shards(streamArn: string): Promise<readonly Shard[]> {
    if (streamArn !== this.#arn) return [];
    return this.#shards.map(({ shardId, parentShardId }) => ({ shardId, parentShardId }));
  }

  async iterator(streamArn: string, shardId: string, from: 'LATEST' | 'TRIM_HORIZON'): Promise<string | undefined> {
    const shard = this.#shards.find((each) => each.shardId === shardId);
    if (streamArn !== this.#arn || shard === undefined) return undefined;
    return this.#iteratorAt(shard, from === 'LATEST' ? shard.trimmedTo + shard.log.length : shard.trimmedTo);
  }

  async page(iterator: string): Promise<ShardPage> {
    const [arn, shardId, position, epoch] = iterator.split('|');
    if (position === undefined || epoch === undefined || Number(epoch) < this.#iteratorEpoch) {
      return { kind: 'gap', reason: 'expired' };
    }
    const shard = this.#shards.find((each) => each.shardId === shardId);
    if (arn !== this.#arn || shard === undefined) return { kind: 'gap', reason: 'notFound' };
    const from = Number(position) - shard.trimmedTo;
    if (from < 0) return { kind: 'gap', reason: 'trimmed' };
    const changes = shard.log.slice(from, from + PAGE_SIZE);
    const atEnd = from + changes.length === shard.log.length;
    const next = this.#iteratorAt(shard, shard.trimmedTo + from + changes.length);
    return { kind: 'page', changes, next: atEnd && !shard.open ? undefined : next };
  }

  get #arn(): string {
    return `arn:memory:${this.#table}/stream/${this.#tableId}`;
  }

  #iteratorAt(shard: MemoryShard, position: number): string {
    return `${this.#arn}|${shard.shardId}|${position}|${this.#iteratorEpoch}`;
  }

  #addShard(parentShardId: string | undefined): void {
    const shardId = `shard-${String(this.#shardNumber++).padStart(4, '0')}`;
    this.#shards.push({ shardId, parentShardId, log: [], trimmedTo: 0, open: true });
  }
}
