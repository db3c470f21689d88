/** Validation as a whole: regions, the application's choices, all errors at once, their wording. */
import { describe, expect, it } from 'vitest';
import { appRecord, codes, findings, record, specOf } from './spec-records.ts';

describe('regions', () => {
  const regions = ['us-west-2', 'eu-central-1'];

  it('outside those of the platform are refused, with the nearest that is not', () => {
    const { errors } = findings(record({}, { region: 'eu-central-2' }), { regions });
    expect(codes(errors)).toEqual(['REGION_NOT_ENABLED']);
    expect(errors[0]?.fix).toContain('eu-central-1');
    expect(findings(record({}, { region: 'eu-central-1' }), { regions }).errors).toEqual([]);
  });

  it('are all taken where the platform names none', () => {
    expect(findings(record({}, { region: 'ap-northeast-1' })).errors).toEqual([]);
  });

  it("are the operator's where the record names none", () => {
    expect(specOf(record({}, { region: undefined }), { defaultRegion: 'eu-west-1' }).region).toBe('eu-west-1');
  });
});

describe("the application's choices", () => {
  const choose = (config: object) =>
    findings({ ...appRecord, providerConfig: { ...appRecord.providerConfig, ...config } });

  it('its defaults are valid, and mean what they say', () => {
    expect(specOf(appRecord)).toMatchObject({
      dockerImage: 'hello-world',
      cpuCount: 2,
      memoryMiB: 1_024,
      instanceType: 'm6i.xlarge',
      enableDebug: false,
      workloadType: 'service',
      environmentVariables: {},
    });
  });

  it.each([
    ['m6i.xlarge', true],
    ['m6i.2xlarge', true],
    ['m6i.4xlarge', true],
    ['m6i.8xlarge', true],
    ['c6i.xlarge', true],
    ['c6i.2xlarge', true],
    ['c6i.4xlarge', true],
    ['m5.xlarge', true],
    ['m5.4xlarge', true],
    ['m5.large', false],
    ['m6i.large', false],
    ['c6i.large', false],
  ])('%s: valid is %s, whatever its validators say', (instanceType, valid) => {
    expect(choose({ instanceType }).spec !== undefined).toBe(valid);
  });

  it.each([
    ['2', true],
    ['4', false],
    ['8', false],
    ['16', false],
  ])('cpuCount "%s" on its default host: valid is %s', (cpuCount, valid) => {
    expect(choose({ cpuCount }).spec !== undefined).toBe(valid);
  });

  it.each([
    ['1024', true],
    ['2048', true],
    ['4096', true],
    ['8192', true],
    ['16384', false],
  ])('memoryMiB "%s" on its default host: valid is %s', (memoryMiB, valid) => {
    expect(choose({ memoryMiB }).spec !== undefined).toBe(valid);
  });

  it.each([
    'hello-world',
    'nginx:alpine',
    'localhost:5000/app',
    'registry.example.com:8443/team/app:1.0',
    `nginx@sha256:${'0'.repeat(64)}`,
    `111122223333.dkr.ecr.us-west-2.amazonaws.com/team/app:1@sha256:${'0'.repeat(64)}`,
    'a/b/c__d.e--f:Tag_1',
  ])('the image %s is accepted', (dockerImage) => {
    expect(choose({ dockerImage }).spec?.dockerImage).toBe(dockerImage);
  });

  it.each(['', ' ', 'a b', 'a//b', '/a', 'a:', 'a@', 'https://a/b', 'a:b:c', '-a', 'a/-b', 'a..b'])(
    'the image "%s" is refused',
    (dockerImage) => {
      expect(codes(choose({ dockerImage }).errors)).toEqual(['FORMAT']);
    },
  );

  it('fields of newer clients, and what others write into the map, do no harm', () => {
    const { spec, warnings } = choose({ instanceId: 'i-1', compliance: ['SOC2'], sourceType: 'private-registry' });
    expect(spec?.sourceType).toBe('private-registry');
    expect(codes(warnings)).not.toContain('UNKNOWN_FIELD');
  });
});

describe('all errors at once', () => {
  it('from every field, nested ones and policy included', () => {
    const { errors } = findings({
      id: '!',
      region: 7,
      tags: { 'aws:a': '', EnclaveId: 'x' },
      providerConfig: {
        cpuCount: 4,
        memoryMiB: '1GB',
        exposePorts: [80, 80, 0],
        attestation: { expectedMeasurements: [{ pcr0: 'x' }, { pcr0: '0'.repeat(96) }] },
        healthCheck: { failureThreshold: 0 },
        egress: { allow: ['*', 'https://x.org'] },
        environmentVariables: { K: '1' },
        secrets: [{ name: 'no name' }, { name: 'K', kmsCiphertextUri: 's3://bucket/key' }],
      },
      policy: { deletionPolicy: 'Keep' },
    });
    expect(errors.map(({ field, code }) => `${field} ${code}`).sort()).toEqual(
      [
        'id ID_FORMAT',
        'policy.deletionPolicy FORMAT',
        'providerConfig.attestation.expectedMeasurements[0].pcr0 PCR_FORMAT',
        'providerConfig.attestation.expectedMeasurements[1].pcr0 PCR_ALL_ZERO',
        'providerConfig.cpuCount CPU_TOO_MANY',
        'providerConfig.dockerImage REQUIRED',
        'providerConfig.egress.allow EGRESS_WILDCARD',
        'providerConfig.egress.allow[1] FORMAT',
        'providerConfig.exposePorts PORT_DUP',
        'providerConfig.exposePorts[2] PORT_RANGE',
        'providerConfig.healthCheck.failureThreshold RANGE',
        'providerConfig.memoryMiB TYPE',
        'providerConfig.secrets FORMAT',
        'providerConfig.secrets[0].name FORMAT',
        'providerConfig.secrets[0] FORMAT',
        'region TYPE',
        'tags.EnclaveId FORMAT',
        'tags["aws:a"] FORMAT',
        'walletAddress REQUIRED',
      ].sort(),
    );
  });
});

describe('wording', () => {
  it.each([
    [{ enableDebug: 'yes' }, 'providerConfig.enableDebug is "yes", not true or false', 'Set it to true or false.'],
    [{ memoryMiB: '4GB' }, 'providerConfig.memoryMiB is "4GB", not a whole number', 'Set it to a whole number (MiB).'],
    [
      { healthCheckInterval: 1 },
      'providerConfig.healthCheckInterval is 1 s; it must be at least 5',
      'Set it to 5 to 300.',
    ],
    [
      { workloadType: 'servce' },
      'providerConfig.workloadType is "servce", not one of batch, service, daemon',
      'Did you mean service?',
    ],
    [
      { environmentVariables: { a: '1' } },
      'providerConfig.environmentVariables.a has a name that is not A-Z, 0-9 and _, not beginning with a digit',
      'Rename it: A-Z, 0-9 and _, not beginning with a digit.',
    ],
    [
      { host: { amiId: 'x' } },
      'providerConfig.host.amiId is "x", which is not the id of an AMI',
      'Set it to the id of an AMI, e.g. ami-0123456789abcdef0.',
    ],
    [
      { eif: { uri: 's3://images/app.eif' } },
      'providerConfig.eif.sha256 is missing',
      'Set it to 64 hexadecimal digits.',
    ],
    [{ awsServices: Array(1_001).fill('kms') }, 'providerConfig.awsServices has 1001 members', 'Keep it below 1000.'],
  ])('%o', (config, message, fix) => {
    expect(findings(record(config)).errors).toEqual([expect.objectContaining({ message, fix })]);
  });

  it('says the name, the numbers and the way out of a host that is too small', () => {
    expect(findings(record({ memoryMiB: 8_192, instanceType: 'c6i.xlarge' })).errors).toEqual([
      {
        field: 'providerConfig.memoryMiB',
        code: 'MEM_TOO_LARGE',
        message:
          'c6i.xlarge has 8192 MiB and its system keeps 1024, so at most 7168 (E27); the smallest type that fits is c6i.2xlarge',
        fix: 'Set providerConfig.memoryMiB to at most 7168, or providerConfig.instanceType to c6i.2xlarge.',
      },
    ]);
  });
});
