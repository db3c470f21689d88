/** The runner's part in EC2, logs and SSM: only what carries this environment's tag, and only tagged things are made. */
import { TAG_ENVIRONMENT } from '../../../src/enclave/names.ts';
import type { Platform } from '../context.ts';
import { vpcArn } from '../network.ts';
import { allow, type Statement } from '../policy.ts';
import { ofEnclave } from './tags.ts';

const SEE = [
  'ec2:DescribeAccountAttributes',
  'ec2:DescribeIamInstanceProfileAssociations',
  'ec2:DescribeImages',
  'ec2:DescribeInstanceAttribute',
  'ec2:DescribeInstanceCreditSpecifications',
  'ec2:DescribeInstanceStatus',
  'ec2:DescribeInstanceTypeOfferings',
  'ec2:DescribeInstanceTypes',
  'ec2:DescribeInstances',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribePrefixLists',
  'ec2:DescribeSecurityGroupRules',
  'ec2:DescribeSecurityGroups',
  'ec2:DescribeSubnets',
  'ec2:DescribeTags',
  'ec2:DescribeVolumes',
  'ec2:DescribeVolumesModifications',
  'ec2:DescribeVpcAttribute',
  'ec2:DescribeVpcs',
];

/** In the role's own policy, for all regions: the policy of a region may take 6,144 characters. */
export function seeHosts(): Statement {
  return allow('See', SEE, { everything: 'EC2 knows no resource for its Describe calls' });
}

export function hostStatements(platform: Platform, region: string): readonly Statement[] {
  const { config, names } = platform;
  const here = (service: string, ...resources: string[]) =>
    resources.map((resource) => names.arn(service, resource, region));
  const tagged = ofEnclave(config.environment, 'aws:ResourceTag');
  const tagging = ofEnclave(config.environment, 'aws:RequestTag');
  return [
    allow('LaunchHosts', ['ec2:RunInstances'], here('ec2', 'instance/*', 'volume/*'), tagging),
    allow('LaunchInto', ['ec2:RunInstances'], here('ec2', 'network-interface/*', 'subnet/*')),
    // A spec may add groups that are no enclave's.
    allow(
      'LaunchWithGroups',
      ['ec2:ModifyNetworkInterfaceAttribute', 'ec2:RunInstances'],
      here('ec2', 'security-group/*'),
      { StringEquals: { [`aws:ResourceTag/${TAG_ENVIRONMENT}`]: config.environment } },
    ),
    // Terraform's provider does not tag the interface of a host, so its VPC is the narrowest condition AWS can check.
    allow('ChangeGroupsOfHosts', ['ec2:ModifyNetworkInterfaceAttribute'], here('ec2', 'network-interface/*'), {
      ArnEquals: { 'ec2:Vpc': vpcArn(platform, region) },
    }),
    // Images belong to Amazon or others: their ARNs carry no account.
    allow('LaunchFrom', ['ec2:RunInstances'], [`arn:${names.partition}:ec2:${region}::image/*`]),
    allow('MakeGroups', ['ec2:CreateSecurityGroup'], here('ec2', 'security-group/*'), tagging),
    allow('MakeGroupsIn', ['ec2:CreateSecurityGroup'], here('ec2', 'vpc/*')),
    allow('TagWhatIsMade', ['ec2:CreateTags'], here('ec2', 'instance/*', 'security-group/*', 'volume/*'), {
      StringEquals: { 'ec2:CreateAction': ['CreateSecurityGroup', 'RunInstances'] },
    }),
    allow(
      'TagWhatIsOurs',
      ['ec2:CreateTags', 'ec2:DeleteTags'],
      here('ec2', 'instance/*', 'security-group/*', 'volume/*'),
      tagged,
    ),
    allow(
      'ChangeHosts',
      [
        // `PassHostRoles` limits the profiles to those of hosts' roles.
        'ec2:AssociateIamInstanceProfile',
        'ec2:DisassociateIamInstanceProfile',
        'ec2:ModifyInstanceAttribute',
        'ec2:ModifyInstanceMetadataOptions',
        'ec2:ModifyNetworkInterfaceAttribute',
        'ec2:ModifyVolume',
        'ec2:MonitorInstances',
        'ec2:ReplaceIamInstanceProfileAssociation',
        'ec2:StartInstances',
        'ec2:StopInstances',
        'ec2:TerminateInstances',
        'ec2:UnmonitorInstances',
      ],
      here('ec2', 'instance/*', 'volume/*'),
      tagged,
    ),
    allow(
      'ChangeGroups',
      [
        'ec2:AuthorizeSecurityGroupEgress',
        'ec2:AuthorizeSecurityGroupIngress',
        'ec2:DeleteSecurityGroup',
        'ec2:RevokeSecurityGroupEgress',
        'ec2:RevokeSecurityGroupIngress',
        'ec2:UpdateSecurityGroupRuleDescriptionsEgress',
        'ec2:UpdateSecurityGroupRuleDescriptionsIngress',
      ],
      here('ec2', 'security-group/*'),
      tagged,
    ),
    allow(
      'EnclaveLogs',
      [
        'logs:AssociateKmsKey',
        'logs:CreateLogGroup',
        'logs:DeleteLogGroup',
        'logs:DeleteRetentionPolicy',
        'logs:DisassociateKmsKey',
        'logs:ListTagsForResource',
        'logs:PutRetentionPolicy',
        'logs:TagResource',
        'logs:UntagResource',
      ],
      here('logs', 'log-group:/aws/ec2/enclave/*'),
    ),
    allow('FindLogs', ['logs:DescribeLogGroups'], here('logs', 'log-group:*')),
    // The newest Amazon Linux, as Amazon publishes it, and what the environment names.
    allow(
      'FindImages',
      ['ssm:GetParameter'],
      [
        `arn:${names.partition}:ssm:${region}::parameter/aws/service/ami-amazon-linux-latest/*`,
        ...config.amiParameters.map((name) => names.arn('ssm', `parameter${name}`, region)),
      ],
    ),
  ];
}
