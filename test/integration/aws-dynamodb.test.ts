/** DynamoDB and its streams, failing as no local database does. */
import { describe, expect, it } from 'vitest';
import { toItem } from '../../src/aws/dynamodb/marshal.ts';
import { ReportSchema } from '../../src/enclave/items/report.ts';
import { aLifecycle, aLock, anEvent, aPlanResult, aReport, aRun } from '../support/conformance-harness.ts';
import { awsAtEndpoint, jsonError } from '../support/memory-endpoint.ts';
import type { MemoryLog } from '../support/memory-world.ts';

const aws = awsAtEndpoint({ prefix: 'p', accountId: '123456789012', cluster: 'c', environment: 'dev' });

describe('DynamoDB, where it fails as no local database does', () => {
  it.each([
    ['conflict', ['None', 'ConditionalCheckFailed', 'ThrottlingError']],
    ['conflict', ['TransactionConflict', 'None', 'None']],
  ])('a commit is a %s when cancelled for %j', async (expected, codes) => {
    aws.endpoint.script(() => ({
      status: 400,
      body: {
        __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
        CancellationReasons: codes.map((code) => ({ Code: code })),
      },
    }));
    const start = { lock: aLock('run-1'), run: aRun('e-1', 'run-1') };
    const commit = { lifecycle: aLifecycle('e-1'), readRevision: 1, start, consumed: [] };
    expect(await aws.ports.state.commit(commit)).toBe(expected);
  });

  it.each([
    ['Throttled', ['None', 'ThrottlingError']],
    ['Terminal', ['ValidationError', 'None']],
  ])('a commit throws %s when cancelled for %j', async (expected, codes) => {
    aws.endpoint.script(() => ({
      status: 400,
      body: {
        __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
        CancellationReasons: codes.map((code) => ({ Code: code })),
      },
    }));
    const start = { lock: aLock('run-1'), run: aRun('e-1', 'run-1') };
    const commit = { lifecycle: aLifecycle('e-1'), readRevision: 1, start, consumed: [] };
    await expect(aws.ports.state.commit(commit)).rejects.toMatchObject({ class: expected });
  });

  it('a plain commit and a read beside a transaction are conflicts', async () => {
    aws.endpoint.script(() => jsonError('TransactionConflictException'));
    const commit = { lifecycle: aLifecycle('e-1'), readRevision: 1, consumed: [] };
    expect(await aws.ports.state.commit(commit)).toBe('conflict');
    aws.endpoint.script(() => ({
      status: 400,
      body: {
        __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
        CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }],
      },
    }));
    await expect(aws.ports.state.read('e-1')).rejects.toMatchObject({ class: 'Conflict' });
  });

  it('writes repeats of an event at once as one update, and throws where it is throttled', async () => {
    aws.endpoint.script(() => ({ body: {} }));
    await aws.ports.history.append(Array.from({ length: 30 }, () => anEvent('e-1')));
    expect(aws.inputs()).toMatchObject([{ ExpressionAttributeValues: { ':count': { N: '30' } } }]);
    aws.endpoint.script(() => jsonError('ProvisionedThroughputExceededException'));
    await expect(aws.ports.history.append([anEvent('e-1')])).rejects.toMatchObject({ class: 'Throttled' });
  });

  it('consumes no more requests and plan results than a transaction holds', async () => {
    aws.endpoint.script(() => ({ body: {} }));
    const consumed = Array.from({ length: 120 }, (_, index) => ({
      ...{ v: 1, minReader: 1, id: 'e-1', verb: 'retry', actor: 'a', at: 'now' },
      key: String(index),
    }));
    const planResults = Array.from({ length: 20 }, (_, index) => aPlanResult('e-1', `drift-1-${index}`));
    const start = { lock: aLock('e-1'), run: aRun('e-1', 'e-1') };
    await aws.ports.state.commit({ lifecycle: aLifecycle('e-1'), readRevision: 1, start, consumed, planResults });
    expect((aws.inputs()[0]!.TransactItems as unknown[]).length).toBeLessThanOrEqual(100);
  });

  it('asks for lifecycles, requests and plan results only when it scans the state table', async () => {
    aws.endpoint.script(() => ({ body: { Items: [] } }));
    for await (const page of aws.ports.state.scan(new AbortController().signal)) {
      expect(page).toEqual({ lifecycles: [], requested: [] });
    }
    const filter = {
      FilterExpression: '#sk = :sk OR begins_with(#pk, :pkPrefix0) OR begins_with(#pk, :pkPrefix1)',
      ExpressionAttributeValues: {
        ':sk': { S: 'lifecycle' },
        ':pkPrefix0': { S: 'request#' },
        ':pkPrefix1': { S: 'plan#' },
      },
    };
    expect(aws.inputs()).toMatchObject(aws.inputs().map(() => ({ ConsistentRead: true, ...filter })));
    expect(aws.inputs().length).toBeGreaterThan(0);
  });

  it('reads a report by its key, and of it only the attributes of a report', async () => {
    aws.endpoint.script(() => ({ body: { Item: toItem(aReport('e-1', 'i-1')) } }));
    await aws.ports.state.reports('e-1', ['i-1', 'i-1']);
    expect(aws.endpoint.requests.map(({ operation }) => operation)).toEqual(['GetItem']);
    const [input] = aws.inputs();
    expect(input).toMatchObject({ Key: { pk: { S: 'report#e-1' }, sk: { S: 'i-1' } }, ConsistentRead: true });
    const names = input!.ExpressionAttributeNames as Readonly<Record<string, string>>;
    const read = String(input!.ProjectionExpression).split(', ');
    expect(read.map((name) => names[name]).toSorted()).toEqual(
      ['pk', 'sk', ...Object.keys(ReportSchema.shape)].toSorted(),
    );
  });

  it('logs a report that is too large, in a short line, and reads on without it', async () => {
    const { lines } = aws.ports.log as MemoryLog;
    const measurements = Object.fromEntries([['x'.repeat(300_000), 1]]);
    aws.endpoint.script(() => ({ body: { Item: toItem({ ...aReport('e-1', 'i-1'), measurements }) } }));
    expect(await aws.ports.state.reports('e-1', ['i-1'])).toEqual([]);
    expect(lines.at(-1)).toMatchObject({
      level: 'warn',
      message: 'the report of a host cannot be read and is ignored',
      fields: { enclaveId: 'e-1', instanceId: 'i-1', problem: expect.stringContaining('at most 65536 bytes') },
    });
    const malformed = { ...aReport('e-1', 'i-1'), measurements: Object.fromEntries([['x'.repeat(60_000), 1]]) };
    aws.endpoint.script(() => ({ body: { Item: toItem(malformed) } }));
    expect(await aws.ports.state.reports('e-1', ['i-1'])).toEqual([]);
    expect(JSON.stringify(lines.at(-1)).length).toBeLessThan(1_000);
  });

  it('scans every page of every segment, and no more than one of each at a time', async () => {
    aws.endpoint.script(({ input }) => {
      const page = Number((input.ExclusiveStartKey as { id?: { S: string } } | undefined)?.id?.S.at(-1) ?? 0);
      const id = { S: `${input.Segment}-${page + 1}` };
      // Segment 0 has one page, segment 1 two, and so on.
      return { body: { Items: [{ id }], ...(page < Number(input.Segment) ? { LastEvaluatedKey: { id } } : {}) } };
    });
    const ids: string[] = [];
    for await (const page of aws.ports.records.scan(new AbortController().signal)) {
      ids.push(...page.map((record) => record.id));
      const { TotalSegments: total } = aws.inputs()[0]!;
      expect(aws.inputs().length).toBeLessThanOrEqual(ids.length + Number(total));
    }
    expect(ids.toSorted()).toEqual(['0-1', '1-1', '1-2', '2-1', '2-2', '2-3', '3-1', '3-2', '3-3', '3-4']);
  });

  it('a scan of which one segment fails has failed', async () => {
    aws.endpoint.script(({ input }) =>
      input.Segment === 2 ? jsonError('AccessDeniedException') : { body: { Items: [] } },
    );
    const scan = async () => {
      for await (const page of aws.ports.records.scan(new AbortController().signal)) expect(page).toEqual([]);
    };
    await expect(scan()).rejects.toMatchObject({ class: 'Blocked' });
  });

  it('a missing table blocks: a person must act', async () => {
    aws.endpoint.script(() => jsonError('ResourceNotFoundException'));
    await expect(aws.ports.records.get('e-1')).rejects.toMatchObject({ class: 'Blocked' });
    await expect(aws.ports.streams.records.describeTable()).rejects.toMatchObject({ class: 'Blocked' });
  });
});

describe('streams, where they fail as no local database does', () => {
  it.each([
    ['expired', 'ExpiredIteratorException'],
    ['trimmed', 'TrimmedDataAccessException'],
    ['notFound', 'ResourceNotFoundException'],
  ])('a page is a gap (%s) by %s', async (reason, error) => {
    aws.endpoint.script(() => jsonError(error));
    expect(await aws.ports.streams.records.page('it')).toEqual({ kind: 'gap', reason });
  });

  it('throws what is no gap', async () => {
    aws.endpoint.script(() => jsonError('LimitExceededException'));
    await expect(aws.ports.streams.records.page('it')).rejects.toMatchObject({ class: 'Throttled' });
    aws.endpoint.script(() => jsonError('ValidationException', 'something else'));
    await expect(aws.ports.streams.records.page('it')).rejects.toMatchObject({ class: 'Terminal' });
  });

  it('gives no iterator of a shard that is gone, and a conflict where the stream is', async () => {
    aws.endpoint.script(() => jsonError('ResourceNotFoundException'));
    expect(await aws.ports.streams.records.iterator('arn', 'shard', 'LATEST')).toBeUndefined();
    await expect(aws.ports.streams.records.shards('arn')).rejects.toMatchObject({ class: 'Conflict' });
  });

  it('lists shards over all pages, and a shard has ended when there is no next iterator', async () => {
    aws.endpoint.script((_, index) => ({
      body: {
        StreamDescription: {
          Shards: [{ ShardId: `s${index}`, ...(index > 0 ? { ParentShardId: 's0' } : {}) }],
          ...(index === 0 ? { LastEvaluatedShardId: 's0' } : {}),
        },
      },
    }));
    expect(await aws.ports.streams.records.shards('arn')).toEqual([
      { shardId: 's0', parentShardId: undefined },
      { shardId: 's1', parentShardId: 's0' },
    ]);
    aws.endpoint.script(() => ({ body: { Records: [] } }));
    expect(await aws.ports.streams.records.page('it')).toEqual({ kind: 'page', changes: [], next: undefined });
  });

  it('knows a table without a stream', async () => {
    aws.endpoint.script(() => ({ body: { Table: { TableId: 't', LatestStreamArn: 'old' } } }));
    expect(await aws.ports.streams.records.describeTable()).toEqual({ tableId: 't', streamArn: undefined });
  });
});
