/** Puts the host agent's bundle into each region's configuration bucket: before the runner is told of it. */
import { HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { agentBundle } from '../../infra/host/index.ts';
import { namesOf, type PlacedConfig } from '../../infra/platform/index.ts';

type Bundle = ReturnType<typeof agentBundle>;

const isNotFound = (error: unknown) => (error as { name?: string }).name === 'NotFound';
const hasNoBucket = (error: unknown) => (error as { name?: string }).name === 'NoSuchBucket';

async function publish(s3: S3Client, bucket: string, bundle: Bundle, owner: string): Promise<boolean> {
  const object = { Bucket: bucket, Key: bundle.key, ExpectedBucketOwner: owner };
  try {
    await s3.send(new HeadObjectCommand(object));
    return true;
  } catch (error) {
    // Without a body, a missing bucket looks like a missing object: the write tells them apart.
    if (!isNotFound(error)) throw error;
  }
  try {
    await s3.send(new PutObjectCommand({ ...object, Body: bundle.bytes, ContentType: 'application/gzip' }));
    return true;
  } catch (error) {
    if (hasNoBucket(error)) return false;
    throw error;
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
