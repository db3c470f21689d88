/** What preflight tries, before an endpoint that answers as AWS documents: allowed, refused, and what proves neither. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AwsInstallation, createInstallation } from '../../src/preflight/aws-account.ts';
import type { Call } from '../../src/preflight/preflight.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { awsAtEndpoint, type EndpointAnswer, jsonError, xmlError } from '../support/memory-endpoint.ts';

const aws = awsAtEndpoint({ accountId: '123456789012', cluster: 'runners' });
let installation: AwsInstallation;

beforeAll(() => {
  installation = createInstallation(ConfigSchema.parse({ accountId: '123456789012', cluster: 'runners' }));
});
afterAll(() => installation.close());

const deniedJson = jsonError('AccessDeniedException');
const deniedXml = xmlError('UnauthorizedOperation', 'no', 403);
const ofIam = (code: string): EndpointAnswer => ({
  status: 403,
  body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`,
});
const ofS3 = (status: number, code: string): EndpointAnswer => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
});
const xml = (name: string, inner = ''): EndpointAnswer => ({ body: `<${name}Response>${inner}</${name}Response>` });
const noTask = jsonError('InvalidParameterException', 'The referenced task was not found.');
const noRun = jsonError('ExecutionDoesNotExist');

describe('a permission', () => {
  it.each<[Call, EndpointAnswer, EndpointAnswer]>([
    ['ec2:DescribeInstanceStatus', xml('DescribeInstanceStatus'), deniedXml],
    ['ec2:DescribeSecurityGroups', xml('DescribeSecurityGroups'), deniedXml],
    ['ec2:DescribeVolumes', xml('DescribeVolumes'), deniedXml],
    ['ecs:StopTask', noTask, deniedJson],
    [
      'iam:GetAccountAuthorizationDetails',
      xml('GetAccountAuthorizationDetails', '<GetAccountAuthorizationDetailsResult/>'),
      ofIam('AccessDenied'),
    ],
    ['logs:DescribeLogGroups', { body: {} }, deniedJson],
    ['states:DescribeExecution', noRun, deniedJson],
    ['states:GetExecutionHistory', noRun, deniedJson],
    ['states:StopExecution', noRun, deniedJson],
    ['ssm:DescribeInstanceInformation', { body: {} }, deniedJson],
    ['cloudtrail:LookupEvents', { body: {} }, deniedJson],
  ])('%s is allowed or denied, as AWS answers', async (call, yes, no) => {
    aws.endpoint.script(() => yes);
    expect(await installation.permission(call)).toBe('allowed');
    const [, action] = call.split(':');
    expect(aws.endpoint.requests.map(({ operation }) => operation)).toEqual([action]);
    aws.endpoint.script(() => no);
    expect(await installation.permission(call)).toBe('denied');
  });

  it.each<Call>(['kms:DescribeKey', 'kms:GetKeyPolicy', 'kms:ListGrants'])(
    '%s is not allowed because a key is not found',
    async (call) => {
      aws.endpoint.script(() => jsonError('NotFoundException'));
      expect(await installation.permission(call)).toBe('unsure');
      aws.endpoint.script(() => deniedJson);
      expect(await installation.permission(call)).toBe('denied');
    },
  );

  it('to stop runs and tasks is tried on none that there could be', async () => {
    aws.endpoint.script(({ operation }) => (operation === 'StopTask' ? noTask : noRun));
    await installation.permission('ecs:StopTask');
    await installation.permission('states:StopExecution');
    expect(aws.inputs()).toEqual([
      { cluster: 'runners', task: '0'.repeat(32), reason: 'preflight' },
      { executionArn: expect.stringMatching(/:execution:treza-dev-deployment:preflight$/) },
    ]);
  });

  it('of a parameter that is refused for another reason nothing is said', async () => {
    aws.endpoint.script(() => jsonError('InvalidParameterException', 'Long ARN format is required.'));
    await expect(installation.permission('ecs:StopTask')).rejects.toThrow('Long ARN format');
  });
});

describe('the bucket of Terraform states', () => {
  it.each<[EndpointAnswer, string]>([
    [{ body: '<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>' }, 'there'],
    [ofS3(404, 'NoSuchBucket'), 'missing'],
    [ofS3(301, 'PermanentRedirect'), 'missing'],
    [ofS3(403, 'AccessDenied'), 'denied'],
  ])('%#: is there, is not, or may not be seen', async (answer, said) => {
    aws.endpoint.script(() => answer);
    expect(await installation.states('states')).toBe(said);
  });
});
