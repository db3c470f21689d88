/** The most any host may ever do, whatever its role's own policy says. */
import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy/index.js';
import type { Platform } from '../context.ts';
import { allow, deny, leadingKeys, policyJson, type Statement } from '../policy.ts';

export function boundaryStatements({ config, names }: Platform): readonly Statement[] {
  return [
    allow(
      'OwnLog',
      ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      Object.keys(config.regions).map((region) => names.arn('logs', 'log-group:/aws/ec2/enclave/*', region)),
    ),
    allow(
      'Report',
      ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
      [names.tableArn(names.stateTable)],
      leadingKeys('report#*'),
    ),
    // Image files and ciphertexts lie where the spec says; the host's own policy names each object.
    allow('Objects', ['s3:GetObject'], [`${names.bucketArn('*')}/*`]),
    deny(
      'NoStates',
      ['s3:GetObject'],
      [names.platformStateBucket, names.stateBucket, names.plansBucket].map((bucket) => `${names.bucketArn(bucket)}/*`),
    ),
    allow('RegistryLogin', ['ecr:GetAuthorizationToken'], { everything: 'the token is for the whole registry' }),
    allow(
      'Images',
      ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      [`arn:${names.partition}:ecr:*:*:repository/*`],
    ),
    allow('Secrets', ['secretsmanager:GetSecretValue'], [`arn:${names.partition}:secretsmanager:*:*:secret:*`]),
    allow('Parameters', ['ssm:GetParameter'], [`arn:${names.partition}:ssm:*:*:parameter/*`]),
    // The key's own policy decides; enclaves' keys ask for attestation.
    allow(
      'Keys',
      ['kms:Decrypt', 'kms:DeriveSharedSecret', 'kms:GenerateDataKey', 'kms:GenerateDataKeyPair'],
      [`arn:${names.partition}:kms:*:*:key/*`],
    ),
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
