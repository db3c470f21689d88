/** SDK clients: made once, sharing one pool of connections. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ECSClient } from '@aws-sdk/client-ecs';
import { IAMClient } from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import type { AwsService } from '../reconciler/metrics/index.ts';
import type { Calls } from './calls.ts';

export interface AwsClients {
  readonly dynamodb: DynamoDBClient;
  readonly streams: DynamoDBStreamsClient;
  readonly sfn: SFNClient;
  readonly ecs: ECSClient;
  /** Of the partition: IAM knows no regions. */
  readonly iam: IAMClient;
  readonly s3: S3Client;
  /** Made at the first call for a region, then kept. */
  ec2(region: string): EC2Client;
  ssm(region: string): SSMClient;
  sns(region: string): SNSClient;
  logs(region: string): CloudWatchLogsClient;
  kms(region: string): KMSClient;
  trail(region: string): CloudTrailClient;
  /** Ends idle connections; calls under way fail. */
  close(): void;
}

/** First try and two more, with the SDK's own jittered pauses: what lasts longer is the queue's business. */
const MAX_ATTEMPTS = 3;
const CONNECT_TIMEOUT_MS = 2_000;
/** DynamoDB answers in milliseconds; an answer later than this is lost. */
const TABLE_TIMEOUT_MS = 5_000;
/** A page of 1,000 hosts, or of an execution's history, takes seconds. */
const SERVICE_TIMEOUT_MS = 20_000;
/** More than `workers` by default, so that a reconcile does not wait for a socket. */
const MAX_SOCKETS = 128;

/** `calls` hears every attempt, where it is given. Endpoints and credentials come from the SDK's own environment (`AWS_ENDPOINT_URL`, `AWS_PROFILE`, task role …). */
export function createClients(region: string, calls?: Calls): AwsClients {
  const httpAgent = new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const httpsAgent = new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const options = (inRegion: string, requestTimeout: number) => ({
    region: inRegion,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      httpAgent,
      httpsAgent,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout,
      throwOnRequestTimeout: true,
    },
  });

  const hear = <C extends { readonly middlewareStack: unknown }>(service: AwsService, client: C) =>
    calls?.hear(service, client) ?? client;
  const perRegion = <C extends { destroy(): void }>(make: (inRegion: string) => C) => {
    const made = new Map<string, C>();
    return {
      made,
      get(inRegion: string): C {
        const client = made.get(inRegion) ?? make(inRegion);
        made.set(inRegion, client);
        return client;
      },
    };
  };
  const dynamodb = hear('dynamodb', new DynamoDBClient(options(region, TABLE_TIMEOUT_MS)));
  const streams = hear('streams', new DynamoDBStreamsClient(options(region, TABLE_TIMEOUT_MS)));
  const sfn = hear('sfn', new SFNClient(options(region, SERVICE_TIMEOUT_MS)));
  const ecs = hear('ecs', new ECSClient(options(region, SERVICE_TIMEOUT_MS)));
  const iam = hear('iam', new IAMClient(options(region, SERVICE_TIMEOUT_MS)));
  // Another endpoint than AWS' own knows no bucket by its host name.
  const forcePathStyle = Boolean(process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL);
  const s3 = hear('s3', new S3Client({ ...options(region, SERVICE_TIMEOUT_MS), forcePathStyle }));
  const ec2 = perRegion((inRegion) => hear('ec2', new EC2Client(options(inRegion, SERVICE_TIMEOUT_MS))));
  const ssm = perRegion((inRegion) => hear('ssm', new SSMClient(options(inRegion, SERVICE_TIMEOUT_MS))));
  const sns = perRegion((inRegion) => hear('sns', new SNSClient(options(inRegion, SERVICE_TIMEOUT_MS))));
  const logs = perRegion((inRegion) => hear('logs', new CloudWatchLogsClient(options(inRegion, SERVICE_TIMEOUT_MS))));
  const kms = perRegion((inRegion) => hear('kms', new KMSClient(options(inRegion, SERVICE_TIMEOUT_MS))));
  const trail = perRegion((inRegion) =>
    hear('cloudtrail', new CloudTrailClient(options(inRegion, SERVICE_TIMEOUT_MS))),
  );

  return {
    dynamodb,
    streams,
    sfn,
    ecs,
    iam,
    s3,
    ec2: ec2.get,
    ssm: ssm.get,
    sns: sns.get,
    logs: logs.get,
    kms: kms.get,
    trail: trail.get,
    close() {
      const regional = [ec2, ssm, sns, logs, kms, trail].flatMap(({ made }): { destroy(): void }[] => [
        ...made.values(),
      ]);
      for (const client of [dynamodb, streams, sfn, ecs, iam, s3, ...regional]) client.destroy();
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
