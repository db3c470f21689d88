/** The port to the change streams of the tables. */

/** A change of one followed table. Only the keys and a little of the new image matter: readers read again. */
export interface TableChange {
  readonly kind: 'put' | 'remove';
  readonly keys: Readonly<Record<string, string>>;
  /** String attributes of the new image, shallow; empty for removals. */
  readonly strings: Readonly<Record<string, string>>;
  /** Names of all attributes of the new image. */
  readonly attributes: readonly string[];
}

export interface Shard {
  readonly shardId: string;
  readonly parentShardId?: string | undefined;
}

/** One page of a shard. */
export type ShardPage =
  | { readonly kind: 'page'; readonly changes: readonly TableChange[]; readonly next: string | undefined }
  /** Expired iterator, trimmed data, unknown shard or stream: records may be missed, so the table is listed again. */
  | { readonly kind: 'gap'; readonly reason: 'expired' | 'trimmed' | 'notFound' };

/** DynamoDB Streams of one table. */
export interface ChangeStream {
  /** The table's present stream; undefined: none is enabled. `tableId` tells a table made anew from the old one. */
  describeTable(): Promise<{ readonly tableId: string; readonly streamArn: string | undefined }>;
  /** All shards, every page. */
  shards(streamArn: string): Promise<readonly Shard[]>;
  iterator(streamArn: string, shardId: string, from: 'LATEST' | 'TRIM_HORIZON'): Promise<string | undefined>;
  page(iterator: string): Promise<ShardPage>;
}
