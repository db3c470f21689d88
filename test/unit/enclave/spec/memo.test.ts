/** Specs that are kept: the same answer as the first time, for the same spec only, and never too many of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rememberedWorkOut } from '../../../../src/enclave/spec/memo.ts';
import { parseSpec, type SpecSource } from '../../../../src/enclave/spec/spec.ts';

const context = { regions: ['us-west-2'], defaultRegion: 'us-west-2', environment: 'dev' };
const config = { dockerImage: 'nginx:1.27', cpuCount: '2', memoryMiB: '1024', instanceType: 'm6i.xlarge' };
const record = (providerConfig: unknown, more: object = {}) => ({
  id: 'enc_1',
  walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7',
  providerConfig,
  ...more,
});
const sourceOf = (n: number): SpecSource => ({
  providerConfig: { ...config, dockerImage: `nginx:${n}` },
  region: 'us-west-2',
  tags: {},
});

describe('a remembered spec', () => {
  it('is what reading the record anew would give, whatever was read before', () => {
    const remembered = rememberedWorkOut(context);
    const values = fc.oneof(fc.constantFrom('2', '4', 'nginx:1.27', 'm6i.xlarge', 'no such'), fc.jsonValue());
    const configs = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(fc.constantFrom(...Object.keys(config), 'instanceId', 'enableDebug', 'exposePorts'), values),
    );
    const records = fc.record({
      providerConfig: configs,
      region: fc.constantFrom('us-west-2', 'eu-west-1', undefined),
      tags: fc.option(fc.dictionary(fc.constantFrom('a', 'b'), fc.string()), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(records, { minLength: 1, maxLength: 5 }), (given) => {
        for (const { providerConfig, ...more } of [...given, ...given]) {
          const raw = record(providerConfig, more);
          expect(parseSpec(raw, context, { worked: remembered })).toEqual(parseSpec(raw, context));
        }
      }),
    );
  });

  it('is shared by enclaves that differ in their host only', () => {
    const remembered = rememberedWorkOut(context);
    const read = (providerConfig: object) => parseSpec(record(providerConfig), context, { worked: remembered });
    const first = read({ ...config, instanceId: 'i-1' });
    const second = read({ ...config, instanceId: 'i-2' });
    if (!first.ok || !second.ok) throw new Error('valid');
    expect(second.spec).toBe(first.spec);
    const other = read({ ...config, cpuCount: '1' });
    expect(other).not.toMatchObject({ spec: { cpuCount: 2 } });
  });

  it('is forgotten when too many others came after it, and a long one is not kept', () => {
    const remembered = rememberedWorkOut(context);
    const first = remembered(sourceOf(0));
    expect(remembered(sourceOf(0))).toBe(first);
    for (let n = 1; n <= 1_000; n += 1) remembered(sourceOf(n));
    expect(remembered(sourceOf(0))).not.toBe(first);
    const long = { ...sourceOf(0), tags: { a: 'x'.repeat(5_000) } };
    expect(remembered(long)).not.toBe(remembered(long));
  });
});
