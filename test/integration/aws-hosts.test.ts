/** EC2 and SSM, before an endpoint that answers as AWS documents. */
import { describe, expect, it } from 'vitest';
import { awsAtEndpoint, jsonError, xmlError } from '../support/memory-endpoint.ts';

const aws = awsAtEndpoint({ prefix: 'p', accountId: '123456789012', cluster: 'c', environment: 'dev' });

describe('EC2 and SSM', () => {
  const instance = (id: string, enclaveId: string, { environment = 'dev', state = 'running' } = {}) =>
    `<item><instancesSet><item><instanceId>${id}</instanceId><instanceState><name>${state}</name></instanceState>` +
    '<launchTime>2030-01-01T00:00:00.000Z</launchTime><tagSet>' +
    `<item><key>EnclaveId</key><value>${enclaveId}</value></item>` +
    `<item><key>Environment</key><value>${environment}</value></item></tagSet></item></instancesSet></item>`;
  const answer = (instances: string, nextToken = '') => ({
    body:
      `<DescribeInstancesResponse><reservationSet>${instances}</reservationSet>` +
      `${nextToken ? `<nextToken>${nextToken}</nextToken>` : ''}</DescribeInstancesResponse>`,
  });
  const host = (instanceId: string, enclaveId: string, state = 'running') => ({
    instanceId,
    enclaveId,
    environment: 'dev',
    state,
    launchedAt: '2030-01-01T00:00:00.000Z',
    posture: { profile: null, publicIp: null, tags: { EnclaveId: enclaveId, Environment: 'dev' } },
  });

  it('sweeps all pages, by tag, without terminated hosts and those of another environment', async () => {
    aws.endpoint.script((_, index) =>
      index === 0
        ? answer(instance('i-1', 'a') + instance('i-2', 'b', { environment: 'prod' }), 'more')
        : answer(instance('i-3', 'c', { state: 'stopped' }) + instance('i-4', 'd', { state: 'terminated' })),
    );
    const pages: unknown[] = [];
    for await (const page of aws.ports.hosts.sweep('eu-west-1', new AbortController().signal)) pages.push(page);
    expect(pages).toEqual([[host('i-1', 'a')], [host('i-3', 'c', 'stopped')]]);
    expect(aws.inputs()[0]).toMatchObject({
      MaxResults: '1000',
      'Filter.1.Name': 'tag-key',
      'Filter.1.Value.1': 'EnclaveId',
      'Filter.2.Name': 'tag:Environment',
      'Filter.2.Value.1': 'dev',
      'Filter.3.Name': 'instance-state-name',
      'Filter.3.Value.1': 'pending',
      'Filter.3.Value.5': 'shutting-down',
    });
    expect(aws.inputs()[1]).toMatchObject({ NextToken: 'more' });
  });

  it('shows the rest of what the answer tells of a host, and of what it does not, nothing', async () => {
    const told =
      '<instanceType>m6i.xlarge</instanceType><imageId>ami-1</imageId><ipAddress>192.0.2.1</ipAddress>' +
      '<groupSet><item><groupId>sg-1</groupId><groupName>own</groupName></item></groupSet>' +
      '<iamInstanceProfile><arn>arn:aws:iam::1:instance-profile/treza/own</arn></iamInstanceProfile>' +
      '<enclaveOptions><enabled>false</enabled></enclaveOptions><metadataOptions><httpTokens>optional</httpTokens>' +
      '<httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint></metadataOptions>';
    aws.endpoint.script(() => answer(instance('i-1', 'a').replace('<launchTime>', `${told}<launchTime>`)));
    expect((await aws.ports.hosts.byInstanceId('us-west-2', 'i-1'))?.posture).toEqual({
      instanceType: 'm6i.xlarge',
      amiId: 'ami-1',
      enclavesEnabled: false,
      profile: 'own',
      groups: [{ id: 'sg-1', name: 'own' }],
      tags: { EnclaveId: 'a', Environment: 'dev' },
      metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 2 },
      publicIp: '192.0.2.1',
    });
    aws.endpoint.script(() => answer(instance('i-1', 'a')));
    const { posture } = (await aws.ports.hosts.byInstanceId('us-west-2', 'i-1')) ?? {};
    expect([posture?.instanceType, posture?.enclavesEnabled, posture?.groups, posture?.metadata]).toEqual(
      Array(4).fill(undefined),
    );
  });

  it('throws on a sweep that fails half-way, and on a host it does not understand', async () => {
    const sweep = async () => {
      for await (const _ of aws.ports.hosts.sweep('us-west-2', new AbortController().signal)) {
        // Each page is well-formed until the failure.
      }
    };
    aws.endpoint.script((_, index) =>
      index === 0 ? answer(instance('i-1', 'a'), 'more') : xmlError('UnauthorizedOperation', 'no', 403),
    );
    await expect(sweep()).rejects.toMatchObject({ class: 'Blocked' });
    aws.endpoint.script(() => answer(instance('i-1', 'a', { state: 'dreaming' })));
    await expect(sweep()).rejects.toMatchObject({ class: 'Transient' });
  });

  describe('the status of hosts', () => {
    const status = (id: string, more = '') =>
      `<item><instanceId>${id}</instanceId><instanceState><name>running</name></instanceState>${more}` +
      '<systemStatus><status>impaired</status></systemStatus><instanceStatus><status>ok</status></instanceStatus></item>';
    const told = (items: string, nextToken = '') => ({
      body:
        `<DescribeInstanceStatusResponse><instanceStatusSet>${items}</instanceStatusSet>` +
        `${nextToken ? `<nextToken>${nextToken}</nextToken>` : ''}</DescribeInstanceStatusResponse>`,
    });
    const ids = (count: number) => Array.from({ length: count }, (_, n) => `i-${n}`);
    const ask = async (asked: readonly string[]) => {
      const found: string[] = [];
      for await (const page of aws.ports.hosts.status('us-west-2', asked, new AbortController().signal)) {
        found.push(...page.map(({ instanceId }) => instanceId));
      }
      return found;
    };
    const byId = (input: object) => Object.keys(input).filter((key) => key.startsWith('InstanceId.')).length;

    it('is asked by id where they are few, stopped ones too, and shows checks and events', async () => {
      const event =
        '<eventsSet><item><code>instance-retirement</code><description>Degraded hardware</description>' +
        '<notBefore>2030-01-02T00:00:00.000Z</notBefore></item></eventsSet>';
      aws.endpoint.script(() => told(status('i-0', event) + status('i-of-another')));
      const pages: unknown[] = [];
      for await (const page of aws.ports.hosts.status('us-west-2', ['i-0'], new AbortController().signal))
        pages.push(page);
      const code = 'instance-retirement';
      const notBefore = '2030-01-02T00:00:00.000Z';
      expect(pages).toEqual([
        [
          {
            instanceId: 'i-0',
            checks: { system: 'impaired', instance: 'ok' },
            events: [{ code, description: 'Degraded hardware', notBefore }],
          },
        ],
      ]);
      expect(aws.inputs()[0]).toMatchObject({ 'InstanceId.1': 'i-0', IncludeAllInstances: 'true' });
      expect(aws.inputs()[0]).not.toHaveProperty('MaxResults');
    });

    it('is paged where they are many and alone in their region: 10,000 cost 10 calls', async () => {
      aws.endpoint.script((_, index) =>
        told(
          ids(10_000)
            .slice(index * 1_000, (index + 1) * 1_000)
            .map((id) => status(id))
            .join(''),
          index < 9 ? 'more' : '',
        ),
      );
      expect((await ask(ids(10_000))).length).toBe(10_000);
      expect(aws.endpoint.requests.length).toBe(10);
      expect(aws.inputs()[1]).toMatchObject({ MaxResults: '1000', NextToken: 'more' });
    });

    it('is asked by id for the rest where most hosts of the region are not ours', async () => {
      aws.endpoint.script(({ input }) => {
        const asked = Object.entries(input).flatMap(([key, id]) => (key.startsWith('InstanceId.') ? [String(id)] : []));
        return asked.length === 0
          ? told(`${status('i-7')}${status('i-of-another')}`, 'more')
          : told(asked.map((id) => status(id)).join(''));
      });
      expect(new Set(await ask(ids(1_000)))).toEqual(new Set(ids(1_000)));
      expect(aws.inputs().map(byId)).toEqual([0, ...Array(9).fill(100), 99]);
    });

    it('gives what it has before it throws, and asks for nothing where there is nothing to ask', async () => {
      aws.endpoint.script((_, index) =>
        index === 0 ? told(status('i-0')) : xmlError('UnauthorizedOperation', 'no', 403),
      );
      const found: unknown[] = [];
      const sweep = async () => {
        for await (const page of aws.ports.hosts.status('us-west-2', ids(100), new AbortController().signal)) {
          found.push(...page);
        }
        for await (const _ of aws.ports.hosts.status('us-west-2', ids(1), new AbortController().signal));
      };
      await expect(sweep()).rejects.toMatchObject({ class: 'Blocked' });
      expect(found.length).toBe(1);
      aws.endpoint.script(() => told(''));
      expect(await ask([])).toEqual([]);
      expect(aws.endpoint.requests).toEqual([]);
    });
  });

  it("takes an enclave's id literally: wildcards are escaped, and look-alikes are left out", async () => {
    aws.endpoint.script(() => answer(instance('i-1', 'ab') + instance('i-2', 'a*')));
    expect(await aws.ports.hosts.find('us-west-2', 'a*')).toEqual([host('i-2', 'a*')]);
    expect(aws.inputs()[0]).toMatchObject({ 'Filter.1.Name': 'tag:EnclaveId', 'Filter.1.Value.1': 'a\\*' });
  });

  it('does not ask about ids no tag can hold', async () => {
    expect(await aws.ports.hosts.find('us-west-2', 'e'.repeat(300))).toEqual([]);
    expect(await aws.ports.hosts.find('us-west-2', '')).toEqual([]);
    expect(await aws.ports.hosts.byInstanceId('us-west-2', '')).toBeUndefined();
    expect(aws.endpoint.requests).toEqual([]);
  });

  it.each(['InvalidInstanceID.NotFound', 'InvalidInstanceID.Malformed'])('a host is gone by %s', async (code) => {
    aws.endpoint.script(() => xmlError(code));
    expect(await aws.ports.hosts.byInstanceId('us-west-2', 'i-1')).toBeUndefined();
  });

  it('finds one host by its id, terminated or foreign too', async () => {
    aws.endpoint.script(() => answer(instance('i-1', 'a', { state: 'terminated' })));
    expect(await aws.ports.hosts.byInstanceId('us-west-2', 'i-1')).toEqual(host('i-1', 'a', 'terminated'));
    expect(aws.inputs()[0]).toMatchObject({ 'InstanceId.1': 'i-1' });
  });

  it('starts and stops one host, and says when its state forbids it', async () => {
    aws.endpoint.script(() => ({ body: '<StartInstancesResponse/>' }));
    await aws.ports.hosts.start('us-west-2', 'i-1');
    await aws.ports.hosts.stop('us-west-2', 'i-1');
    expect(aws.endpoint.requests.map(({ operation, input }) => [operation, input['InstanceId.1']])).toEqual([
      ['StartInstances', 'i-1'],
      ['StopInstances', 'i-1'],
    ]);
    aws.endpoint.script(() => xmlError('IncorrectInstanceState'));
    await expect(aws.ports.hosts.start('us-west-2', 'i-1')).rejects.toMatchObject({ class: 'Conflict' });
    aws.endpoint.script(() => xmlError('RequestLimitExceeded', 'slow', 503));
    await expect(aws.ports.hosts.stop('us-west-2', 'i-1')).rejects.toMatchObject({ class: 'Throttled' });
  });

  it("restarts an enclave by a document of fixed commands, without a word of the record's", async () => {
    aws.endpoint.script(() => ({ body: { Command: {} } }));
    await aws.ports.hosts.restartEnclave('us-west-2', 'i-1');
    expect(aws.endpoint.requests).toEqual([
      { operation: 'SendCommand', input: { DocumentName: 'p-restart-enclave', InstanceIds: ['i-1'] } },
    ]);
    aws.endpoint.script(() => jsonError('InvalidInstanceId'));
    await expect(aws.ports.hosts.restartEnclave('us-west-2', 'i-1')).rejects.toMatchObject({ class: 'Transient' });
  });

  it('asks a host to report where SSM hears of it, and says so where it does not', async () => {
    const online = { InstanceInformationList: [{ InstanceId: 'i-1', PingStatus: 'Online' }] };
    aws.endpoint.script((_, index) => ({ body: index === 0 ? online : { Command: {} } }));
    expect(await aws.ports.hosts.askToReport('us-west-2', 'i-1')).toBe('asked');
    expect(aws.endpoint.requests).toEqual([
      {
        operation: 'DescribeInstanceInformation',
        input: { Filters: [{ Key: 'InstanceIds', Values: ['i-1'] }], MaxResults: 5 },
      },
      { operation: 'SendCommand', input: { DocumentName: 'p-report-now', InstanceIds: ['i-1'] } },
    ]);
    for (const list of [
      [],
      [{ InstanceId: 'i-1', PingStatus: 'ConnectionLost' }],
      [{ InstanceId: 'i-2', PingStatus: 'Online' }],
    ]) {
      aws.endpoint.script(() => ({ body: { InstanceInformationList: list } }));
      expect(await aws.ports.hosts.askToReport('us-west-2', 'i-1')).toBe('unreachable');
    }
    aws.endpoint.script(() => jsonError('AccessDeniedException'));
    await expect(aws.ports.hosts.askToReport('us-west-2', 'i-1')).rejects.toMatchObject({ class: 'Blocked' });
  });
});
