/** The most any host may ever do, whatever its role's own policy says. */
import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy/index.js';
import type { Platform } from '../context.ts';
import { allow, deny, policyJson, type Statement } from '../policy.ts';

export function boundaryStatements({ config, names }: Platform): readonly Statement[] {
  const regions = Object.keys(config.regions);
  const here = { StringEquals: { 'aws:ResourceAccount': config.accountId } };
  const everywhere = (service: string, resource: string) =>
    regions.map((region) => names.arn(service, resource, region));
  return [
    allow(
      'OwnLog',
      ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      everywhere('logs', 'log-group:/aws/ec2/enclave/*'),
    ),
    allow(
      'Report',
      ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
      [names.tableArn(names.stateTable)],
      { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['report#*'] } },
    ),
    // Enclave images may lie in any bucket of this account; which one, the host's own policy says.
    allow('Objects', ['s3:GetObject', 's3:GetObjectVersion'], [`${names.bucketArn('*')}/*`], here),
    allow('ListBuckets', ['s3:ListBucket'], [names.bucketArn('*')], here),
    deny(
      'NoStates',
      ['s3:GetObject', 's3:GetObjectVersion', 's3:ListBucket'],
      [names.platformStateBucket, names.stateBucket, names.plansBucket].flatMap((bucket) => [
        names.bucketArn(bucket),
        `${names.bucketArn(bucket)}/*`,
      ]),
    ),
    allow('RegistryLogin', ['ecr:GetAuthorizationToken'], { everything: 'the token is for the whole registry' }),
    allow(
      'Images',
      ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      [names.arn('ecr', 'repository/*', '*')],
    ),
    allow('Secrets', ['secretsmanager:GetSecretValue'], everywhere('secretsmanager', 'secret:*')),
    allow('Parameters', ['ssm:GetParameter', 'ssm:GetParameters'], everywhere('ssm', 'parameter/*')),
    // The key's own policy decides; enclaves' keys ask for attestation.
    allow('Keys', ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey'], [names.arn('kms', 'key/*', '*')]),
    allow(
      'Agent',
      [
        'ec2messages:AcknowledgeMessage',
        'ec2messages:DeleteMessage',
        'ec2messages:FailMessage',
        'ec2messages:GetEndpoint',
        'ec2messages:GetMessages',
        'ec2messages:SendReply',
        'ssm:UpdateInstanceInformation',
        'ssmmessages:CreateControlChannel',
        'ssmmessages:CreateDataChannel',
        'ssmmessages:OpenControlChannel',
        'ssmmessages:OpenDataChannel',
      ],
      { everything: "Systems Manager's message channels know no resource" },
    ),
    allow('StopItself', ['ec2:StopInstances'], everywhere('ec2', 'instance/*'), {
      StringEquals: { 'aws:ResourceTag/Environment': config.environment },
    }),
  ];
}

export function hostBoundary(platform: Platform): IamPolicy {
  const statements = boundaryStatements(platform);
  platform.policies.set('aws_iam_policy.host-boundary', statements);
  return new IamPolicy(platform.stack, 'host-boundary', {
    name: platform.names.boundary,
    description: 'The most any enclave host may do',
    policy: policyJson(statements),
  });
}
