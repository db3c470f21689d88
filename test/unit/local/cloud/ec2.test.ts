/** The simulated EC2 and SSM, asked by the SDK's ordinary clients over HTTP. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  EC2Client,
  type Filter,
  paginateDescribeInstances,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { SendCommandCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Cloud, createCloud } from '../../../../src/local/cloud/index.ts';
import { seededRandom, VirtualClock } from '../../../support/virtual-clock.ts';

const REGION = 'us-west-2';

describe('EC2 and SSM by their SDK clients', () => {
  let cloud: Cloud;
  let clock: VirtualClock;
  let server: Server;
  let ec2: EC2Client;
  let ssm: SSMClient;
  let elsewhere: EC2Client;

  beforeEach(async () => {
    clock = new VirtualClock();
    const silent = () => undefined;
    cloud = createCloud({
      clock,
      random: seededRandom(1),
      log: { debug: silent, info: silent, warn: silent, error: silent },
      region: REGION,
      environment: 'dev',
      speed: 1,
      writeReport: async () => undefined,
    });
    await cloud.start();
    server = createServer(async (incoming, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const taken = await cloud.handle(
        {
          method: incoming.method ?? 'GET',
          url: new URL(incoming.url ?? '/', 'http://127.0.0.1'),
          headers: incoming.headers as Record<string, string | undefined>,
          body: Buffer.concat(chunks).toString('utf8'),
        },
        response,
      );
      if (!taken) response.writeHead(404).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const options = { endpoint, credentials: { accessKeyId: 'local', secretAccessKey: 'local' }, maxAttempts: 1 };
    ec2 = new EC2Client({ ...options, region: REGION });
    elsewhere = new EC2Client({ ...options, region: 'eu-west-1' });
    ssm = new SSMClient({ ...options, region: REGION });
  });
  afterEach(async () => {
    await cloud.stop();
    for (const client of [ec2, elsewhere, ssm]) client.destroy();
    server.close();
    server.closeAllConnections();
  });

  const place = (enclaveId: string, tags: Record<string, string> = {}, region = REGION) =>
    cloud.core.hosts.place({
      region,
      enclaveId,
      instanceType: 'm6i.xlarge',
      architecture: 'x86_64',
      amiId: 'ami-0abc',
      tags: { EnclaveId: enclaveId, Environment: 'dev', ...tags },
      hasAgent: true,
    });
  const ids = async (filters: Filter[]) => {
    const answer = await ec2.send(new DescribeInstancesCommand({ Filters: filters }));
    return (answer.Reservations ?? []).flatMap((each) => each.Instances ?? []).map((each) => each.InstanceId);
  };
  const code = async (call: Promise<unknown>) =>
    call.then(
      () => 'no error',
      (error: Error) => error.name,
    );

  it('describes a host as EC2 does', async () => {
    const hostile = `<&>"' \${x} ünï😀`;
    const host = place('a', { Name: hostile });
    const answer = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [host.instanceId] }));
    const instance = answer.Reservations?.[0]?.Instances?.[0];
    expect(instance).toMatchObject({
      InstanceId: host.instanceId,
      State: { Name: 'running', Code: 16 },
      InstanceType: 'm6i.xlarge',
      ImageId: 'ami-0abc',
      Architecture: 'x86_64',
      EnclaveOptions: { Enabled: true },
      LaunchTime: new Date(clock.now()),
    });
    expect(Object.fromEntries(instance?.Tags?.map(({ Key, Value }) => [Key, Value]) ?? [])).toEqual(host.tags);
  });

  it('filters by tag, tag key, state; wildcards and their escapes', async () => {
    const [a, b, star] = [place('a'), place('b', { Environment: 'prod' }), place('a*')];
    cloud.core.hosts.stop(b.instanceId);
    const all = [a, b, star].map(({ instanceId }) => instanceId);
    const sorted = (list: (string | undefined)[]) => [...list].sort();
    expect(sorted(await ids([{ Name: 'tag-key', Values: ['EnclaveId'] }]))).toEqual(sorted(all));
    expect(await ids([{ Name: 'tag:EnclaveId', Values: ['b'] }])).toEqual([b.instanceId]);
    expect(await ids([{ Name: 'tag:Environment', Values: ['prod', 'test'] }])).toEqual([b.instanceId]);
    expect(await ids([{ Name: 'instance-state-name', Values: ['stopping'] }])).toEqual([b.instanceId]);
    expect(sorted(await ids([{ Name: 'tag:EnclaveId', Values: ['a*'] }]))).toEqual(
      sorted([a.instanceId, star.instanceId]),
    );
    expect(await ids([{ Name: 'tag:EnclaveId', Values: ['a\\*'] }])).toEqual([star.instanceId]);
    expect(await ids([{ Name: 'tag:Nothing', Values: ['x'] }])).toEqual([]);
    expect(await code(ids([{ Name: 'no-such-filter', Values: ['x'] }]))).toBe('InvalidParameterValue');
  });

  it('pages through many hosts, each exactly once, while hosts come and go', async () => {
    const placed = Array.from({ length: 23 }, (_, index) => place(`e${index}`).instanceId);
    const seen: (string | undefined)[] = [];
    let pages = 0;
    for await (const page of paginateDescribeInstances({ client: ec2, pageSize: 10 }, {})) {
      pages += 1;
      seen.push(...(page.Reservations ?? []).flatMap((each) => each.Instances ?? []).map((each) => each.InstanceId));
      if (pages === 1) place('newcomer');
    }
    expect(pages).toBe(3);
    expect(new Set(seen).size).toBe(seen.length);
    for (const id of placed) expect(seen).toContain(id);
  });

  it('knows hosts of one region in that region only', async () => {
    const host = place('a', {}, 'eu-west-1');
    expect(await ids([])).toEqual([]);
    const answer = await elsewhere.send(new DescribeInstancesCommand({}));
    expect(answer.Reservations?.[0]?.Instances?.[0]?.InstanceId).toBe(host.instanceId);
  });

  it('says that a host does not exist, or that the id is none', async () => {
    const describeOne = (id: string) => ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
    expect(await code(describeOne('i-00000000000000000'))).toBe('InvalidInstanceID.NotFound');
    expect(await code(describeOne('nonsense'))).toBe('InvalidInstanceID.Malformed');
    const { instanceId } = place('a');
    expect(await code(ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId], MaxResults: 5 })))).toBe(
      'InvalidParameterCombination',
    );
  });

  it('stops, starts and terminates, through the states between', async () => {
    const { instanceId } = place('a');
    const InstanceIds = [instanceId];
    const stopped = await ec2.send(new StopInstancesCommand({ InstanceIds }));
    expect(stopped.StoppingInstances?.[0]).toMatchObject({
      InstanceId: instanceId,
      CurrentState: { Name: 'stopping' },
      PreviousState: { Name: 'running' },
    });
    expect(await code(ec2.send(new StartInstancesCommand({ InstanceIds })))).toBe('IncorrectInstanceState');
    await clock.advance(60_000);
    expect(cloud.core.hosts.get(instanceId)?.state).toBe('stopped');
    const started = await ec2.send(new StartInstancesCommand({ InstanceIds }));
    expect(started.StartingInstances?.[0]?.CurrentState?.Name).toBe('pending');
    await clock.advance(60_000);
    expect(cloud.core.hosts.get(instanceId)?.state).toBe('running');
    await ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    await clock.advance(60_000);
    expect(cloud.core.hosts.get(instanceId)?.state).toBe('terminated');
    expect(await code(ec2.send(new StartInstancesCommand({ InstanceIds })))).toBe('IncorrectInstanceState');
    expect(await code(ec2.send(new StopInstancesCommand({ InstanceIds })))).toBe('IncorrectInstanceState');
  });

  it('touches no host when one of several does not exist', async () => {
    const { instanceId } = place('a');
    const call = ec2.send(new StopInstancesCommand({ InstanceIds: [instanceId, 'i-00000000000000000'] }));
    expect(await code(call)).toBe('InvalidInstanceID.NotFound');
    expect(cloud.core.hosts.get(instanceId)?.state).toBe('running');
  });

  it('describes status of running hosts, or of all', async () => {
    const { instanceId } = place('a');
    cloud.core.hosts.stop(instanceId);
    place('b');
    const states = async (IncludeAllInstances: boolean) =>
      (await ec2.send(new DescribeInstanceStatusCommand({ IncludeAllInstances }))).InstanceStatuses?.map(
        (each) => each.InstanceState?.Name,
      ).sort();
    expect(await states(false)).toEqual(['running']);
    expect(await states(true)).toEqual(['running', 'stopping']);
  });

  it('finds a security group by its name', async () => {
    const fields = { region: REGION, enclaveId: 'a', attributes: {} };
    const group = cloud.core.resources.create({ ...fields, type: 'aws_security_group', name: 'treza-enclave-sg-a' });
    cloud.core.resources.create({ ...fields, type: 'aws_security_group', name: 'other' });
    const find = async (name: string) => {
      const Filters = [{ Name: 'group-name', Values: [name] }];
      return (await ec2.send(new DescribeSecurityGroupsCommand({ Filters }))).SecurityGroups?.map(
        (each) => each.GroupId,
      );
    };
    expect(await find('treza-enclave-sg-a')).toEqual([group.id]);
    expect(await find('treza-enclave-sg-b')).toEqual([]);
  });

  it('fails as often as ordered', async () => {
    cloud.core.faults.ec2.set('DescribeInstances', { times: 1, code: 'RequestLimitExceeded', message: 'slow' });
    expect(await code(ids([]))).toBe('RequestLimitExceeded');
    expect(await code(ids([]))).toBe('no error');
  });

  it('commands an agent through SSM, where one listens', async () => {
    const { instanceId } = place('a');
    await clock.advance(60_000);
    const send = (document: string, id: string) =>
      ssm.send(new SendCommandCommand({ DocumentName: document, InstanceIds: [id] }));
    const answer = await send('treza-dev-restart-enclave', instanceId);
    expect(answer.Command).toMatchObject({ Status: 'Pending', InstanceIds: [instanceId] });
    expect(cloud.core.hosts.get(instanceId)?.agent?.stage).toBe('starting');
    expect(await code(send('treza-dev-format-disk', instanceId))).toBe('InvalidDocument');
    cloud.core.hosts.stop(instanceId);
    expect(await code(send('treza-dev-restart-enclave', instanceId))).toBe('InvalidInstanceId');
  });
});
