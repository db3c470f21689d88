/** Puts the host agent's bundle into each region's configuration bucket: before the runner is told of it. */
import { HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { agentBundle } from '../../infra/host/index.ts';
import { namesOf, type PlacedConfig } from '../../infra/platform/index.ts';
import { Refusal } from './terminal.ts';

type Bundle = ReturnType<typeof agentBundle>;

const isCalled = (error: unknown, name: string) => error instanceof Error && error.name === name;

/** The answer to a HEAD has no body, so the SDK can name no reason. */
function refused(bucket: string, error: unknown): unknown {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  if (status !== 403) return error;
  return new Refusal(`the host agent cannot be put into ${bucket}: grant s3:GetObject, s3:ListBucket and s3:PutObject`);
}

async function publish(s3: S3Client, bucket: string, bundle: Bundle, owner: string): Promise<boolean> {
  const object = { Bucket: bucket, Key: bundle.key, ExpectedBucketOwner: owner };
  try {
    await s3.send(new HeadObjectCommand(object));
    return true;
  } catch (error) {
    // Without a body, a missing bucket looks like a missing object: the write tells them apart.
    if (!isCalled(error, 'NotFound')) throw refused(bucket, error);
  }
  try {
    await s3.send(new PutObjectCommand({ ...object, Body: bundle.bytes, ContentType: 'application/gzip' }));
    return true;
  } catch (error) {
    if (isCalled(error, 'NoSuchBucket')) return false;
    throw refused(bucket, error);
  }
}

/**
 * Old bundles stay: a host keeps the one it was launched with. Returns the regions whose bucket does not exist yet.
 */
export async function publishAgent(
  s3: (region: string) => S3Client,
  config: PlacedConfig,
  bundle: Bundle,
): Promise<readonly string[]> {
  const names = namesOf(config);
  const without: string[] = [];
  for (const region of Object.keys(config.regions)) {
    const bucket = names.configurationBucket(region);
    if (!(await publish(s3(region), bucket, bundle, config.accountId))) without.push(region);
  }
  return without;
}
