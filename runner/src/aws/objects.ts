/** Objects in S3 a run reads and writes beside Terraform: states, their locks, plans. */
import { DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { AwsClients } from './clients.ts';
import { unlessNamed } from './clients.ts';

export interface Place {
  readonly bucket: string;
  readonly region: string;
  readonly key: string;
}

/** Undefined where there is none. */
export async function getText(clients: AwsClients, { bucket, region, key }: Place): Promise<string | undefined> {
  const command = new GetObjectCommand({ Bucket: bucket, Key: key });
  const answer = await unlessNamed(clients.s3(region).send(command), 'NoSuchKey', 'NotFound');
  return answer?.Body?.transformToString();
}

export async function exists(clients: AwsClients, { bucket, region, key }: Place): Promise<boolean> {
  const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
  return (await unlessNamed(clients.s3(region).send(command), 'NoSuchKey', 'NotFound')) !== undefined;
}

export async function putText(clients: AwsClients, place: Place, body: string): Promise<void> {
  const { bucket, region, key } = place;
  await clients
    .s3(region)
    .send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: 'application/json' }));
}

export async function remove(clients: AwsClients, { bucket, region, key }: Place): Promise<void> {
  await clients.s3(region).send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
}

/** The old pipeline's lock table keeps a digest of each state: where it outlives the state, no later run could begin. */
export async function forgetDigest(clients: AwsClients, table: string, { bucket, region, key }: Place): Promise<void> {
  const command = new DeleteItemCommand({ TableName: table, Key: { LockID: { S: `${bucket}/${key}-md5` } } });
  // Where the table is gone, so is the digest.
  await unlessNamed(clients.dynamodb(region).send(command), 'ResourceNotFoundException');
}
