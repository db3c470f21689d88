/** The hash of a spec, and what a stored one says about it. */
import { describe, expect, it } from 'vitest';
import { compareHash, SPEC_HASH_VERSION, specHash } from '../../../../src/enclave/spec/spec.ts';
import { record, specOf } from './spec-records.ts';

const base = specOf(record());

/** One change of each field; none may go unnoticed. */
const CHANGES: Record<keyof typeof base, [config: object, fields?: object]> = {
  region: [{}, { region: 'eu-west-1' }],
  tags: [{}, { tags: { team: 'a' } }],
  dockerImage: [{ dockerImage: 'nginx:1' }],
  eif: [{ eif: { uri: 's3://images/app.eif', sha256: 'a'.repeat(64) } }],
  sourceType: [{ sourceType: 'github' }],
  registryCredentialsArn: [
    { registryCredentialsArn: 'arn:aws:secretsmanager:us-west-2:111122223333:secret:registry-AbCdEf' },
  ],
  instanceType: [{ instanceType: 'm6i.2xlarge' }],
  cpuCount: [{ cpuCount: 4, instanceType: 'm6i.2xlarge' }],
  memoryMiB: [{ memoryMiB: 2_048 }],
  enclaveCid: [{ enclaveCid: 17 }],
  enableDebug: [{ enableDebug: true }],
  workloadType: [{ workloadType: 'service' }],
  healthCheckPath: [{ healthCheckPath: '/' }],
  healthCheckInterval: [{ healthCheckInterval: 31 }],
  healthCheck: [{ healthCheck: { failureThreshold: 4 } }],
  exposePorts: [{ exposePorts: [80], healthCheck: { port: 81 } }],
  awsServices: [{ awsServices: [] }],
  egress: [{ egress: { allow: ['x.org'] } }],
  ingressCidrs: [{ ingressCidrs: ['10.0.0.0/8'] }],
  environmentVariables: [{ environmentVariables: { A: '1' } }],
  secrets: [{ secrets: [{ name: 'K', kmsCiphertextUri: 's3://bucket/key' }] }],
  restartPolicy: [{ restartPolicy: 'Never' }],
  backoff: [{ backoff: { maxRestarts: 6 } }],
  attestation: [{ attestation: { enforce: 'off' } }],
  host: [{ host: { imdsHopLimit: 2 } }],
  logs: [{ logs: { retentionDays: 7 } }],
};

describe('specHash', () => {
  it.each(Object.entries(CHANGES))('changes with %s', (_, [config, fields]) => {
    expect(specHash(specOf(record(config, fields)))).not.toBe(specHash(base));
  });

  // A stored hash must outlive a release: if this fails, raise SPEC_HASH_VERSION and write the new value here.
  it('of one spec stays what it was in this version', () => {
    expect([SPEC_HASH_VERSION, specHash(base)]).toMatchInlineSnapshot(`
      [
        1,
        "a17320d1205d676bda622cb17bac7f482b17ad4a6c9923edec9a1b2b3f68da98",
      ]
    `);
  });
});

describe('compareHash', () => {
  const stored = { hashVersion: SPEC_HASH_VERSION, specHash: specHash(base) };

  it.each([
    ['the same spec', stored, 'same'],
    ['another spec', { ...stored, specHash: 'x' }, 'changed'],
    ['an older version, whatever its hash', { hashVersion: SPEC_HASH_VERSION - 1, specHash: 'x' }, 'otherVersion'],
    ['a newer version, whatever its hash', { hashVersion: SPEC_HASH_VERSION + 1, specHash: 'x' }, 'otherVersion'],
  ])('%s', (_, hash, verdict) => {
    expect(compareHash(hash, base)).toBe(verdict);
  });
});
