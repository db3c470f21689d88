/** References: what a record names that is not part of it, by environment and allow list. */
import { describe, expect, it } from 'vitest';
import { ConfigSchema } from '../../../../src/reconciler/config.ts';
import { codes, findings, record } from './spec-records.ts';

const SECRET = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:team-a/signing-AbCdEf';
const PARAMETER = 'arn:aws:ssm:us-west-2:111122223333:parameter/prod/app/DB_PASSWORD';
const KEY = 'arn:aws:kms:us-west-2:111122223333:alias/victim-key';
const eif = { uri: 's3://images/app.eif', sha256: 'ab'.repeat(32) };

/** Every field that names what may be another owner's, and the entry that allows it. */
const REFERENCES: readonly [field: string, config: object, entry: string][] = [
  ['secrets', { secrets: [{ name: 'A', secretArn: SECRET }] }, SECRET],
  ['secrets', { secrets: [{ name: 'A', secretArn: PARAMETER }] }, PARAMETER],
  ['secrets', { secrets: [{ name: 'A', kmsCiphertextUri: 's3://team-a/a.bin' }] }, 's3://team-a/a.bin'],
  ['eif.uri', { dockerImage: undefined, eif }, eif.uri],
  ['registryCredentialsArn', { registryCredentialsArn: SECRET }, SECRET],
  ['attestation.kmsKeyArn', { attestation: { kmsKeyArn: KEY } }, KEY],
  ['host.amiId', { host: { amiId: 'ami-0123456789abcdef0' } }, 'ami-0123456789abcdef0'],
  ['host.amiSsmParameter', { host: { amiSsmParameter: '/images/enclave' } }, '/images/enclave'],
  ['host.subnetId', { host: { subnetId: 'subnet-0123456789abcdef0' } }, 'subnet-0123456789abcdef0'],
  ['host.securityGroupIds', { host: { securityGroupIds: ['sg-0123456789abcdef0'] } }, 'sg-0123456789abcdef0'],
  ['host.publicIp', { host: { publicIp: true } }, 'publicIp'],
];

describe('references', () => {
  it.each(REFERENCES)(
    'refuses a reference in %s outside dev unless the environment allows it',
    (field, config, entry) => {
      const wanted = [['REFERENCE_NOT_ALLOWED', `providerConfig.${field}`]];
      for (const environment of ['prod', 'production', 'staging', 'qa']) {
        const { errors } = findings(record(config), { environment });
        expect(errors.map((issue) => [issue.code, issue.field])).toEqual(wanted);
        expect(findings(record(config), { environment, allowedReferences: [entry] }).errors).toEqual([]);
      }
    },
  );

  it.each(REFERENCES)('dev warns about a reference in %s', (field, config) => {
    const { errors, warnings } = findings(record(config), { environment: 'dev' });
    expect(errors).toEqual([]);
    expect(warnings.map(({ code, field: at }) => `${code} ${at}`)).toContain(
      `REFERENCE_NOT_ALLOWED providerConfig.${field}`,
    );
  });

  it('the finding does not repeat the reference', () => {
    const { errors } = findings(record({ secrets: [{ name: 'A', secretArn: SECRET }] }), { environment: 'prod' });
    expect(JSON.stringify(errors)).not.toContain('111122223333');
    expect(errors[0]?.message).toBe(
      'providerConfig.secrets refers to the secret or parameter of A, which allowedReferences of the environment prod does not list',
    );
  });

  it('a * entry allows only names with its prefix', () => {
    const prod = (entry: string) =>
      codes(
        findings(record({ secrets: [{ name: 'A', secretArn: SECRET }] }), {
          environment: 'prod',
          allowedReferences: [entry],
        }).errors,
      );
    expect(prod('arn:aws:secretsmanager:us-west-2:111122223333:secret:team-a/*')).toEqual([]);
    expect(prod('arn:aws:secretsmanager:us-west-2:111122223333:secret:team-b/*')).toEqual(['REFERENCE_NOT_ALLOWED']);
    expect(prod(SECRET.slice(0, -1))).toEqual(['REFERENCE_NOT_ALLOWED']);
  });

  it("Amazon's own images need no entry", () => {
    const amiSsmParameter = '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64';
    expect(findings(record({ host: { amiSsmParameter } }), { environment: 'prod' }).errors).toEqual([]);
  });

  it('an applied reference keeps a warning until the record is edited', () => {
    const config = { registryCredentialsArn: SECRET };
    const { spec } = findings(record(config), { environment: 'dev' });
    if (spec === undefined) throw new Error('valid in dev');
    const applied = (same: boolean) => ({ spec, equals: () => same });
    const kept = findings(record(config), { environment: 'prod' }, applied(true));
    expect([codes(kept.errors), codes(kept.warnings)]).toEqual([[], ['REFERENCE_NOT_ALLOWED']]);
    const edited = findings(record(config), { environment: 'prod' }, applied(false));
    expect(codes(edited.errors)).toEqual(['REFERENCE_NOT_ALLOWED']);
  });
});

describe('allowedReferences', () => {
  const accepts = (entry: string) => ConfigSchema.safeParse({ allowedReferences: [entry] }).success;

  it.each(REFERENCES)('allowedReferences accepts an entry for %s', (_field, _config, entry) => {
    expect(accepts(entry)).toBe(true);
  });

  it.each(['*', 'arn:*', 's3://*', 's3://bucket*', 'ami-*', 'sg-*', 'team-a', 'publicip', ''])(
    'allowedReferences refuses "%s", which allows too much or nothing',
    (entry) => {
      expect(accepts(entry)).toBe(false);
    },
  );

  it('allowedReferences reads a comma-separated list from the environment', () => {
    expect(ConfigSchema.parse({ allowedReferences: 'publicIp, /images/*' }).allowedReferences).toEqual([
      'publicIp',
      '/images/*',
    ]);
  });
});
