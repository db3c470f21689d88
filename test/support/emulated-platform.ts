/** What the platform stack leaves behind, made in an emulator by hand. */
import { type PlatformFacts, PlatformFactsSchema } from '../../infra/enclave/index.ts';
import { EMULATED_ACCOUNT, EMULATED_REGION, type Emulator } from './emulator.ts';
import { FACTS } from './enclave-stack.ts';
import { awsOn } from './terraform.ts';

export interface EmulatedPlatform {
  readonly facts: PlatformFacts;
  readonly amiId: string;
  readonly subnetId: string;
}

/** Uses the VPC every emulated region has. */
export function makePlatform(emulator: Emulator): EmulatedPlatform {
  const aws = awsOn(emulator);
  const [vpc] = aws('ec2', 'describe-vpcs').Vpcs;
  const [subnet] = aws('ec2', 'describe-subnets').Subnets;
  const { GroupId } = aws(
    ...['ec2', 'create-security-group', '--group-name', 'endpoints', '--description', 'endpoints'],
    ...['--vpc-id', vpc.VpcId],
  );
  const { PrefixList } = aws(
    ...['ec2', 'create-managed-prefix-list', '--prefix-list-name', 's3', '--max-entries', '1'],
    ...['--address-family', 'IPv4'],
  );
  const boundary = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
  const { Policy } = aws(
    ...['iam', 'create-policy', '--policy-name', 'boundary', '--policy-document', JSON.stringify(boundary)],
  );
  const [image] = aws('ec2', 'describe-images', '--owners', 'amazon').Images;
  for (const bucket of [FACTS.terraformState.bucket, 'treza-test-configuration']) {
    const place = ['--create-bucket-configuration', `LocationConstraint=${EMULATED_REGION}`];
    aws('s3api', 'create-bucket', '--bucket', bucket, ...place);
  }
  const facts = PlatformFactsSchema.parse({
    ...FACTS,
    accountId: EMULATED_ACCOUNT,
    permissionsBoundaryArn: Policy.Arn,
    regions: {
      [EMULATED_REGION]: {
        vpcId: vpc.VpcId,
        vpcCidr: vpc.CidrBlock,
        subnets: [{ id: subnet.SubnetId, zone: subnet.AvailabilityZone }],
        endpointSecurityGroupId: GroupId,
        prefixListIds: [PrefixList.PrefixListId],
        configurationBucket: 'treza-test-configuration',
      },
    },
  });
  return { facts, amiId: image.ImageId, subnetId: subnet.SubnetId };
}
