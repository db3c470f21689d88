/** The runner's part in IAM: roles under one path and one boundary. */
import type { Platform } from '../context.ts';
import { allow, type Statement } from '../policy.ts';

const READ_ROLE = [
  'GetRole',
  'GetRolePolicy',
  'ListAttachedRolePolicies',
  'ListInstanceProfilesForRole',
  'ListRolePolicies',
];
const READ_PROFILE = ['GetInstanceProfile'];
const KEEP_PROFILE = ['AddRoleToInstanceProfile', 'DeleteInstanceProfile', 'RemoveRoleFromInstanceProfile'];
const NAME = 'treza-enclave-*';

const iam = (...actions: string[]) => actions.map((action) => `iam:${action}`);

export function identityStatements(platform: Platform): readonly Statement[] {
  const { config, names } = platform;
  const roles = [names.roleArn(NAME, names.rolePath)];
  const profiles = [profileArn(platform, names.rolePath)];
  const bounded = { StringEquals: { 'iam:PermissionsBoundary': names.boundaryArn } };
  return [
    // A role that is born without the boundary, or loses it, could do anything: neither is possible.
    allow('MakeRoles', iam('CreateRole', 'PutRolePermissionsBoundary'), roles, bounded),
    allow('GiveRolesPolicies', iam('DeleteRolePolicy', 'DetachRolePolicy', 'PutRolePolicy'), roles, bounded),
    allow(
      'KeepRoles',
      iam(...READ_ROLE, 'DeleteRole', 'TagRole', 'UntagRole', 'UpdateAssumeRolePolicy', 'UpdateRole'),
      roles,
    ),
    allow(
      'KeepProfiles',
      iam(...READ_PROFILE, ...KEEP_PROFILE, 'CreateInstanceProfile', 'TagInstanceProfile', 'UntagInstanceProfile'),
      profiles,
    ),
    allow('PassHostRoles', ['iam:PassRole'], roles, { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } }),
    ...(config.legacyHosts ? legacyStatements(platform) : []),
  ];
}

function profileArn({ names, config }: Platform, path: string): string {
  return `arn:${names.partition}:iam::${config.accountId}:instance-profile${path}${NAME}`;
}

/**
 * The incumbent's hosts: roles at path / without a boundary, and a bucket each. Whoever may write a policy there may
 * write any, so this is granted only while such hosts exist.
 */
function legacyStatements(platform: Platform): readonly Statement[] {
  const { names } = platform;
  const roles = [names.roleArn(NAME)];
  const buckets = names.bucketArn('treza-enclave-scripts-*');
  return [
    allow(
      'LegacyRoles',
      iam(...READ_ROLE, 'DeleteRole', 'DeleteRolePolicy', 'PutRolePolicy', 'TagRole', 'UntagRole'),
      roles,
    ),
    allow('LegacyProfiles', iam(...READ_PROFILE, ...KEEP_PROFILE), [profileArn(platform, '/')]),
    allow('PassLegacyRoles', ['iam:PassRole'], roles, { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } }),
    allow(
      'LegacyBuckets',
      [
        's3:DeleteBucket',
        's3:GetAccelerateConfiguration',
        's3:GetBucketAcl',
        's3:GetBucketCORS',
        's3:GetBucketLocation',
        's3:GetBucketLogging',
        's3:GetBucketObjectLockConfiguration',
        's3:GetBucketPolicy',
        's3:GetBucketRequestPayment',
        's3:GetBucketTagging',
        's3:GetBucketVersioning',
        's3:GetBucketWebsite',
        's3:GetEncryptionConfiguration',
        's3:GetLifecycleConfiguration',
        's3:GetReplicationConfiguration',
        's3:ListBucket',
        's3:ListBucketVersions',
      ],
      [buckets],
    ),
    allow(
      'LegacyObjects',
      ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:GetObject', 's3:GetObjectTagging'],
      [`${buckets}/*`],
    ),
  ];
}
