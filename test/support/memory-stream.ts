/** A table's change stream in memory, with shards a test can split, trim and expire. */
import type { ChangeStream, Shard, ShardPage, TableChange } from '../../src/reconciler/ports/index.ts';

/** GetRecords gives at most this many records. */
const PAGE_SIZE = 1_000;

interface MemoryShard extends Shard {
  /** The stream it belongs to: a stream that is enabled anew is another one. */
  readonly streamArn: string;
  /** Born, and not yet told by DescribeStream, which lags behind. */
  hidden: boolean;
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
  /** Rises when the stream is enabled anew. */
  #streamNumber = 1;
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
    if (!this.#enabled) return;
    if (this.#held !== undefined) {
      this.#held.push({ change, key });
      return;
    }
    const open = this.#openShards();
    open[hash(key) % open.length]!.log.push(change);
  }

  /** The table was deleted and made anew: another table id, another stream, nothing in it. */
  recreate(): void {
    this.#tableId += 1;
    this.#enabled = true;
    this.#shards = [];
    this.#addShard(undefined);
  }

  // What a test does.

  /** Ends every shard, without children; what they hold stays readable. Changes from now on are in no stream. */
  disable(): void {
    this.#enabled = false;
    for (const shard of this.#openShards()) shard.open = false;
  }

  /** Another stream, with another ARN, from now on. */
  enable(): void {
    if (this.#enabled) return;
    this.#enabled = true;
    this.#streamNumber += 1;
    this.#addShard(undefined);
  }

  /** Every open shard ends and gets two children; hidden ones are not listed until {@link reveal}. */
  split(hidden = false): void {
    for (const parent of this.#openShards()) {
      parent.open = false;
      this.#addShard(parent.shardId, hidden);
      this.#addShard(parent.shardId, hidden);
    }
  }

  /** Every open shard ends and gets one child, as each does about every four hours without any load. */
  rotate(hidden = false): void {
    for (const parent of this.#openShards()) {
      parent.open = false;
      this.#addShard(parent.shardId, hidden);
    }
  }

  get openShards(): number {
    return this.#openShards().length;
  }

  reveal(): void {
    for (const shard of this.#shards) shard.hidden = false;
  }

  /** Tells the last changes of every open shard once more, as a reader sees them who reads a page twice. */
  repeat(count: number): void {
    for (const shard of this.#openShards()) shard.log.push(...shard.log.slice(-count));
  }

  /** What is in the stream is lost, and ended shards with it, as after 24 hours. */
  trim(): void {
    for (const shard of this.#shards) {
      shard.trimmedTo += shard.log.length;
      shard.log = [];
    }
    this.#shards = this.#openShards();
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
    return this.#shards
      .filter((shard) => shard.streamArn === streamArn && !shard.hidden)
      .map(({ shardId, parentShardId }) => ({ shardId, parentShardId }));
  }

  async iterator(streamArn: string, shardId: string, from: 'LATEST' | 'TRIM_HORIZON'): Promise<string | undefined> {
    const shard = this.#shards.find((each) => each.shardId === shardId);
    if (shard === undefined || shard.streamArn !== streamArn) return undefined;
    return this.#iteratorAt(shard, from === 'LATEST' ? shard.trimmedTo + shard.log.length : shard.trimmedTo);
  }

  async page(iterator: string): Promise<ShardPage> {
    const [streamArn, shardId, position, epoch] = iterator.split('|');
    if (position === undefined || epoch === undefined || Number(epoch) < this.#iteratorEpoch) {
      return { kind: 'gap', reason: 'expired' };
    }
    const shard = this.#shards.find((each) => each.shardId === shardId);
    if (shard === undefined || shard.streamArn !== streamArn) return { kind: 'gap', reason: 'notFound' };
    const from = Number(position) - shard.trimmedTo;
    if (from < 0) return { kind: 'gap', reason: 'trimmed' };
    const changes = shard.log.slice(from, from + PAGE_SIZE);
    const atEnd = from + changes.length === shard.log.length;
    const next = this.#iteratorAt(shard, shard.trimmedTo + from + changes.length);
    return { kind: 'page', changes, next: atEnd && !shard.open ? undefined : next };
  }

  get #arn(): string {
    return `arn:memory:${this.#table}/stream/${this.#tableId}.${this.#streamNumber}`;
  }

  #openShards(): MemoryShard[] {
    return this.#shards.filter((shard) => shard.open);
  }

  #iteratorAt(shard: MemoryShard, position: number): string {
    return `${shard.streamArn}|${shard.shardId}|${position}|${this.#iteratorEpoch}`;
  }

  #addShard(parentShardId: string | undefined, hidden = false): void {
    const shardId = `shard-${String(this.#shardNumber++).padStart(4, '0')}`;
    this.#shards.push({
      shardId,
      parentShardId,
      streamArn: this.#arn,
      hidden,
      log: [],
      trimmedTo: 0,
      open: true,
    });
  }
}
