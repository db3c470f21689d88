/** One conditional update, as the members of an `UpdateItem` request. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { toItem } from '../aws/dynamodb/marshal.ts';
import type { JsonMap } from '../enclave/json.ts';

/**
 * Sets and removes attributes if the item exists and those of `read` still have the values that were read (undefined:
 * absent). Names and values appear only as placeholders: `status` and many others are reserved words.
 */
export function updateOf(
  set: JsonMap,
  read: Readonly<Record<string, unknown>>,
  key: 'id' | 'pk' = 'id',
  remove: readonly string[] = [],
) {
  const names: Record<string, string> = { '#id': key };
  const values: Record<string, AttributeValue> = {};
  const sets = Object.entries(set)
    .filter(([, value]) => value !== undefined)
    .map(([name, value], index) => {
      names[`#s${index}`] = name;
      Object.assign(values, toItem({ [`:s${index}`]: value }));
      return `#s${index} = :s${index}`;
    });
  const conditions = Object.entries(read).map(([name, value], index) => {
    names[`#r${index}`] = name;
    if (value === undefined) return `attribute_not_exists(#r${index})`;
    Object.assign(values, toItem({ [`:r${index}`]: value }));
    return `#r${index} = :r${index}`;
  });
  const removals = remove.map((name, index) => {
    names[`#x${index}`] = name;
    return `#x${index}`;
  });
  const clauses = [
    ...(sets.length === 0 ? [] : [`SET ${sets.join(', ')}`]),
    ...(removals.length === 0 ? [] : [`REMOVE ${removals.join(', ')}`]),
  ];
  return {
    UpdateExpression: clauses.join(' '),
    ConditionExpression: ['attribute_exists(#id)', ...conditions].join(' AND '),
    ExpressionAttributeNames: names,
    // An empty map of values is refused.
    ...(Object.keys(values).length === 0 ? {} : { ExpressionAttributeValues: values }),
  };
}
