/** What an enclave's host may do: its own log group, report, configuration and image, and nothing of another's. */
import { keys } from '../../src/enclave/items/items.ts';
import type { EnclaveSpec } from '../../src/enclave/spec/types.ts';
import { foreignKeyStatements } from './attestation.ts';
import { literal, objectArn, type PolicyDocument, policy, type Statement } from './iam.ts';
import { type Place, reportTableArn } from './place.ts';
import { registryOf, secretArns } from './registry.ts';

/** Statements whose resource is `*`, and why AWS allows nothing else. */
export const ANY_RESOURCE: Readonly<Record<string, string>> = {
  SystemsManager: 'The calls of the SSM agent know no resources: a host reports itself and opens its own channels.',
  ImageLogin: 'ecr:GetAuthorizationToken knows no resources; what may be pulled is a statement of its own.',
};

/** All inline policies of a role together; see "IAM and AWS STS quotas". */
const INLINE_POLICY_LIMIT = 10_240;

export function trustPolicy(): PolicyDocument {
  return policy([
    {
      Sid: 'Host',
      Effect: 'Allow',
      Principal: { Service: 'ec2.amazonaws.com' },
      Action: ['sts:AssumeRole'],
    },
  ]);
}

export function logPolicy({ facts, region, logGroup }: Place): PolicyDocument {
  const group = `arn:${facts.partition}:logs:${region}:${facts.accountId}:log-group:${logGroup}`;
  return policy([
    {
      Sid: 'OwnLogGroup',
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      Resource: [group, `${group}:log-stream:*`],
    },
  ]);
}

export function hostPolicy(spec: EnclaveSpec, place: Place): PolicyDocument {
  const document = policy([
    ownReport(place),
    ...ownObjects(place),
    SYSTEMS_MANAGER,
    ...image(spec, place),
    ...secrets(spec, place),
    ...foreignKeyStatements(spec, place),
  ]);
  const length = JSON.stringify(document).length + JSON.stringify(logPolicy(place)).length;
  if (length > INLINE_POLICY_LIMIT) {
    throw new Error(
      `providerConfig.secrets of ${place.enclaveId} make policies of ${length} characters, and IAM takes ` +
        `${INLINE_POLICY_LIMIT}: name fewer secrets`,
    );
  }
  return document;
}

function ownReport({ enclaveId, facts }: Place): Statement {
  return {
    Sid: 'OwnReport',
    Effect: 'Allow',
    Action: ['dynamodb:PutItem'],
    Resource: [reportTableArn(facts)],
    Condition: {
      'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [keys.reports(enclaveId)] },
      // A request without keys would satisfy the condition above.
      Null: { 'dynamodb:LeadingKeys': 'false' },
    },
  };
}

function ownObjects({ facts, region, regional, configurationKey }: Place): readonly Statement[] {
  const { configurationBucket, configurationKmsKeyArn } = regional;
  const own: Statement = {
    Sid: 'OwnConfigurationAndAgent',
    Effect: 'Allow',
    Action: ['s3:GetObject'],
    Resource: [configurationKey, facts.agent.key].map((key) => objectArn(facts, `s3://${configurationBucket}/${key}`)),
  };
  if (configurationKmsKeyArn === undefined) return [own];
  return [
    own,
    {
      Sid: 'ConfigurationKey',
      Effect: 'Allow',
      Action: ['kms:Decrypt'],
      Resource: [configurationKmsKeyArn],
      Condition: { StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` } },
    },
  ];
}

/** Instead of AmazonSSMManagedInstanceCore, which reads every parameter of the account. */
const SYSTEMS_MANAGER: Statement = {
  Sid: 'SystemsManager',
  Effect: 'Allow',
  Action: [
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
  Resource: ['*'],
};

function image({ dockerImage, eif }: EnclaveSpec, { facts }: Place): readonly Statement[] {
  if (eif !== undefined) {
    const Resource = [objectArn(facts, eif.uri)];
    return [{ Sid: 'ImageFile', Effect: 'Allow', Action: ['s3:GetObject'], Resource }];
  }
  const registry = registryOf(dockerImage);
  if (registry?.kind !== 'ecr') return [];
  const { accountId, region, repository } = registry;
  return [
    { Sid: 'ImageLogin', Effect: 'Allow', Action: ['ecr:GetAuthorizationToken'], Resource: ['*'] },
    {
      Sid: 'ImagePull',
      Effect: 'Allow',
      Action: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      Resource: [`arn:${facts.partition}:ecr:${region}:${accountId}:repository/${literal(repository)}`],
    },
  ];
}

/** By reference alone: an exact ARN or object each. */
function secrets(spec: EnclaveSpec, { facts }: Place): readonly Statement[] {
  const arns = secretArns(spec);
  const grant = (Sid: string, action: string, Resource: readonly string[]): readonly Statement[] =>
    Resource.length === 0 ? [] : [{ Sid, Effect: 'Allow', Action: [action], Resource: [...new Set(Resource)] }];
  return [
    ...grant('Secrets', 'secretsmanager:GetSecretValue', arns.filter(isSecret)),
    ...grant(
      'Parameters',
      'ssm:GetParameter',
      arns.filter((arn) => !isSecret(arn)),
    ),
    ...grant(
      'Ciphertexts',
      's3:GetObject',
      spec.secrets.flatMap(({ kmsCiphertextUri: uri }) => (uri === undefined ? [] : [objectArn(facts, uri)])),
    ),
  ];
}

function isSecret(arn: string): boolean {
  return arn.split(':')[2] === 'secretsmanager';
}
