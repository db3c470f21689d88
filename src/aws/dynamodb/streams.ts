/** The stream of one DynamoDB table. */
import { DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  type AttributeValue,
  DescribeStreamCommand,
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type _Record as StreamRecord,
} from '@aws-sdk/client-dynamodb-streams';
import {
  type ChangeStream,
  OperatorError,
  type Shard,
  type ShardPage,
  type TableChange,
} from '../../reconciler/ports/index.ts';
import { call, onNames } from '../errors.ts';

type Image = Readonly<Record<string, AttributeValue>> | undefined;

/** The string attributes of an image; numbers too, as text, where they are keys. */
function strings(image: Image, numbersToo = false): Record<string, string> {
  return Object.fromEntries(
    Object.entries(image ?? {}).flatMap(([name, value]) => {
      const text = value.S ?? (numbersToo ? value.N : undefined);
      return text === undefined ? [] : [[name, text]];
    }),
  );
}

function toChange(record: StreamRecord): TableChange {
  const image = record.eventName === 'REMOVE' ? undefined : record.dynamodb?.NewImage;
  return {
    kind: record.eventName === 'REMOVE' ? 'remove' : 'put',
    keys: strings(record.dynamodb?.Keys, true),
    strings: strings(image),
    attributes: Object.keys(image ?? {}),
  };
}

/** Errors that mean: changes may have been missed. */
function gapOf(error: Error): Extract<ShardPage, { kind: 'gap' }> | undefined {
  switch (error.name) {
    case 'ExpiredIteratorException':
      return { kind: 'gap', reason: 'expired' };
    case 'TrimmedDataAccessException':
      return { kind: 'gap', reason: 'trimmed' };
    case 'ResourceNotFoundException':
      return { kind: 'gap', reason: 'notFound' };
    case 'ValidationException':
      // An iterator of another stream's life, e.g. of a database made anew at the same address.
      return /iterator/i.test(error.message) ? { kind: 'gap', reason: 'expired' } : undefined;
    default:
      return undefined;
  }
}

/**
 * Caveat: whether a shard is open shows only in `page`: it has ended when there is no `next`. The sequence numbers of
 * DescribeStream are not used; some databases name an end for open shards.
 */
export function createChangeStream(
  dynamodb: DynamoDBClient,
  streams: DynamoDBStreamsClient,
  tableName: string,
): ChangeStream {
  const subject = `table ${tableName}`;
  return {
    async describeTable() {
      const { Table: table } = await call('dynamodb:DescribeTable', subject, () =>
        dynamodb.send(new DescribeTableCommand({ TableName: tableName })),
      );
      const enabled = table?.StreamSpecification?.StreamEnabled === true;
      return { tableId: table?.TableId ?? '', streamArn: enabled ? table.LatestStreamArn : undefined };
    },

    async shards(streamArn) {
      const shards: Shard[] = [];
      let from: string | undefined;
      do {
        const answer = await call(
          'dynamodb:DescribeStream',
          subject,
          () => streams.send(new DescribeStreamCommand({ StreamArn: streamArn, ExclusiveStartShardId: from })),
          onNames('gone' as const, 'ResourceNotFoundException'),
        );
        // The table was made anew, or its stream: no person need act, the table is described again.
        if (answer === 'gone') {
          throw new OperatorError('Conflict', 'dynamodb:DescribeStream', `${subject}: its stream is gone; look again`);
        }
        for (const shard of answer.StreamDescription?.Shards ?? []) {
          if (shard.ShardId !== undefined) shards.push({ shardId: shard.ShardId, parentShardId: shard.ParentShardId });
        }
        from = answer.StreamDescription?.LastEvaluatedShardId;
      } while (from !== undefined);
      return shards;
    },

    async iterator(streamArn, shardId, from) {
      const input = { StreamArn: streamArn, ShardId: shardId, ShardIteratorType: from };
      const answer = await call(
        'dynamodb:GetShardIterator',
        subject,
        () => streams.send(new GetShardIteratorCommand(input)),
        gapOf,
      );
      return 'kind' in answer ? undefined : answer.ShardIterator;
    },

    async page(iterator) {
      const answer = await call(
        'dynamodb:GetRecords',
        subject,
        () => streams.send(new GetRecordsCommand({ ShardIterator: iterator })),
        gapOf,
      );
      if ('kind' in answer) return answer;
      return { kind: 'page', changes: (answer.Records ?? []).map(toChange), next: answer.NextShardIterator };
    },
  };
}
