/** What exists under the platform's names although its Terraform state knows nothing of it: to be adopted, not made. */
import { DescribeTableCommand, type DynamoDBClient, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import { HeadBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { imports, namesOf, type PlacedConfig } from '../../infra/platform/index.ts';
import { Refusal } from './terminal.ts';

async function hasTable(client: DynamoDBClient, name: string): Promise<boolean> {
  try {
    await client.send(new DescribeTableCommand({ TableName: name }));
    return true;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return false;
    throw error;
  }
}

async function hasBucket(client: S3Client, name: string, owner: string): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: name, ExpectedBucketOwner: owner }));
    return true;
  } catch {
    // Missing, or another account's: creating it will tell which.
    return false;
  }
}

/** Looks at what holds data: an older pipeline's, or what a destroyed platform left. */
export async function refuseLeftovers(
  clients: { readonly dynamodb: DynamoDBClient; readonly s3: S3Client },
  config: PlacedConfig,
  managed: ReadonlySet<string>,
): Promise<void> {
  const names = namesOf(config);
  const covered = new Set([...managed, ...imports(config, names).map(({ to }) => to)]);
  const tables = {
    'aws_dynamodb_table.enclaves-table': config.enclavesTable,
    'aws_dynamodb_table.state-table': names.stateTable,
    'aws_dynamodb_table.history-table': names.historyTable,
  };
  const left: string[] = [];
  for (const [address, name] of Object.entries(tables)) {
    if (!covered.has(address) && (await hasTable(clients.dynamodb, name))) left.push(address);
  }
  const bucket = 'aws_s3_bucket.state-bucket';
  if (!covered.has(bucket) && (await hasBucket(clients.s3, names.stateBucket, config.accountId))) left.push(bucket);
  if (left.length === 0) return;
  throw new Refusal(
    `${config.environment} has data that this platform did not make: set in infra/platform/environments/` +
      `${config.environment}.ts\n  adopt: [${left.map((address) => `'${address}'`).join(', ')}],\n` +
      'to take it up (or `adopt: true` to take over a whole installation; see docs/platform.md)',
  );
}
