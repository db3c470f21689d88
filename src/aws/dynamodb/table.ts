/** Consistent reads of one DynamoDB table, unmarshalled, all pages. */
import { type DynamoDBClient, GetItemCommand, QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import type { JsonMap } from '../../enclave/json.ts';
import { call } from '../errors.ts';
import { type Condition, conditionInput, equal } from './expressions.ts';
import { type Item, toItem, toPlain } from './marshal.ts';

export interface ItemKey {
  readonly pk: string;
  readonly sk: string;
}

export interface Table {
  readonly name: string;
  /** Of the item's attributes only those named, where such are given. */
  get(
    key: Readonly<Record<string, string>>,
    subject: string,
    attributes?: readonly string[],
  ): Promise<JsonMap | undefined>;
  /** All items of one partition, in order of `sk`. */
  partition(pk: string): Promise<readonly JsonMap[]>;
  /**
   * Each page as it arrives; of items that meet the condition only, and of their attributes only those named (members
   * of a map by their path), where such are given. Ends by throwing when aborted.
   */
  scan(signal: AbortSignal, only?: Condition, attributes?: readonly string[]): AsyncIterable<readonly JsonMap[]>;
}

/** Parts of a table that are scanned beside each other; of each, one page at a time is in memory. */
const SCAN_SEGMENTS = 4;

/** An expression of attributes, members of a map by their path, and the names it refers to. */
function projection(attributes: readonly string[]) {
  const paths = attributes.map((attribute) => attribute.split('.'));
  const steps = [...new Set(paths.flat())];
  const placeholder = (step: string) => `#p${steps.indexOf(step)}`;
  return {
    text: paths.map((path) => path.map(placeholder).join('.')).join(', '),
    names: Object.fromEntries(steps.map((step) => [placeholder(step), step])),
  };
}

export function openTable(client: DynamoDBClient, name: string): Table {
  return {
    name,

    async get(key, subject, attributes) {
      const { names, text } = projection(attributes ?? []);
      const only = attributes === undefined ? {} : { ProjectionExpression: text, ExpressionAttributeNames: names };
      const { Item: item } = await call('dynamodb:GetItem', subject, () =>
        client.send(new GetItemCommand({ TableName: name, Key: toItem(key), ConsistentRead: true, ...only })),
      );
      return item === undefined ? undefined : toPlain(item);
    },

    async partition(pk) {
      const { ConditionExpression: keyCondition, ...names } = conditionInput(equal('pk', pk));
      const items: JsonMap[] = [];
      let from: Record<string, Item[string]> | undefined;
      do {
        const page = await call('dynamodb:Query', pk, () =>
          client.send(
            new QueryCommand({
              TableName: name,
              ConsistentRead: true,
              KeyConditionExpression: keyCondition,
              ...names,
              ExclusiveStartKey: from,
            }),
          ),
        );
        items.push(...(page.Items ?? []).map(toPlain));
        from = page.LastEvaluatedKey;
      } while (from !== undefined);
      return items;
    },

    async *scan(signal, only, attributes) {
      const condition = only === undefined ? undefined : conditionInput(only);
      const projected = projection(attributes ?? []);
      const names = { ...condition?.ExpressionAttributeNames, ...projected.names };
      const input = {
        TableName: name,
        ConsistentRead: true,
        TotalSegments: SCAN_SEGMENTS,
        FilterExpression: condition?.ConditionExpression,
        ExpressionAttributeValues: condition?.ExpressionAttributeValues,
        ProjectionExpression: attributes === undefined ? undefined : projected.text,
        ExpressionAttributeNames: Object.keys(names).length === 0 ? undefined : names,
      };
      const read = async (segment: number, from?: Record<string, Item[string]>) => {
        const page = await call('dynamodb:Scan', `table ${name}`, () =>
          client.send(new ScanCommand({ ...input, Segment: segment, ExclusiveStartKey: from }), {
            abortSignal: signal,
          }),
        );
        return { segment, items: (page.Items ?? []).map(toPlain), next: page.LastEvaluatedKey };
      };
      const pages = new Map<number, ReturnType<typeof read>>();
      const ask = (segment: number, from?: Record<string, Item[string]>) => {
        const page = read(segment, from);
        // Where one fails, the scan has failed: nobody waits for the others.
        page.catch(() => {});
        pages.set(segment, page);
      };
      for (let segment = 0; segment < SCAN_SEGMENTS; segment += 1) ask(segment);
      while (pages.size > 0) {
        const { segment, items, next } = await Promise.race(pages.values());
        pages.delete(segment);
        yield items;
        if (next !== undefined) ask(segment, next);
      }
    },
  };
}
