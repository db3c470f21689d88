/** What a change does to a running enclave. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CHANGE_CLASSES,
  type ChangeClass,
  classifyChange,
  immutableChanges,
} from '../../../../src/enclave/spec/change.ts';
import { specHash } from '../../../../src/enclave/spec/spec.ts';
import { record, specOf, validConfig, validTags } from './spec-records.ts';

interface Row {
  readonly reason: string;
  readonly from?: object;
  readonly to: object;
  readonly change: ChangeClass;
  readonly causes: string[];
}

const ROWS: readonly Row[] = [
  { reason: 'nothing changed', to: {}, change: 'none', causes: [] },
  { reason: 'equal meaning, other spelling', from: { cpuCount: 2 }, to: { cpuCount: '2' }, change: 'none', causes: [] },
  {
    reason: 'the health check runs on the host',
    to: { healthCheckInterval: 60 },
    change: 'inPlace',
    causes: ['providerConfig.healthCheckInterval'],
  },
  {
    reason: 'ports are rules of a group',
    to: { exposePorts: [80] },
    change: 'inPlace',
    causes: ['providerConfig.exposePorts', 'providerConfig.healthCheck.port'],
  },
  {
    reason: 'retention is set on the log group',
    to: { logs: { retentionDays: 7 } },
    change: 'inPlace',
    causes: ['providerConfig.logs.retentionDays'],
  },
  {
    reason: 'metadata options change in place',
    to: { host: { imdsHopLimit: 2 } },
    change: 'inPlace',
    causes: ['providerConfig.host.imdsHopLimit'],
  },
  {
    reason: 'volumes grow in place',
    to: { host: { rootVolumeGiB: 21 } },
    change: 'inPlace',
    causes: ['providerConfig.host.rootVolumeGiB'],
  },
  {
    reason: 'volumes never shrink',
    to: { host: { rootVolumeGiB: 19 } },
    change: 'replace',
    causes: ['providerConfig.host.rootVolumeGiB'],
  },
  {
    reason: 'the image is the enclave',
    to: { dockerImage: 'nginx:1' },
    change: 'enclaveRestart',
    causes: ['providerConfig.dockerImage'],
  },
  {
    reason: 'the allocator gives other memory',
    to: { memoryMiB: 2_048 },
    change: 'enclaveRestart',
    causes: ['providerConfig.memoryMiB'],
  },
  {
    reason: 'debug is a flag of the start',
    to: { enableDebug: true },
    change: 'enclaveRestart',
    causes: ['providerConfig.enableDebug'],
  },
  {
    reason: 'variables are part of the image',
    to: { environmentVariables: { A: '1' } },
    change: 'enclaveRestart',
    causes: ['providerConfig.environmentVariables.A'],
  },
  {
    reason: 'a larger host of the same kind',
    to: { instanceType: 'm6i.2xlarge' },
    change: 'stopStart',
    causes: ['providerConfig.instanceType'],
  },
  {
    reason: 'another architecture needs another machine image',
    to: { instanceType: 'm6g.xlarge' },
    change: 'replace',
    causes: ['providerConfig.instanceType'],
  },
  {
    reason: 'an unknown Graviton is Graviton by its name',
    from: { instanceType: 'm6g.xlarge' },
    to: { instanceType: 'm99gd.xlarge' },
    change: 'stopStart',
    causes: ['providerConfig.instanceType'],
  },
  {
    reason: 'the subnet of a host is fixed',
    to: { host: { subnetId: 'subnet-01234567' } },
    change: 'replace',
    causes: ['providerConfig.host.subnetId'],
  },
  {
    reason: 'the machine image of a host is fixed',
    to: { host: { amiId: 'ami-01234567' } },
    change: 'replace',
    causes: ['providerConfig.host.amiId'],
  },
  {
    reason: 'the public address of a host is fixed',
    to: { host: { publicIp: true } },
    change: 'replace',
    causes: ['providerConfig.host.publicIp'],
  },
  {
    reason: 'the encryption of a volume is fixed',
    to: { host: { rootEncrypted: false } },
    change: 'replace',
    causes: ['providerConfig.host.rootEncrypted'],
  },
  {
    reason: 'the worst of several decides',
    to: { healthCheckPath: '/', memoryMiB: 2_048, instanceType: 'm6i.2xlarge' },
    change: 'stopStart',
    causes: ['providerConfig.instanceType'],
  },
];

const change = (from: object, to: object) => classifyChange(specOf(record(from)), specOf(record(to)));

describe('classifyChange', () => {
  it.each(ROWS)('$change: $reason', (row) => {
    const result = change(row.from ?? {}, row.to);
    expect(result.class).toBe(row.change);
    expect(result.causes).toEqual(row.causes);
  });

  it('lists every field, the cause first, with both values', () => {
    const { changes } = change({ healthCheckPath: '/a' }, { healthCheckPath: '/b', memoryMiB: 2_048 });
    expect(changes).toEqual([
      { field: 'providerConfig.memoryMiB', change: 'enclaveRestart', from: 1_024, to: 2_048 },
      { field: 'providerConfig.healthCheckPath', change: 'inPlace', from: '/a', to: '/b' },
    ]);
  });

  it('never shows the values of variables', () => {
    const { changes } = change(
      { environmentVariables: { A: 'old-secret' } },
      { environmentVariables: { A: 'new-secret', B: '' } },
    );
    expect(changes.map(({ field }) => field)).toEqual([
      'providerConfig.environmentVariables.A',
      'providerConfig.environmentVariables.B',
    ]);
    expect(JSON.stringify(changes)).not.toMatch(/secret/);
  });

  it('of tags names the tag', () => {
    const tagged = (tags: object) => specOf(record({}, { tags }));
    expect(classifyChange(tagged({ a: '1', 'b c': '2' }), tagged({ a: '1', 'b c': '3' }))).toEqual({
      class: 'inPlace',
      changes: [{ field: 'tags["b c"]', change: 'inPlace', from: '2', to: '3' }],
      causes: ['tags["b c"]'],
    });
  });

  it('is none exactly where the hash is equal, and knows the class of every field', () => {
    fc.assert(
      fc.property(validConfig, validConfig, validTags, (one, other, tags) => {
        const [before, after] = [specOf(record(one)), specOf(record(other, { tags }))];
        const result = classifyChange(before, after);
        expect(result.class === 'none').toBe(specHash(before) === specHash(after));
        expect(result.changes.every(({ change }) => CHANGE_CLASSES.includes(change) && change !== 'none')).toBe(true);
        expect(
          classifyChange(after, before)
            .changes.map(({ field }) => field)
            .sort(),
        ).toEqual(result.changes.map(({ field }) => field).sort());
      }),
    );
  });
});

describe('immutableChanges', () => {
  const before = { id: 'a', providerId: 'aws-nitro', walletAddress: '0x1', region: 'us-west-2' };

  it.each(['id', 'providerId', 'walletAddress', 'region'])('refuses another %s', (key) => {
    expect(immutableChanges(before, { ...before, [key]: 'x' })).toEqual([
      expect.objectContaining({ field: key, code: 'IMMUTABLE_CHANGED' }),
    ]);
  });

  it('compares what both have: of a spec, the region', () => {
    expect(immutableChanges(specOf(record()), before)).toEqual([]);
    expect(immutableChanges(specOf(record()), { region: 'eu-west-1' })).toHaveLength(1);
  });
});
