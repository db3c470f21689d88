/** Buckets: encrypted, versioned, closed to the public and to plain HTTP. */
import { S3Bucket } from '@cdktf/provider-aws/lib/s3-bucket/index.js';
import {
  S3BucketLifecycleConfiguration,
  type S3BucketLifecycleConfigurationRule,
} from '@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration/index.js';
import { S3BucketOwnershipControls } from '@cdktf/provider-aws/lib/s3-bucket-ownership-controls/index.js';
import { S3BucketPolicy, type S3BucketPolicyConfig } from '@cdktf/provider-aws/lib/s3-bucket-policy/index.js';
import { S3BucketPublicAccessBlock } from '@cdktf/provider-aws/lib/s3-bucket-public-access-block/index.js';
import { S3BucketServerSideEncryptionConfigurationA } from '@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration/index.js';
import { S3BucketVersioningA } from '@cdktf/provider-aws/lib/s3-bucket-versioning/index.js';
import { idIn, type Platform } from './context.ts';
import { policyJson, refuse } from './policy.ts';

interface BucketOptions {
  readonly id: string;
  readonly region: string;
  readonly name: string;
  readonly keyArn: string;
  readonly rules: S3BucketLifecycleConfigurationRule[];
  /** Kept when the platform is destroyed; else emptied and deleted with it. */
  readonly retain: boolean;
}

function bucket(platform: Platform, options: BucketOptions): S3Bucket {
  const { stack } = platform;
  const { id, name, keyArn, rules, retain } = options;
  const provider = platform.provider(options.region);
  const made = new S3Bucket(stack, id, {
    bucket: name,
    forceDestroy: !retain,
    ...(retain ? { lifecycle: { preventDestroy: true } } : {}),
    ...provider,
  });
  const of = { bucket: made.id, ...provider };
  const versioning = new S3BucketVersioningA(stack, `${id}-versions`, {
    versioningConfiguration: { status: 'Enabled' },
    ...of,
  });
  new S3BucketServerSideEncryptionConfigurationA(stack, `${id}-encryption`, {
    rule: [
      {
        applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: keyArn },
        bucketKeyEnabled: true,
      },
    ],
    ...of,
  });
  new S3BucketPublicAccessBlock(stack, `${id}-public-access`, {
    blockPublicAcls: true,
    blockPublicPolicy: true,
    ignorePublicAcls: true,
    restrictPublicBuckets: true,
    ...of,
  });
  new S3BucketOwnershipControls(stack, `${id}-ownership`, { rule: { objectOwnership: 'BucketOwnerEnforced' }, ...of });
  if (!platform.emulated) onlyTls(platform, id, name, of);
  new S3BucketLifecycleConfiguration(stack, `${id}-lifecycle`, {
    rule: [
      {
        id: 'uploads',
        status: 'Enabled',
        filter: [{ prefix: '' }],
        abortIncompleteMultipartUpload: [{ daysAfterInitiation: 7 }],
      },
      ...rules,
    ],
    // Rules on old versions want versioning first.
    dependsOn: [versioning],
    ...of,
  });
  return made;
}

function onlyTls(
  { stack, names, policies }: Platform,
  id: string,
  name: string,
  of: Pick<S3BucketPolicyConfig, 'bucket' | 'provider'>,
): void {
  const statements = [
    refuse(
      'OnlyTls',
      { AWS: '*' },
      ['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject'],
      [names.bucketArn(name), `${names.bucketArn(name)}/*`],
      { Bool: { 'aws:SecureTransport': 'false' } },
    ),
  ];
  new S3BucketPolicy(stack, `${id}-policy`, { policy: policyJson(statements), ...of });
  policies.set(`aws_s3_bucket_policy.${id}-policy`, statements);
}

/** Old states are what a damaged one is repaired from; locks leave a version each, which nobody needs. */
export function stateBucket(platform: Platform, keyArn: string): S3Bucket {
  const { config, names } = platform;
  return bucket(platform, {
    id: 'state-bucket',
    region: config.region,
    name: names.stateBucket,
    keyArn,
    retain: true,
    rules: [
      {
        id: 'old-versions',
        status: 'Enabled',
        filter: [{ prefix: 'enclaves/' }],
        noncurrentVersionExpiration: [{ noncurrentDays: 90 }],
        expiration: [{ expiredObjectDeleteMarker: true }],
      },
    ],
  });
}

export function plansBucket(platform: Platform, keyArn: string): S3Bucket {
  const { config, names } = platform;
  return bucket(platform, {
    id: 'plans-bucket',
    region: config.region,
    name: names.plansBucket,
    keyArn,
    retain: false,
    rules: [
      {
        id: 'expiry',
        status: 'Enabled',
        filter: [{ prefix: PLANS_PREFIX }],
        expiration: [{ days: config.planDays }],
        noncurrentVersionExpiration: [{ noncurrentDays: 1 }],
      },
    ],
  });
}

export const PLANS_PREFIX = 'runs/';

/** Hosts' configuration objects (`enclaves/`) and the agent's bundles (`agents/`). */
export function configurationBucket(platform: Platform, region: string, keyArn: string): S3Bucket {
  return bucket(platform, {
    id: idIn(platform, region, 'configuration-bucket'),
    region,
    name: platform.names.configurationBucket(region),
    keyArn,
    retain: false,
    rules: [
      {
        id: 'old-versions',
        status: 'Enabled',
        filter: [{ prefix: 'enclaves/' }],
        noncurrentVersionExpiration: [{ noncurrentDays: 30 }],
      },
    ],
  });
}
