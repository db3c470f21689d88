/** Where a new host goes and what it boots from, with scripted answers of AWS. */
import { describe, expect, it } from 'vitest';
import type { AwsClients } from '../../../runner/src/aws/clients.ts';
import { choose, chooseForDestroy, chooseSubnet } from '../../../runner/src/aws/placement.ts';
import type { RunVariables } from '../../../src/enclave/items/run.ts';

const facts = {
  vpcId: 'vpc-1',
  vpcCidr: '10.0.0.0/16',
  subnets: [
    { id: 'subnet-c', zone: 'us-west-2c' },
    { id: 'subnet-a', zone: 'us-west-2a' },
    { id: 'subnet-b', zone: 'us-west-2b' },
  ],
  prefixListIds: [],
  configurationBucket: 'configuration',
};

function awsWith(answers: { zones?: readonly string[]; ami?: string; keyId?: string }) {
  const asked: string[] = [];
  const { zones = ['us-west-2a', 'us-west-2b'], ami = 'ami-00000000000000001' } = answers;
  const named = (name: string) => Object.assign(new Error(name), { name });
  const clients = {
    ec2: { send: async () => ({ InstanceTypeOfferings: zones.map((Location) => ({ Location })) }) },
    ssm: {
      async send({ input }: { input: { Name: string } }) {
        asked.push(input.Name);
        if (ami === '') throw named('ParameterNotFound');
        return { Parameter: { Value: ami } };
      },
    },
    kms: {
      async send() {
        if (answers.keyId === undefined) throw named('NotFoundException');
        return { KeyMetadata: { KeyId: answers.keyId, KeyState: 'Enabled' } };
      },
    },
  };
  return { clients: clients as unknown as AwsClients, asked };
}

const variables = (more: Partial<RunVariables> = {}, host: object = {}, instanceType = 'm6i.xlarge'): RunVariables => ({
  region: 'us-west-2',
  environment: 'dev',
  stateKey: 'k',
  stackVersion: 1,
  walletAddress: '',
  generation: 1,
  spec: { instanceType, host },
  pinned: {},
  ...more,
});
const present = { subnetId: 'subnet-old', amiId: 'ami-old' };

describe('the subnet of a new host', () => {
  it('is one whose zone offers the type, the same one each time', async () => {
    const { clients } = awsWith({});
    const chosen = await chooseSubnet(clients, 'enc_1', 'm6i.xlarge', facts);
    expect(['subnet-a', 'subnet-b']).toContain(chosen);
    const shuffled = { ...facts, subnets: facts.subnets.toReversed() };
    expect(await chooseSubnet(clients, 'enc_1', 'm6i.xlarge', shuffled)).toBe(chosen);
  });

  it('is every one of them over many enclaves', async () => {
    const { clients } = awsWith({});
    const chosen = new Set<string>();
    for (let n = 0; n < 20; n += 1) chosen.add(await chooseSubnet(clients, `enc_${n}`, 'm6i.xlarge', facts));
    expect([...chosen].sort()).toEqual(['subnet-a', 'subnet-b']);
  });

  it('is none where no zone of ours offers the type', async () => {
    await expect(chooseSubnet(awsWith({ zones: ['us-west-2d'] }).clients, 'e', 'm6i.xlarge', facts)).rejects.toThrow(
      "in the zones of the platform's subnets (us-west-2c, us-west-2a, us-west-2b)",
    );
    await expect(chooseSubnet(awsWith({ zones: [] }).clients, 'e', 'm6i.xlarge', facts)).rejects.toThrow(
      'in this region',
    );
  });
});

describe('what is chosen', () => {
  it('for a new host is resolved now, by architecture', async () => {
    const { clients, asked } = awsWith({});
    expect(await choose(clients, 'e', variables(), facts, undefined)).toMatchObject({ amiId: 'ami-00000000000000001' });
    await choose(clients, 'e', variables({}, {}, 'm6g.xlarge'), facts, undefined);
    expect(asked.map((name) => name.split('-').at(-1))).toEqual(['x86_64', 'arm64']);
  });

  it('for a host that exists stays as it is', async () => {
    const { clients, asked } = awsWith({ keyId: 'key-1' });
    const pinned = variables({ pinned: { amiId: 'ami-pinned' } });
    expect(await choose(clients, 'e', variables(), facts, present)).toEqual({ ...present, hasKey: true });
    expect(await choose(clients, 'e', pinned, facts, present)).toMatchObject({ amiId: 'ami-pinned' });
    expect(asked).toEqual([]);
  });

  it('is chosen anew for a replacement, and where the host is gone', async () => {
    const { clients } = awsWith({});
    const pinned = { pinned: { amiId: 'ami-pinned' } };
    const fresh = { amiId: 'ami-00000000000000001', hasKey: false };
    const wanted = variables({ ...pinned, change: 'replace', generation: 2 });
    expect(await choose(clients, 'e', wanted, facts, present)).toMatchObject(fresh);
    expect(await choose(clients, 'e', wanted, facts, { ...present, generation: '1' })).toMatchObject(fresh);
    expect(await choose(clients, 'e', variables(pinned), facts, undefined)).toMatchObject(fresh);
  });

  it('is kept where the host that exists was made by an earlier try of this very replacement', async () => {
    const { clients, asked } = awsWith({});
    const wanted = variables({ change: 'replace', generation: 2 });
    expect(await choose(clients, 'e', wanted, facts, { ...present, generation: '2' })).toMatchObject(present);
    expect(asked).toEqual([]);
  });

  it('is chosen anew where a repair is to replace this very host, and once', async () => {
    const { clients } = awsWith({});
    const wanted = variables({ change: 'replace', generation: 2, replaces: 'i-1' });
    const found = { ...present, generation: '2' };
    const fresh = { amiId: 'ami-00000000000000001' };
    expect(await choose(clients, 'e', wanted, facts, { ...found, instanceId: 'i-1' })).toMatchObject(fresh);
    expect(await choose(clients, 'e', wanted, facts, { ...found, instanceId: 'i-2' })).toMatchObject(present);
  });

  it('is what the spec names, whatever else there is', async () => {
    const { clients, asked } = awsWith({});
    const host = { amiId: 'ami-named', subnetId: 'subnet-named' };
    expect(await choose(clients, 'e', variables({}, host), facts, present)).toMatchObject(host);
    await choose(clients, 'e', variables({}, { amiSsmParameter: '/images/mine' }), facts, undefined);
    expect(asked).toEqual(['/images/mine']);
  });

  it('for a destroy is what is there, and something where the host is gone', async () => {
    const { clients, asked } = awsWith({ keyId: 'key-1' });
    expect(await chooseForDestroy(clients, 'e', present)).toEqual({ ...present, hasKey: true });
    expect(await chooseForDestroy(clients, 'e', undefined)).toEqual({ subnetId: 'none', amiId: 'none', hasKey: true });
    expect(asked).toEqual([]);
  });

  it.each([
    ['does not exist', ''],
    ['holds no id', 'not-an-ami'],
  ])('is refused where the parameter %s', async (says, ami) => {
    await expect(choose(awsWith({ ami }).clients, 'e', variables(), facts, undefined)).rejects.toThrow(says);
  });
});
