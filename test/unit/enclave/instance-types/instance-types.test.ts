/** The instance catalogue: what it says, how it is written, and the names it suggests. */
import { readFileSync } from 'node:fs';
import type { InstanceTypeInfo } from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { renderCatalogue, rowsOfDataFile, rowsOfReplies } from '../../../../scripts/catalogue-format.ts';
import {
  architectureOf,
  CATALOGUE_DATE,
  CATALOGUE_REGIONS,
  CATALOGUE_SOURCE,
  instanceType,
  instanceTypes,
  isOffered,
  maxEnclaveMemoryMiB,
  maxEnclaveVcpus,
  nearestInstanceType,
  smallestFit,
} from '../../../../src/enclave/instance-types/instance-types.ts';
import { nearest } from '../../../../src/enclave/nearest.ts';

describe('the catalogue', () => {
  it('counts what its source counts', () => {
    const all = [...instanceTypes()];
    expect([all.length, all.filter((type) => type.enclaves).length]).toEqual([1_373, 927]);
    expect(CATALOGUE_REGIONS).toHaveLength(30);
  });

  it.each([
    ['m6i.xlarge', { vcpus: 4, memoryMiB: 16_384, arch: 'x86_64', threadsPerCore: 2, enclaves: true }, 2],
    ['m6i.2xlarge', { vcpus: 8, memoryMiB: 32_768, enclaves: true }, 6],
    ['c5.xlarge', { vcpus: 4, memoryMiB: 8_192, enclaves: true }, 2],
    ['m6g.large', { vcpus: 2, memoryMiB: 8_192, arch: 'arm64', threadsPerCore: 1, enclaves: true }, 1],
    ['m7a.xlarge', { vcpus: 4, memoryMiB: 16_384, threadsPerCore: 1, enclaves: true }, 3],
    ['m8a.large', { vcpus: 2, memoryMiB: 8_192, threadsPerCore: 1, enclaves: true }, 1],
  ])('%s', (name, facts, most) => {
    const type = instanceType(name);
    expect(type).toMatchObject(facts);
    expect(type && maxEnclaveVcpus(type)).toBe(most);
  });

  it.each(['m5.large', 'm6i.large', 'c6i.large', 'm7a.large', 'c6g.medium', 't3.medium', 'm5.metal', 'c7i-flex.large'])(
    '%s cannot host an enclave',
    (name) => {
      expect(instanceType(name)?.enclaves).toBe(false);
    },
  );

  it('does not know types that are newer than itself: unknown, not unsupported', () => {
    expect(instanceType('m99i.xlarge')).toBeUndefined();
    expect(instanceType('toString')).toBeUndefined();
  });

  it('leaves the host a gigabyte or a tenth', () => {
    const most = (name: string) => maxEnclaveMemoryMiB(instanceType(name)!);
    expect([most('c5.xlarge'), most('m6i.8xlarge')]).toEqual([7_168, 131_072 - 13_108]);
  });

  it('knows where a type is offered, and when it does not know', () => {
    const type = instanceType('m8a.xlarge')!;
    expect([isOffered(type, 'us-west-2'), isOffered(type, 'me-south-1'), isOffered(type, 'mx-central-1')]).toEqual([
      true,
      false,
      undefined,
    ]);
  });

  it('guesses architectures by name as EC2 gives them, for every type that can host an enclave', () => {
    // The guess is for names it does not know: another generation of the same family.
    const unknown = (name: string) => name.replace(/[0-9]+/, (digits) => `${digits}99`);
    const wrong = [...instanceTypes()]
      .filter((type) => type.enclaves && type.family !== 'a1')
      .filter(
        (type) => instanceType(unknown(type.name)) === undefined && architectureOf(unknown(type.name)) !== type.arch,
      );
    expect(wrong).toEqual([]);
  });
});

describe('smallestFit', () => {
  const demand = { cpuCount: 2, memoryMiB: 1_024, region: 'us-west-2' };

  it.each([
    ['the smallest sibling', 'm6i.large', demand, 'm6i.xlarge'],
    ['a sibling with the cores', 'm6i.xlarge', { ...demand, cpuCount: 4 }, 'm6i.2xlarge'],
    ['a sibling with the memory', 'c6i.xlarge', { ...demand, memoryMiB: 7_169 }, 'c6i.2xlarge'],
    ['everybody’s default where the family cannot', 't3.medium', demand, 'm6i.xlarge'],
    ['the same architecture', 't4g.medium', demand, 'm6g.xlarge'],
    ['nothing where nothing is as large', 'm6i.xlarge', { ...demand, cpuCount: 1_000 }, undefined],
  ])('%s', (_, like, wanted, name) => {
    expect(smallestFit(like, wanted)?.name).toBe(name);
  });

  it('suggests only what the region offers', () => {
    const suggested = smallestFit('m8a.xlarge', { ...demand, region: 'me-south-1' });
    expect(suggested && isOffered(suggested, 'me-south-1')).toBe(true);
  });
});

describe('nearest', () => {
  it.each([
    ['a swap', 'm6i.xlrage', 'm6i.xlarge'],
    ['a missing dot', 'm6ixlarge', 'm6i.xlarge'],
    ['a size that is none', 'm6i.huge', 'm6i.xlarge'],
    ['upper case', 'M6I.XLARGE', 'm6i.xlarge'],
  ])('%s', (_, typed, meant) => {
    expect(nearestInstanceType(typed)).toBe(meant);
  });

  it('counts a swap of neighbours as one edit', () => {
    expect(nearest('abcd', ['abyz', 'abdc'])).toBe('abdc');
    expect(nearest('abcd', ['abdx', 'abce'])).toBe('abce');
  });

  it('does not guess what is far off, or too long to be a typing error', () => {
    expect(nearest('banana', ['kms', 's3'])).toBeUndefined();
    expect(nearest('x'.repeat(100_000), ['kms'])).toBeUndefined();
  });
});

describe('writing the catalogue', () => {
  const committed = readFileSync(
    new URL('../../../../src/enclave/instance-types/data/instance-types.json', import.meta.url),
    'utf8',
  );

  it('gives the committed file again from what it says', () => {
    const rows = [...instanceTypes()];
    expect(renderCatalogue({ source: CATALOGUE_SOURCE, date: CATALOGUE_DATE, rows })).toBe(committed);
  });

  it('joins the replies of DescribeInstanceTypes of several regions', () => {
    const info = (name: string, support: 'supported' | 'unsupported'): InstanceTypeInfo => ({
      InstanceType: name as NonNullable<InstanceTypeInfo['InstanceType']>,
      NitroEnclavesSupport: support,
      VCpuInfo: { DefaultVCpus: 4, DefaultCores: 2, DefaultThreadsPerCore: 2 },
      MemoryInfo: { SizeInMiB: 16_384 },
      ProcessorInfo: { SupportedArchitectures: ['i386', 'x86_64'] },
    });
    const replies = new Map([
      ['us-west-2', [info('m6i.xlarge', 'supported'), info('t3.xlarge', 'unsupported')]],
      ['eu-west-1', [info('m6i.xlarge', 'supported'), { InstanceType: 'm5.large' } satisfies InstanceTypeInfo]],
    ]);
    const common = { vcpus: 4, memoryMiB: 16_384, arch: 'x86_64', threadsPerCore: 2 };
    expect(rowsOfReplies(replies)).toEqual([
      { ...common, name: 'm6i.xlarge', enclaves: true, regions: ['us-west-2', 'eu-west-1'] },
      { ...common, name: 't3.xlarge', enclaves: false, regions: [] },
    ]);
  });

  it('reads the older data file', () => {
    const file = { regions: ['a', 'b'], types: { 'm6i.xlarge': [4, 16_384, 'x86_64', 2, 1, [1]] as const } };
    expect(rowsOfDataFile(file)[0]?.regions).toEqual(['b']);
  });

  it('is one text for one content, and quotes the source as JSON does', () => {
    const rows = [...instanceTypes()].slice(0, 5);
    const text = renderCatalogue({ source: "it's \\ here", date: '2026-01-01', rows: [...rows].reverse() });
    expect(text).toBe(renderCatalogue({ source: "it's \\ here", date: '2026-01-01', rows }));
    expect(JSON.parse(text).source).toBe("it's \\ here");
  });
});
