/** The resources of one enclave, before an endpoint that answers as AWS documents. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { resourceName } from '../../src/enclave/names.ts';
import { awsAtEndpoint, xmlError } from '../support/memory-endpoint.ts';

const aws = awsAtEndpoint({ environment: 'dev' });
const { signal } = new AbortController();
const REGION = 'us-west-2';
const HOST = 'i-0123456789abcdef0';
const inspector = () => aws.ports.inspector;
const operations = () => aws.endpoint.requests.map(({ operation }) => operation);

const iam = (operation: string, result: string) => ({
  body: `<${operation}Response><${operation}Result>${result}</${operation}Result></${operation}Response>`,
});

describe('the inspector', () => {
  it('reads user data as a digest alone', async () => {
    const secret = Buffer.from('export TOKEN=secret').toString('base64');
    aws.endpoint.script((_, index) => ({
      body: `<DescribeInstanceAttributeResponse><instanceId>${HOST}</instanceId>${
        index === 0
          ? `<userData><value>${secret}</value></userData>`
          : '<disableApiTermination><value>true</value></disableApiTermination>'
      }</DescribeInstanceAttributeResponse>`,
    }));
    const attributes = await inspector().instanceAttributes(REGION, HOST, signal);
    const userData = createHash('sha1').update('export TOKEN=secret').digest('hex');
    expect(attributes).toEqual({ userData, terminationProtection: true });
    expect(aws.inputs()).toMatchObject([
      { InstanceId: HOST, Attribute: 'userData' },
      { InstanceId: HOST, Attribute: 'disableApiTermination' },
    ]);
  });

  it('knows no root volume where a host has several', async () => {
    const volume = (id: string) =>
      `<item><volumeId>${id}</volumeId><encrypted>true</encrypted><attachmentSet><item><instanceId>${HOST}</instanceId><deleteOnTermination>false</deleteOnTermination></item></attachmentSet></item>`;
    const answer = (...ids: readonly string[]) => ({
      body: `<DescribeVolumesResponse><volumeSet>${ids.map(volume).join('')}</volumeSet></DescribeVolumesResponse>`,
    });
    aws.endpoint.script(() => answer('vol-1'));
    expect(await inspector().rootVolume(REGION, HOST, signal)).toEqual({ encrypted: true, deleteOnTermination: false });
    aws.endpoint.script(() => answer('vol-1', 'vol-2'));
    expect(await inspector().rootVolume(REGION, HOST, signal)).toBeUndefined();
  });

  it('takes no log group for another whose name begins alike', async () => {
    const named = (...names: readonly string[]) => ({
      body: { logGroups: names.map((logGroupName) => ({ logGroupName })) },
    });
    aws.endpoint.script(() => named('/aws/ec2/enclave/enc_10'));
    expect(await inspector().logGroup(REGION, 'enc_1', signal)).toEqual({ exists: false });
    aws.endpoint.script(() => named('/aws/ec2/enclave/enc_10', '/aws/ec2/enclave/enc_1'));
    const found = { exists: true, retentionDays: null, kmsKeyArn: null };
    expect(await inspector().logGroup(REGION, 'enc_1', signal)).toEqual(found);
  });

  it('reads a role by its name, and no policy of one that has too many', async () => {
    const RoleName = resourceName('instance-role', 'enc_1');
    const script = (truncated: boolean) =>
      aws.endpoint.script(({ operation }) => {
        if (operation === 'GetRole')
          return iam(operation, '<Role><AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument></Role>');
        if (operation === 'ListAttachedRolePolicies')
          return iam(operation, '<AttachedPolicies><member><PolicyArn>arn:p</PolicyArn></member></AttachedPolicies>');
        if (operation === 'ListRolePolicies')
          return iam(
            operation,
            `<PolicyNames><member>own</member></PolicyNames><IsTruncated>${truncated}</IsTruncated>`,
          );
        return iam(operation, '<PolicyDocument>%7B%22Version%22%3A1%7D</PolicyDocument>');
      });
    script(false);
    const role = await inspector().role('enc_1', signal);
    expect(role).toEqual({ trust: '{}', attachedArns: ['arn:p'], inline: { own: '{"Version":1}' } });
    expect(aws.inputs().every((input) => input.RoleName === RoleName)).toBe(true);
    script(true);
    await expect(inspector().role('enc_1', signal)).rejects.toMatchObject({ class: 'Terminal' });
    expect(operations()).not.toContain('GetRolePolicy');
  });

  it('throws what is denied, by the kind of its error', async () => {
    aws.endpoint.script(() => xmlError('UnauthorizedOperation', 'no', 403));
    const denied = { class: 'Blocked', operation: 'ec2:DescribeInstanceAttribute' };
    await expect(inspector().instanceAttributes(REGION, HOST, signal)).rejects.toMatchObject(denied);
    await expect(inspector().rules(REGION, 'sg-1', signal)).rejects.toMatchObject({ class: 'Blocked' });
  });
});
