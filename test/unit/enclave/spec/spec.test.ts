/** Reading a record: defaults, legacy spellings, normal forms, what is left alone. */
import { describe, expect, it } from 'vitest';
import { parseSpec, recordOf } from '../../../../src/enclave/spec/spec.ts';
import { appRecord, codes, context, findings, record, specOf } from './spec-records.ts';

const minimal = { id: 'a', walletAddress: 'someone@example.com', providerConfig: { dockerImage: 'hello-world' } };

describe('defaults', () => {
  it('fill everything but the owner, the id and the image', () => {
    expect(specOf(minimal)).toEqual({
      region: 'us-west-2',
      tags: {},
      dockerImage: 'hello-world',
      sourceType: 'registry',
      instanceType: 'm6i.xlarge',
      cpuCount: 2,
      memoryMiB: 1_024,
      enclaveCid: 16,
      enableDebug: false,
      workloadType: 'service',
      healthCheckPath: '/health',
      healthCheckInterval: 30,
      healthCheck: { timeoutSeconds: 5, failureThreshold: 3, successThreshold: 1, startupGraceSeconds: 120 },
      exposePorts: [],
      awsServices: ['kms'],
      egress: { allow: [], deny: [], unsafeAllowAll: false },
      ingressCidrs: [],
      environmentVariables: {},
      secrets: [],
      restartPolicy: 'Always',
      backoff: { initialSeconds: 10, maxSeconds: 600, maxRestarts: 5, windowSeconds: 1_800 },
      attestation: { expectedMeasurements: [], bindPcr3: true, bindPcr8: false, enforce: 'alert' },
      host: {
        imdsHopLimit: 1,
        rootVolumeGiB: 20,
        rootEncrypted: true,
        terminationProtection: false,
        publicIp: false,
        securityGroupIds: [],
      },
      logs: { retentionDays: 30 },
    });
  });

  it.each([
    ['a host with one core to give gets one', { instanceType: 'm6g.large' }, { cpuCount: 1 }],
    ['a batch is not started again when it is done', { workloadType: 'batch' }, { restartPolicy: 'OnFailure' }],
    ['a daemon is', { workloadType: 'daemon' }, { restartPolicy: 'Always' }],
    [
      'the first port written is probed, not the lowest',
      { exposePorts: [9_000, 80] },
      { exposePorts: [80, 9_000], healthCheck: { port: 9_000 } },
    ],
    ['a check ends before the next begins', { healthCheckInterval: 5 }, { healthCheck: { timeoutSeconds: 4 } }],
    [
      'an image file needs no image',
      { eif: { uri: 's3://images/app.eif', sha256: 'A'.repeat(64) } },
      { dockerImage: '', eif: { sha256: 'a'.repeat(64) } },
    ],
  ])('%s', (_, config, spec) => {
    const image = 'eif' in config ? {} : minimal.providerConfig;
    expect(specOf({ ...minimal, providerConfig: { ...image, ...config } })).toMatchObject(spec);
  });

  it('are what null means', () => {
    expect(specOf(record({ cpuCount: null, exposePorts: null, logs: null, host: { subnetId: null } }))).toEqual(
      specOf(record()),
    );
  });

  it('are shared and therefore frozen, as the whole spec is', () => {
    const spec = specOf(minimal);
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(spec)).toBe(true);
  });
});

describe('legacy spellings', () => {
  it.each([
    ['digits', { cpuCount: '2' }, { cpuCount: 2 }],
    ['digits with zeros before', { memoryMiB: '02048' }, { memoryMiB: 2_048 }],
    ['true', { enableDebug: 'true' }, { enableDebug: true }],
    ['false', { enableDebug: 'false' }, { enableDebug: false }],
    ['a list of numbers', { exposePorts: ' 443,, 80 ' }, { exposePorts: [80, 443] }],
    ['a list whose members are text', { exposePorts: ['443', 80] }, { exposePorts: [80, 443] }],
    ['a list of words', { awsServices: 's3, kms' }, { awsServices: ['kms', 's3'] }],
    ['a map', { environmentVariables: '{"A":"1"}' }, { environmentVariables: { A: '1' } }],
    [
      'numbers and booleans of variables',
      { environmentVariables: { A: 1, B: true } },
      { environmentVariables: { A: '1', B: 'true' } },
    ],
    ['a map further in', { logs: '{"retentionDays":"7"}' }, { logs: { retentionDays: 7 } }],
    ['an address range with host bits', { ingressCidrs: ['10.1.2.3/8'] }, { ingressCidrs: ['10.0.0.0/8'] }],
  ])('%s: read, with a warning', (_, config, spec) => {
    const found = findings(record(config));
    expect(found.spec).toMatchObject(spec);
    expect(codes(found.warnings)).toContain('COERCED');
  });

  it.each([
    ['an empty text for a map', { environmentVariables: '' }],
    ['an empty text for a list', { exposePorts: '' }],
  ])('%s is the default of a form, no warning', (_, config) => {
    expect(findings(record(config)).warnings).toEqual([]);
  });

  it('give one warning each', () => {
    const { warnings } = findings(appRecord);
    expect(warnings.filter(({ code }) => code === 'COERCED').map(({ field }) => field)).toEqual([
      'providerConfig.cpuCount',
      'providerConfig.memoryMiB',
    ]);
  });

  it('a whole configuration as JSON text is read', () => {
    expect(specOf(record({}, { providerConfig: '{"dockerImage":"a","workloadType":"batch"}' })).workloadType).toBe(
      'batch',
    );
  });
});

describe('normal form', () => {
  it.each([
    ['services have no order and no doubles', { awsServices: ['s3', 'kms', 's3'] }, { awsServices: ['kms', 's3'] }],
    [
      'nor have ports',
      { exposePorts: [80, 443], healthCheck: { port: 80 } },
      { exposePorts: [443, 80], healthCheck: { port: 80 } },
    ],
    [
      'nor ranges',
      { ingressCidrs: ['10.0.0.0/8', '172.16.0.0/12'] },
      { ingressCidrs: ['172.16.0.0/12', '10.0.0.0/8'] },
    ],
    [
      'measurements are in lower case',
      { attestation: { expectedMeasurements: [{ pcr0: 'AB'.repeat(48) }] } },
      { attestation: { expectedMeasurements: [{ pcr0: 'ab'.repeat(48) }] } },
    ],
    ['hibernation that is off is no part of a spec', { host: { hibernation: false } }, {}],
    [
      'secrets are told apart by name',
      {
        secrets: [
          { name: 'B', kmsCiphertextUri: 's3://bucket/b' },
          { name: 'A', kmsCiphertextUri: 's3://bucket/a' },
        ],
      },
      {
        secrets: [
          { name: 'A', kmsCiphertextUri: 's3://bucket/a' },
          { name: 'B', kmsCiphertextUri: 's3://bucket/b' },
        ],
      },
    ],
  ])('%s', (_, one, other) => {
    const [a, b] = [specOf(record(one)), specOf(record(other))];
    if ('awsServices' in one) expect(a).toMatchObject(other);
    else expect(a).toEqual(b);
  });

  it('leaves out what names the record alone: a rename is no change', () => {
    expect(specOf(record({}, { name: 'b', description: 'c', status: 'DEPLOYED', updatedAt: 'x' }))).toEqual(
      specOf(record()),
    );
  });

  it('leaves out the policy', () => {
    const policy = { deletionPolicy: 'Retain', suspend: { reason: 'incident' } };
    expect(specOf(record({}, { policy }))).toEqual(specOf(record()));
  });

  it('is the record of its own spec', () => {
    const spec = specOf(record({ exposePorts: [9, 8], eif: { uri: 's3://images/app.eif', sha256: 'a'.repeat(64) } }));
    expect(specOf({ ...minimal, ...recordOf(spec) })).toEqual(spec);
  });
});

describe('what is unknown', () => {
  it('is named, is not read, and makes nothing invalid', () => {
    const found = findings(record({ cpucount: 2, junk: {} }, { extra: 1, 'a\nb': 1 }));
    expect(found.spec).toEqual(specOf(record()));
    expect(found.warnings.map(({ field }) => field)).toEqual([
      'extra',
      '["a\\nb"]',
      'providerConfig.cpucount',
      'providerConfig.junk',
    ]);
  });

  it.each([[null], [undefined], ['text'], [1.5], [true], [[]]])('%s is no record', (raw) => {
    const result = parseSpec(raw, context);
    expect(result.ok).toBe(false);
    expect(codes(findings(raw).errors)).toEqual(['TYPE']);
  });

  it('names of JavaScript are names like others', () => {
    const raw = JSON.parse('{"id":"a","walletAddress":"b","__proto__":{"region":"x"},"constructor":1}');
    const found = findings({
      ...raw,
      providerConfig: JSON.parse('{"dockerImage":"a","__proto__":{"cpuCount":4},"toString":1}'),
    });
    expect(found.spec?.cpuCount).toBe(2);
    expect(found.spec?.region).toBe('us-west-2');
    expect(codes(found.warnings).filter((code) => code === 'UNKNOWN_FIELD')).toHaveLength(4);
  });
});
