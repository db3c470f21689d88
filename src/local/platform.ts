/** What a platform stack would have made, at an AWS endpoint that is not AWS: network and buckets. */
import {
  CreateSubnetCommand,
  CreateTagsCommand,
  CreateVpcCommand,
  DescribeAvailabilityZonesCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  EC2Client,
  type Subnet,
  type Vpc,
} from '@aws-sdk/client-ec2';
import { type BucketLocationConstraint, CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { PlatformFactsInput } from '../../runner/src/environment.ts';

export interface PlatformPlace {
  readonly endpoint: string;
  readonly region: string;
  readonly environment: string;
  readonly prefix: string;
  readonly stateTable: string;
}

const VPC_CIDR = '10.0.0.0/16';
const SUBNETS = 2;
/** An emulator's hosts boot nothing, so no bundle is ever fetched. */
const AGENT = { key: 'agent/none.tar.gz', sha256: '0'.repeat(64), version: 'none' };

/** Finds what it made before, by tag and name, and makes what is missing. */
export async function ensurePlatform(place: PlatformPlace): Promise<PlatformFactsInput> {
  const { endpoint, region, prefix, environment, stateTable } = place;
  const options = { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  const ec2 = new EC2Client(options);
  const s3 = new S3Client({ ...options, forcePathStyle: true });
  try {
    const vpc = await ensureVpc(ec2, `${prefix}-local`);
    const subnets = await ensureSubnets(ec2, vpc.VpcId ?? '');
    const buckets = {
      state: `${prefix}-terraform-state`,
      plans: `${prefix}-plans`,
      configuration: `${prefix}-configuration`,
    };
    for (const name of Object.values(buckets)) await ensureBucket(s3, name, region);
    const accountId = vpc.OwnerId ?? '';
    return {
      environment,
      prefix,
      accountId,
      stateTable,
      stateTableRegion: region,
      terraformState: { bucket: buckets.state, region },
      plans: { bucket: buckets.plans, region, prefix: 'plans/' },
      rolePath: `/${prefix}-enclaves/`,
      keyAdministratorArns: [`arn:aws:iam::${accountId}:root`],
      agent: AGENT,
      regions: {
        [region]: {
          vpcId: vpc.VpcId ?? '',
          vpcCidr: VPC_CIDR,
          subnets: subnets.map(({ SubnetId = '', AvailabilityZone = '' }) => ({
            id: SubnetId,
            zone: AvailabilityZone,
          })),
          configurationBucket: buckets.configuration,
        },
      },
    };
  } finally {
    ec2.destroy();
    s3.destroy();
  }
}

async function ensureVpc(ec2: EC2Client, name: string): Promise<Vpc> {
  const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({ Filters: [{ Name: 'tag:Name', Values: [name] }] }));
  if (Vpcs[0] !== undefined) return Vpcs[0];
  const { Vpc: made } = await ec2.send(new CreateVpcCommand({ CidrBlock: VPC_CIDR }));
  if (made?.VpcId === undefined) throw new Error('the AWS endpoint made no VPC');
  await ec2.send(new CreateTagsCommand({ Resources: [made.VpcId], Tags: [{ Key: 'Name', Value: name }] }));
  return made;
}

async function ensureSubnets(ec2: EC2Client, vpcId: string): Promise<readonly Subnet[]> {
  const { Subnets = [] } = await ec2.send(
    new DescribeSubnetsCommand({ Filters: [{ Name: 'vpc-id', Values: [vpcId] }] }),
  );
  const { AvailabilityZones = [] } = await ec2.send(new DescribeAvailabilityZonesCommand({}));
  const subnets = [...Subnets];
  for (const [index, { ZoneName }] of AvailabilityZones.slice(0, SUBNETS).entries()) {
    if (subnets.some((subnet) => subnet.AvailabilityZone === ZoneName)) continue;
    const { Subnet: made } = await ec2.send(
      new CreateSubnetCommand({ VpcId: vpcId, AvailabilityZone: ZoneName, CidrBlock: `10.0.${index}.0/24` }),
    );
    if (made !== undefined) subnets.push(made);
  }
  return subnets;
}

async function ensureBucket(s3: S3Client, Bucket: string, region: string): Promise<void> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket }));
  } catch (error) {
    if (!(error instanceof Error && error.name === 'NotFound')) throw error;
    // S3 refuses its oldest region as a constraint.
    const elsewhere = { CreateBucketConfiguration: { LocationConstraint: region as BucketLocationConstraint } };
    await s3.send(new CreateBucketCommand({ Bucket, ...(region === 'us-east-1' ? {} : elsewhere) }));
  }
}
