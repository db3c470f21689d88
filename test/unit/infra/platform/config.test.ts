/** The platform's configuration: what is wrong is named, with its reason and its fix. */
import { describe, expect, it } from 'vitest';
import { dev } from '../../../../infra/platform/environments/dev.ts';
import { ENVIRONMENT_NAMES, environmentConfig, parseConfig, placed } from '../../../../infra/platform/index.ts';
import type { JsonMap } from '../../../../src/enclave/json.ts';
import { ACCOUNT, build } from '../../../support/platform.ts';

const network = (more: JsonMap = {}) => ({
  kind: 'new',
  cidr: '10.20.0.0/16',
  zones: ['us-west-2a', 'us-west-2b'],
  nat: 'one',
  interfaceEndpoints: false,
  ...more,
});
const withNetwork = (more: JsonMap) => ({ ...dev, regions: { 'us-west-2': { network: network(more) } } });
const refused = (input: unknown) => {
  try {
    parseConfig(input, 'test');
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};

describe('a platform configuration', () => {
  it('is valid for every environment', () => {
    expect(ENVIRONMENT_NAMES).toEqual(['dev', 'staging', 'prod']);
    for (const name of ENVIRONMENT_NAMES) expect(environmentConfig(name).environment).toBe(name);
  });

  it.each([
    { reason: 'an unknown field', input: { ...dev, regoin: 'x' }, says: 'regoin' },
    { reason: 'a missing field', input: { ...dev, prefix: undefined }, says: 'prefix: ' },
    { reason: 'the home region without a network', input: { ...dev, region: 'eu-west-1' }, says: 'lacks eu-west-1' },
    { reason: 'one zone', input: withNetwork({ zones: ['us-west-2a'] }), says: 'zones: two or three zones' },
    { reason: 'a zone twice', input: withNetwork({ zones: ['us-west-2a', 'us-west-2a'] }), says: 'names a zone twice' },
    {
      reason: 'a zone of another region',
      input: withNetwork({ zones: ['us-west-2a', 'us-east-1a'] }),
      says: 'zone us-east-1a is not in us-west-2',
    },
    { reason: 'a public range', input: withNetwork({ cidr: '8.8.0.0/16' }), says: 'cidr: a private /16' },
    { reason: 'no way out', input: withNetwork({ nat: 'none' }), says: 'network.nat' },
    {
      reason: 'another partition',
      input: {
        ...dev,
        regions: { ...dev.regions, 'cn-north-1': { network: network({ zones: ['cn-north-1a', 'cn-north-1b'] }) } },
      },
      says: 'another partition',
    },
    { reason: 'a long prefix', input: { ...dev, prefix: 'treza-development-one' + 'x' }, says: 'prefix: at most 21' },
    {
      reason: 'too little memory for Terraform',
      input: { ...dev, runner: { cpu: 512, memoryMiB: 1024 } },
      says: 'runner.memoryMiB: at least 2,048 MiB',
    },
    {
      reason: 'more regions than policies fit',
      input: {
        ...dev,
        regions: Object.fromEntries(
          [...Array(11)].map((_, n) => [
            n === 0 ? 'us-west-2' : `eu-x${'abcdefghijk'[n]}-1`,
            {
              network: {
                kind: 'existing',
                vpcId: 'vpc-0123abcd',
                cidr: '10.0.0.0/16',
                subnets: [{ id: 'subnet-0123abcd', zone: n === 0 ? 'us-west-2a' : `eu-x${'abcdefghijk'[n]}-1a` }],
              },
            },
          ]),
        ),
      },
      says: 'regions: has more than 10',
    },
  ])('refuses $reason', ({ input, says }) => {
    expect(refused(input)).toContain(says);
  });

  it('has no operator look up attestations unless it says so', () => {
    expect(parseConfig(dev, 'test').operator.attestationTrail).toBe(false);
    const operator = { ...dev.operator, attestationTrail: 'yes' };
    expect(refused({ ...dev, operator })).toContain('operator.attestationTrail');
  });

  it('names every wrong field at once', () => {
    const message = refused({ ...dev, prefix: 'X', logRetentionDays: 3 });
    expect(message).toContain('prefix');
    expect(message).toContain('logRetentionDays');
  });

  it('names the environment that was meant', () => {
    expect(() => environmentConfig('pord')).toThrow('did you mean prod?');
    expect(() => environmentConfig('__proto__')).toThrow('there is no environment');
  });

  it('refuses the credentials of another account', () => {
    const config = parseConfig({ ...dev, accountId: '210987654321' }, 'test');
    expect(() => placed(config, ACCOUNT)).toThrow(/belongs to account 210987654321.*AWS_PROFILE/);
    expect(() => placed(config, '12')).toThrow('12 digits');
  });

  it('refuses to adopt what it cannot import', () => {
    const config = placed(parseConfig({ ...dev, adopt: ['aws_vpc.vpc'] }, 'test'), ACCOUNT);
    expect(() => build(config)).toThrow(/adopt names aws_vpc.vpc.*use aws_dynamodb_table.enclaves-table/);
  });
});
