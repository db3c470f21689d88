/** What surrounds hosts, before an endpoint that answers as AWS documents: pages, filters, and what is refused. */
import { describe, expect, it } from 'vitest';
import { collect } from '../support/conformance-harness.ts';
import { awsAtEndpoint, jsonError, xmlError } from '../support/memory-endpoint.ts';

const aws = awsAtEndpoint({ environment: 'dev' });
const { signal } = new AbortController();
const ARN = 'arn:aws:kms:eu-west-1:111122223333:key/k';

describe('surroundings', () => {
  it('groups are asked for by tag, a thousand a page, to the last page', async () => {
    const group = (id: string) =>
      `<item><groupId>${id}</groupId><ownerId>1</ownerId><tagSet><item><key>EnclaveId</key><value>a</value></item></tagSet>` +
      '<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>1</fromPort><toPort>2</toPort><groups>' +
      '<item><groupId>sg-9</groupId><userId>1</userId></item><item><groupId>sg-8</groupId><userId>2</userId></item>' +
      '</groups><prefixListIds><item><prefixListId>pl-1</prefixListId></item></prefixListIds></item></ipPermissions></item>';
    const answer = (id: string, more: string) => ({
      body: `<DescribeSecurityGroupsResponse><securityGroupInfo>${group(id)}</securityGroupInfo>${more}</DescribeSecurityGroupsResponse>`,
    });
    aws.endpoint.script((_, index) => (index === 0 ? answer('sg-1', '<nextToken>n</nextToken>') : answer('sg-2', '')));
    const groups = await collect((within) => aws.ports.surroundings.groups('us-west-2', within));
    expect(groups.map(({ groupId }) => groupId)).toEqual(['sg-1', 'sg-2']);
    expect(groups[0]?.rules.map(({ peer }) => peer)).toEqual(['pl-1', 'sg-9', '2/sg-8']);
    expect(aws.inputs()[0]).toMatchObject({
      MaxResults: '1000',
      'Filter.1.Name': 'tag-key',
      'Filter.1.Value.1': 'EnclaveId',
      'Filter.2.Name': 'tag:Environment',
      'Filter.2.Value.1': 'dev',
    });
    expect(aws.inputs()[1]).toMatchObject({ NextToken: 'n' });
  });

  it('agents are asked for by tag, fifty a page', async () => {
    aws.endpoint.script((_, index) => ({
      body: {
        InstanceInformationList: [{ InstanceId: `i-${index}`, PingStatus: index === 0 ? 'Online' : 'ConnectionLost' }],
        ...(index === 0 ? { NextToken: 'n' } : {}),
      },
    }));
    expect(await collect((within) => aws.ports.surroundings.agents('us-west-2', within))).toEqual([
      { instanceId: 'i-0', online: true },
      { instanceId: 'i-1', online: false },
    ]);
    const Filters = [
      { Key: 'tag-key', Values: ['EnclaveId'] },
      { Key: 'tag:Environment', Values: ['dev'] },
    ];
    expect(aws.inputs()).toMatchObject([{ Filters, MaxResults: 50 }, { NextToken: 'n' }]);
  });

  it('roles come all together, and pages go on only where IAM says so', async () => {
    const answer = (more: string) => ({
      body: `<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult><RoleDetailList/>${more}</GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>`,
    });
    aws.endpoint.script((_, index) =>
      index === 0 ? answer('<IsTruncated>true</IsTruncated><Marker>m</Marker>') : answer('<Marker>not so</Marker>'),
    );
    expect(await collect((within) => aws.ports.surroundings.roles(within))).toEqual([]);
    expect(aws.inputs()).toMatchObject([{ 'Filter.member.1': 'Role', MaxItems: '1000' }, { Marker: 'm' }]);
  });

  it('a list that breaks off throws, by the kind of its error', async () => {
    aws.endpoint.script(() => xmlError('UnauthorizedOperation', 'no', 403));
    const { groups, volumes, logGroups } = aws.ports.surroundings;
    await expect(collect((within) => groups('us-west-2', within))).rejects.toMatchObject({ class: 'Blocked' });
    await expect(collect((within) => volumes('us-west-2', within))).rejects.toMatchObject({ class: 'Blocked' });
    aws.endpoint.script((_, index) =>
      index === 0 ? { body: { logGroups: [], nextToken: 'n' } } : jsonError('AccessDeniedException', 'no', 400),
    );
    await expect(collect((within) => logGroups('us-west-2', within))).rejects.toMatchObject({
      class: 'Blocked',
    });
  });

  it('of a key, what is denied is absent, and what fails otherwise is thrown', async () => {
    const described = { body: { KeyMetadata: { KeyId: 'k', Arn: ARN, KeyState: 'Enabled' } } };
    aws.endpoint.script(({ operation }) =>
      operation === 'DescribeKey' ? described : jsonError('AccessDeniedException'),
    );
    const key = (withGrants: boolean) => aws.ports.surroundings.key(ARN, withGrants, signal);
    expect(await key(true)).toEqual({ state: 'Enabled', policy: undefined, grantIds: undefined });
    expect(aws.endpoint.requests.map(({ operation }) => operation)).toEqual([
      'DescribeKey',
      'GetKeyPolicy',
      'ListGrants',
    ]);
    aws.endpoint.script(({ operation }) =>
      operation === 'GetKeyPolicy' ? { body: { Policy: '{}' } } : jsonError('AccessDeniedException'),
    );
    expect(await key(false)).toEqual({ state: undefined, policy: '{}', grantIds: undefined });
    aws.endpoint.script(() => jsonError('NotFoundException'));
    expect(await key(true)).toEqual({ state: 'Gone' });
    aws.endpoint.script(({ operation }) => (operation === 'DescribeKey' ? described : jsonError('NotFoundException')));
    await expect(key(true)).rejects.toMatchObject({ class: 'Blocked' });
  });

  it('attestations are of Decrypts that KMS allowed an enclave, whatever else was decrypted', async () => {
    const at = new Date('2026-01-01T00:00:00.000Z');
    const event = (more: object) => ({
      EventTime: at.getTime() / 1_000,
      CloudTrailEvent: JSON.stringify({ eventName: 'Decrypt', ...more }),
    });
    const recipient = {
      attestationDocumentModuleId: 'i-0123456789abcdef0-enc0123456789abcdef',
      attestationDocumentEnclaveImageDigest: 'AB'.repeat(48),
      attestationDocumentEnclavePCR1: Buffer.alloc(48, 0xcd).toString('base64'),
      attestationDocumentEnclavePCR2: 'not a register',
    };
    const pages = [
      [event({}), event({ additionalEventData: { recipient }, errorCode: 'AccessDenied' }), { CloudTrailEvent: '{' }],
      [
        event({ additionalEventData: { recipient } }),
        event({ additionalEventData: { recipient: { attestationDocumentModuleId: 'x; rm' } } }),
      ],
    ];
    aws.endpoint.script((_, index) => ({ body: { Events: pages[index], ...(index === 0 ? { NextToken: 'n' } : {}) } }));
    const time = { from: at.getTime(), until: at.getTime() + 60_000 };
    const seen = await collect((within) => aws.ports.surroundings.attestations('us-west-2', time, within));
    expect(seen).toEqual([
      {
        instanceId: 'i-0123456789abcdef0',
        at: at.getTime(),
        measurements: { pcr0: 'ab'.repeat(48), pcr1: 'cd'.repeat(48) },
      },
    ]);
    const LookupAttributes = [{ AttributeKey: 'EventName', AttributeValue: 'Decrypt' }];
    const [StartTime, EndTime] = [time.from / 1_000, time.until / 1_000];
    expect(aws.inputs()).toMatchObject([
      { LookupAttributes, StartTime, EndTime, MaxResults: 50 },
      { StartTime, EndTime, NextToken: 'n' },
    ]);
  });
});
