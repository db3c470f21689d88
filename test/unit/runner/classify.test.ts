/** Classes of failures from texts that Terraform and AWS really print, and what is taken out of them. */
import { describe, expect, it } from 'vitest';
import { classify } from '../../../runner/src/classify.ts';
import type { Diagnostic } from '../../../runner/src/engine/port.ts';
import { ERROR_CLASSES, type ErrorClass } from '../../../src/enclave/items/run.ts';
import { scrub } from '../../../src/enclave/scrub.ts';
import { runFault } from '../../../src/local/cloud/faults.ts';

const error = (summary: string, detail = ''): Diagnostic => ({ severity: 'error', summary, detail });
const v2 = (verb: string, service: string, operation: string, code: string, message: string, status = 400) =>
  `${verb}: operation error ${service}: ${operation}, https response error StatusCode: ${status}, ` +
  `RequestID: 0b1f1f3e-8f3c-4a53-9a52-0a9f6c2d7f10, api error ${code}: ${message}`;
const ec2 = (code: string, message: string, status = 400) =>
  v2('creating EC2 Instance', 'EC2', 'RunInstances', code, message, status);

const rows: [ErrorClass, string, string?][] = [
  [
    'quota',
    ec2('VcpuLimitExceeded', 'You have requested more vCPU capacity than your current vCPU limit of 32 allows'),
  ],
  ['quota', ec2('InstanceLimitExceeded', 'Your quota allows for 0 more running instance(s).')],
  ['quota', v2('creating Security Group', 'EC2', 'CreateSecurityGroup', 'SecurityGroupLimitExceeded', 'The maximum')],
  [
    'quota',
    v2(
      'creating IAM Role (a)',
      'IAM',
      'CreateRole',
      'LimitExceeded',
      'Cannot exceed quota for RolesPerAccount: 1000',
      409,
    ),
  ],
  ['quota', v2('creating Log Group', 'CloudWatch Logs', 'CreateLogGroup', 'LimitExceededException', 'Resource limit')],
  ['capacity', ec2('InsufficientInstanceCapacity', 'We currently do not have sufficient m6i.xlarge capacity', 500)],
  ['capacity', ec2('InsufficientFreeAddressesInSubnet', 'There are not enough free addresses in subnet')],
  ['capacity', ec2('PendingVerification', 'Your request for accessing resources in this region is being validated')],
  ['throttled', ec2('RequestLimitExceeded', 'Request limit exceeded.', 503)],
  ['throttled', v2('reading IAM Role', 'IAM', 'GetRole', 'Throttling', 'Rate exceeded')],
  ['throttled', v2('reading', 'CloudWatch Logs', 'DescribeLogGroups', 'ThrottlingException', 'Rate exceeded')],
  ['throttled', v2('uploading S3 Object', 'S3', 'PutObject', 'SlowDown', 'Please reduce your request rate.', 503)],
  ['throttled', v2('creating', 'KMS', 'CreateKey', 'LimitExceededException', 'Rate exceeded')],
  [
    'locked',
    'Error acquiring the state lock',
    'Error message: operation error S3: PutObject, https response error StatusCode: 412, api error PreconditionFailed: At least one of the pre-conditions you specified did not hold\nLock Info:\n  ID: 3d5b',
  ],
  ['locked', 'Error locking state: Error acquiring the state lock: ConditionalCheckFailedException'],
  ['locked', 'Saved plan is stale', 'The given plan file can no longer be applied because the state was changed'],
  ['state', 'Error loading state: state data in S3 does not have the expected content.'],
  ['state', 'Error saving state', 'Failed to persist state to backend'],
  ['state', 'Failed to save state', 'Error saving state: failed to upload state'],
  ['state', 'Error refreshing state: state snapshot was created by Terraform v1.12.0, which is newer than current'],
  [
    'state',
    v2('creating IAM Role (x)', 'IAM', 'CreateRole', 'EntityAlreadyExists', 'Role with name x already exists.', 409),
  ],
  ['state', v2('creating Security Group', 'EC2', 'CreateSecurityGroup', 'InvalidGroup.Duplicate', 'already exists')],
  ['state', v2('creating', 'CloudWatch Logs', 'CreateLogGroup', 'ResourceAlreadyExistsException', 'already exists')],
  ['permission', ec2('UnauthorizedOperation', 'You are not authorized to perform this operation.', 403)],
  [
    'permission',
    v2(
      'creating IAM Role',
      'IAM',
      'CreateRole',
      'AccessDenied',
      'User: arn:aws:sts::123456789012:x is not authorized',
      403,
    ),
  ],
  ['permission', ec2('OptInRequired', 'You are not subscribed to this service.', 401)],
  ['permission', ec2('AuthFailure', 'AWS was not able to validate the provided access credentials', 401)],
  ['permission', 'No valid credential sources found', 'Please see the documentation. Error: no EC2 IMDS role found'],
  ['validation', ec2('InvalidParameterValue', 'Invalid value for instanceType.')],
  ['validation', ec2('InvalidAMIID.NotFound', "The image id '[ami-0]' does not exist")],
  [
    'validation',
    ec2('Unsupported', 'Your requested instance type is not supported in your requested Availability Zone'),
  ],
  ['validation', ec2('UnsupportedOperation', 'The instance type does not support enclaves.')],
  ['validation', v2('putting policy', 'IAM', 'PutRolePolicy', 'MalformedPolicyDocument', 'Syntax errors in policy.')],
  ['validation', 'Invalid value for variable', 'The given value is not suitable for var.cpu_count'],
  ['validation', 'No value for required variable', 'The root module input variable "spec" is not set'],
  ['validation', 'expected retention_in_days to be one of [0 1 3 5], got 2'],
  [
    'unknown',
    ec2(
      'InvalidParameterValue',
      'Value (p) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name',
    ),
  ],
  [
    'unknown',
    v2('deleting Security Group', 'EC2', 'DeleteSecurityGroup', 'DependencyViolation', 'has a dependent object'),
  ],
  [
    'bootstrap',
    'Failed to install provider',
    'Error while installing hashicorp/aws v5.100.0: open /mirror: permission',
  ],
  ['bootstrap', 'Failed to query available provider packages', 'Could not retrieve the list of available versions'],
  ['bootstrap', 'Plugin did not respond', 'The plugin encountered an error, and failed to respond'],
  ['timeout', "waiting for EC2 Instance (i-0a) create: timeout while waiting for state to become 'running'"],
  ['timeout', 'operation error EC2: DescribeInstances, request send failed: context deadline exceeded'],
  ['timeout', 'Post "https://ec2.us-west-2.amazonaws.com/": dial tcp 52.1.2.3:443: i/o timeout'],
  ['cancelled', 'execution halted'],
  ['cancelled', 'operation canceled'],
  ['unknown', 'Provider produced inconsistent result after apply', 'Root object was present, but now absent.'],
  ['unknown', ''],
];

describe('classify', () => {
  it.each(rows)('%s: %s', (expected, summary, detail = '') => {
    const result = classify([error(summary, detail)]);
    expect(result.class).toBe(expected);
    expect(result.message).not.toBe('');
    expect(result.fix).not.toBe('');
  });

  it('lets the first error that is understood speak', () => {
    const result = classify([
      { severity: 'warning', summary: 'AccessDenied in a warning', detail: '' },
      error('something odd'),
      error(ec2('VcpuLimitExceeded', 'more vCPU')),
      error(ec2('UnauthorizedOperation', 'no')),
    ]);
    expect(result.class).toBe('quota');
    expect(result.message).toContain('VcpuLimitExceeded');
  });

  it('takes the class an engine knows', () => {
    expect(classify([{ ...error('whatever'), class: 'capacity' }]).class).toBe('capacity');
  });

  it('has an answer for no diagnostics at all', () => {
    expect(classify([])).toMatchObject({ class: 'unknown', message: 'Terraform failed without an error message.' });
  });

  it.each(ERROR_CLASSES)('recognizes the text the simulated cloud uses for %s', (errorClass) => {
    const { diagnostic } = runFault({ class: errorClass });
    expect(diagnostic.class).toBeUndefined();
    expect(classify([diagnostic]).class).toBe(errorClass);
  });
});

describe('scrub', () => {
  const secrets: readonly (readonly [string, RegExp])[] = [
    ['User: arn:aws:sts::123456789012:assumed-role/runner/abc is not authorized', /arn:aws|123456789012|runner\/abc/],
    ['role arn:aws-us-gov:iam::123456789012:role/x, and more', /arn:|123456789012/],
    ['account 123456789012 is closed', /123456789012/],
    ['bucket treza-123456789012-state is gone', /123456789012/],
    ['dial tcp 10.0.12.7:443: connection refused', /10\.0\.12\.7/],
    ['cidr 10.0.0.0/16 overlaps', /10\.0\.0\.0/],
    ['lookup ip-10-0-0-1.us-west-2.compute.internal: no such host', /ip-10|compute\.internal/],
    ['Post "https://ec2.us-west-2.amazonaws.com/": EOF', /amazonaws/],
    ['could not find registry.terraform.io/hashicorp/aws', /registry\.terraform\.io/],
    ['Who: root@ip-10-0-0-9', /root@|ip-10/],
    ['dial tcp [2600:1f14:abc::12]:443: no route', /2600:1f14/],
    ['Encoded authorization failure message: aBcD1234_-xyz', /aBcD1234/],
    ['StatusCode: 403, RequestID: 0b1f1f3e-8f3c-4a53-9a52-0a9f6c2d7f10, api error', /0b1f1f3e/],
  ];
  it.each(secrets)('takes out: %s', (message, secret) => {
    expect(message).toMatch(secret);
    expect(scrub(message)).not.toMatch(secret);
  });

  it.each([
    'creating EC2 Instance (m6i.xlarge): api error VcpuLimitExceeded: the limit is 32 vCPU',
    'aws_instance.enclave_instance: Creating...',
    'instance i-0123456789abcdef0 of type c7gn.2xlarge in us-west-2a',
    "waiting for state to become 'running', 12 minutes at 10:24:31",
    'nginx:1.27 and memory 4096 MiB',
  ])('leaves alone: %s', (message) => {
    expect(scrub(message)).toBe(message);
  });

  it('gives one line of bounded length', () => {
    const text = scrub(`a\n\tb\u0000c\u2028d ${'x'.repeat(10_000)}`);
    expect(text.startsWith('a b c d x')).toBe(true);
    expect(text).toHaveLength(600);
  });

  it('comes to an end with a long hostile message', () => {
    const parts = ['a', 'a.', 'a-', '1:', '1.', 'arn:', '@', 'a@', '0123456789', 'https:', 'a.com', 'Request'];
    for (const part of parts) expect(scrub(part.repeat(50_000)).length).toBeLessThanOrEqual(600);
  });
});
