/** The bucket of the platform's own Terraform state: what must exist before Terraform can. */
import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  PutBucketEncryptionCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { namesOf, type PlacedConfig } from '../../infra/platform/index.ts';
import { Refusal } from './terminal.ts';

type BucketState = 'ready' | 'unversioned' | 'missing';

async function look(s3: S3Client, bucket: string, owner: string): Promise<BucketState> {
  const of = { Bucket: bucket, ExpectedBucketOwner: owner };
  try {
    await s3.send(new HeadBucketCommand(of));
  } catch (error) {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (status === 404) return 'missing';
    if (status === 403) {
      throw new Refusal(
        `bucket ${bucket} belongs to another account, or these credentials may not see it (s3:ListBucket)`,
      );
    }
    throw error;
  }
  const { Status } = await s3.send(new GetBucketVersioningCommand(of));
  return Status === 'Enabled' ? 'ready' : 'unversioned';
}

/** Throws where the platform's state has no safe place yet. */
export async function requireBootstrap(s3: S3Client, config: PlacedConfig): Promise<void> {
  const bucket = namesOf(config).platformStateBucket;
  const state = await look(s3, bucket, config.accountId);
  if (state === 'ready') return;
  throw new Refusal(
    `the state bucket ${bucket} is ${state}: run \`npm run bootstrap -- --env ${config.environment}\` first`,
  );
}

function onlyTls(arn: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'OnlyTls',
        Effect: 'Deny',
        Principal: { AWS: '*' },
        Action: ['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject'],
        Resource: [arn, `${arn}/*`],
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
    ],
  });
}

/**
 * Creates the bucket, or completes one that a run before left half made: each call sets what is wanted anew.
 * An emulator speaks plain HTTP, so there it is not refused.
 */
export async function bootstrap(
  s3: S3Client,
  config: PlacedConfig,
  emulated: boolean,
): Promise<{ readonly bucket: string; readonly created: boolean }> {
  const names = namesOf(config);
  const bucket = names.platformStateBucket;
  const created = (await look(s3, bucket, config.accountId)) === 'missing';
  if (created) {
    // us-east-1 is the default, and refused as a constraint.
    const place =
      config.region === 'us-east-1'
        ? {}
        : { CreateBucketConfiguration: { LocationConstraint: config.region as BucketLocationConstraint } };
    await s3.send(new CreateBucketCommand({ Bucket: bucket, ObjectOwnership: 'BucketOwnerEnforced', ...place }));
  }
  const of = { Bucket: bucket, ExpectedBucketOwner: config.accountId };
  await s3.send(
    new PutPublicAccessBlockCommand({
      ...of,
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    }),
  );
  await s3.send(
    new PutBucketEncryptionCommand({
      ...of,
      ServerSideEncryptionConfiguration: {
        Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' }, BucketKeyEnabled: true }],
      },
    }),
  );
  if (!emulated) await s3.send(new PutBucketPolicyCommand({ ...of, Policy: onlyTls(names.bucketArn(bucket)) }));
  // Last: a bucket is ready only once it is versioned, and then all else is in force.
  await s3.send(new PutBucketVersioningCommand({ ...of, VersioningConfiguration: { Status: 'Enabled' } }));
  return { bucket, created };
}
