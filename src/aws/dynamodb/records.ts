/** The enclaves table in DynamoDB. */
import { type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { JsonMap } from '../../enclave/json.ts';
import type { Publication, RawRecord, ReadVersion, RecordStore } from '../../reconciler/ports/index.ts';
import { call } from '../errors.ts';
import { all, type Condition, equal, exists, isMap, isNoText } from './expressions.ts';
import { toAttribute, toItem } from './marshal.ts';
import { openTable } from './table.ts';

/** The key schema makes `id` a string; anything else is no item of this table. */
const isRecord = (item: JsonMap | undefined): item is RawRecord => typeof item?.id === 'string';

/** An attribute as `readRecord` reads it: text, or nothing. */
const asRead = (attribute: string, value: string | undefined): Condition =>
  value === undefined || value === '' ? isNoText(attribute) : equal(attribute, value);

const stillAsRead = (read: ReadVersion): Condition =>
  all(
    exists('id'),
    asRead('status', read.status),
    asRead('updatedAt', read.updatedAt),
    asRead('createdAt', read.createdAt),
  );

/** A publication as an update. Placeholders are numbered: attribute names may hold what a placeholder may not. */
function updateInput(publication: Publication, condition: Condition) {
  const names: Record<string, string> = { ...condition.names };
  const values = { ...condition.values };
  const assignments: string[] = [];
  const removals: string[] = [];
  Object.entries(publication.set).forEach(([attribute, value], index) => {
    if (value === undefined) return;
    names[`#set${index}`] = attribute;
    values[`:set${index}`] = toAttribute(value);
    assignments.push(`#set${index} = :set${index}`);
  });
  if (publication.providerInstanceId !== undefined) {
    names['#instanceId'] = 'instanceId';
    values[':instanceId'] = toAttribute(publication.providerInstanceId);
    assignments.push('#providerConfig.#instanceId = :instanceId');
  }
  publication.remove.forEach((attribute, index) => {
    names[`#remove${index}`] = attribute;
    removals.push(`#remove${index}`);
  });
  const clauses = [
    ...(assignments.length > 0 ? [`SET ${assignments.join(', ')}`] : []),
    ...(removals.length > 0 ? [`REMOVE ${removals.join(', ')}`] : []),
  ];
  return {
    ...(clauses.length > 0 ? { UpdateExpression: clauses.join(' ') } : {}),
    ConditionExpression: condition.text,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
}

/** How a publish may fail. DynamoDB has no name of its own for an item that would pass 400 KB, only a sentence. */
function expectedFailure(error: Error): 'conflict' | 'tooLarge' | undefined {
  if (error.name === 'ConditionalCheckFailedException') return 'conflict';
  return error.name === 'ValidationException' && /item size/i.test(error.message) ? 'tooLarge' : undefined;
}

export function createRecordStore(client: DynamoDBClient, tableName: string): RecordStore {
  const table = openTable(client, tableName);
  return {
    async get(id) {
      const item = await table.get({ id }, `record ${id}`);
      return isRecord(item) ? item : undefined;
    },

    async publish(id, read, publication) {
      // Where the map is gone meanwhile the condition fails; without it DynamoDB would call the path invalid.
      const condition =
        publication.providerInstanceId === undefined
          ? stillAsRead(read)
          : all(stillAsRead(read), isMap('providerConfig'));
      const answer = await call(
        'dynamodb:UpdateItem',
        `record ${id}`,
        () =>
          client.send(
            new UpdateItemCommand({
              TableName: tableName,
              Key: toItem({ id }),
              ...updateInput(publication, condition),
            }),
          ),
        expectedFailure,
      );
      return typeof answer === 'string' ? answer : 'published';
    },

    async *scan(signal) {
      for await (const page of table.scan(signal)) yield page.filter(isRecord);
    },
  };
}
