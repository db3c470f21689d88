/** SDK clients of one run, each made when it is first asked for. */
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { IAMClient } from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { SSMClient } from '@aws-sdk/client-ssm';

/** A run may wait: the SDK's own jittered pauses see it through a throttled minute. */
const MAX_ATTEMPTS = 6;
/** A call that hangs must not outlast the run's deadline: a stop reaches Terraform, not a socket. */
const TIMEOUTS = { connectionTimeout: 5_000, requestTimeout: 60_000, throwOnRequestTimeout: true };

export interface AwsClients {
  readonly ec2: EC2Client;
  readonly iam: IAMClient;
  readonly kms: KMSClient;
  readonly logs: CloudWatchLogsClient;
  readonly ssm: SSMClient;
  /** Buckets and tables lie in regions of their own. */
  s3(region: string): S3Client;
  dynamodb(region: string): DynamoDBClient;
}

function perRegion<T>(make: (region: string) => T): (region: string) => T {
  const made = new Map<string, T>();
  return (region) => {
    const client = made.get(region) ?? make(region);
    made.set(region, client);
    return client;
  };
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Endpoints and credentials come from the SDK's own environment. `region` is the enclave's. */
export function awsClients(region: string, options: { readonly pathStyle: boolean }): AwsClients {
  const config = { region, maxAttempts: MAX_ATTEMPTS, requestHandler: TIMEOUTS };
  const ec2 = once(() => new EC2Client(config));
  const iam = once(() => new IAMClient(config));
  const kms = once(() => new KMSClient(config));
  const logs = once(() => new CloudWatchLogsClient(config));
  const ssm = once(() => new SSMClient(config));
  return {
    get ec2() {
      return ec2();
    },
    get iam() {
      return iam();
    },
    get kms() {
      return kms();
    },
    get logs() {
      return logs();
    },
    get ssm() {
      return ssm();
    },
    s3: perRegion((inRegion) => new S3Client({ ...config, region: inRegion, forcePathStyle: options.pathStyle })),
    dynamodb: perRegion((inRegion) => new DynamoDBClient({ ...config, region: inRegion })),
  };
}

/** Undefined where AWS answers with one of these errors; any other is thrown. */
export async function unlessNamed<T>(call: Promise<T>, ...names: readonly string[]): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Error && names.includes(error.name)) return undefined;
    throw error;
  }
}
