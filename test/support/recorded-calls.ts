/** The DynamoDB calls that adapters make, as IAM sees them: the adapters run on a client that only records. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Call } from './iam.ts';

interface Input {
  readonly TableName?: string;
  readonly Key?: Readonly<Record<string, { readonly S?: string }>>;
  readonly Item?: Input['Key'];
  readonly KeyConditionExpression?: string;
  readonly ExpressionAttributeValues?: Readonly<Record<string, { readonly S?: string }>>;
  readonly TransactItems?: readonly Readonly<Record<string, Input>>[];
}

const OF_A_TRANSACTION: Readonly<Record<string, string>> = {
  Get: 'GetItem',
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
};

/** The partition key of an item, or of the partition that is queried; a scan has none. */
function leadingKey({ Key, Item, KeyConditionExpression, ExpressionAttributeValues }: Input): string | undefined {
  const key = Key ?? Item;
  if (key !== undefined) return (key.pk ?? key.id)?.S;
  const [, value = ''] = /^#?pk = (:\w+)/.exec(KeyConditionExpression ?? '') ?? [];
  return ExpressionAttributeValues?.[value]?.S;
}

export function dynamodbCall(action: string, input: Input, arnOf: (table: string) => string): Call {
  const key = leadingKey(input);
  return {
    action: `dynamodb:${action}`,
    resource: arnOf(input.TableName ?? ''),
    ...(key === undefined ? {} : { context: { 'dynamodb:LeadingKeys': [key] } }),
  };
}

/** The calls adapters make on a client whose answers are empty. One that fails on them rejects: its later calls would be missing. */
export async function recordedCalls(
  arnOf: (table: string) => string,
  use: (client: DynamoDBClient) => readonly (() => unknown)[],
): Promise<readonly Call[]> {
  const calls: Call[] = [];
  const send = async (command: { readonly constructor: { readonly name: string }; readonly input: Input }) => {
    const action = command.constructor.name.replace(/Command$/, '');
    const { TransactItems: items } = command.input;
    for (const [part, input] of items?.flatMap((item) => Object.entries(item)) ?? [[action, command.input] as const])
      calls.push(dynamodbCall(OF_A_TRANSACTION[part] ?? part, input, arnOf));
    return {};
  };
  for (const ask of use({ send } as unknown as DynamoDBClient)) {
    const before = calls.length;
    await ask();
    if (calls.length === before) throw new Error(`nothing was asked by ${ask}`);
  }
  return calls;
}
