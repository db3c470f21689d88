/** What the host of an enclave may do, and who may use its key. */
import { describe, expect, it } from 'vitest';
import { attestationConditions, keyPolicy } from '../../../../infra/enclave/attestation.ts';
import type { PolicyDocument, Statement } from '../../../../infra/enclave/iam.ts';
import { placeOf } from '../../../../infra/enclave/place.ts';
import type { PlatformFacts } from '../../../../infra/enclave/platform-facts.ts';
import { ANY_RESOURCE, hostPolicy, logPolicy, trustPolicy } from '../../../../infra/enclave/role-policies.ts';
import { pcr3OfRole } from '../../../../src/enclave/measurements.ts';
import { ACCOUNT, ENCLAVE_ID, FACTS, REGION, specOf, variablesOf } from '../../../support/enclave-stack.ts';

const PCR = { a: 'ab'.repeat(48), c: 'cd'.repeat(48) };
const place = (facts: PlatformFacts = FACTS) => placeOf(ENCLAVE_ID, variablesOf(specOf()), facts);
const ROLE = `arn:aws:iam::${ACCOUNT}:role/enclaves/treza-enclave-instance-role-${ENCLAVE_ID}`;

const encrypted: PlatformFacts = {
  ...FACTS,
  regions: {
    [REGION]: {
      ...(FACTS.regions[REGION] as PlatformFacts['regions'][string]),
      configurationKmsKeyArn: `arn:aws:kms:${REGION}:${ACCOUNT}:key/configuration`,
    },
  },
};
const secret = (name: string) => `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}-AbCdEf`;

/** Specifications that between them ask for every permission there is. */
const SPECS = {
  plain: specOf(),
  everything: specOf({
    dockerImage: `999999999999.dkr.ecr.${REGION}.amazonaws.com/team/app:1`,
    secrets: [
      { name: 'A', secretArn: secret('a') },
      { name: 'B', secretArn: `arn:aws:ssm:${REGION}:${ACCOUNT}:parameter/b` },
      { name: 'C', kmsCiphertextUri: 's3://secrets/c' },
    ],
    attestation: {
      kmsKeyArn: `arn:aws:kms:${REGION}:${ACCOUNT}:key/1234abcd`,
      expectedMeasurements: [{ pcr0: PCR.a }, { pcr1: PCR.a, pcr2: PCR.c }],
    },
  }),
  file: specOf({
    eif: { uri: 's3://images/app.eif', sha256: '0f'.repeat(32) },
    attestation: { kmsKeyArn: `arn:aws:kms:${REGION}:${ACCOUNT}:alias/app` },
  }),
  ownKey: specOf({ attestation: { expectedMeasurements: [{ pcr0: PCR.a }] } }),
};

const documents = Object.entries(SPECS).flatMap(([name, spec]): [string, PolicyDocument][] => [
  [`${name}: host`, hostPolicy(spec, place(encrypted))],
  [`${name}: logs`, logPolicy(place())],
  [`${name}: key`, keyPolicy(spec, place())],
]);

describe('the policies of a host', () => {
  it.each(documents)('%s: are as they were reviewed', (_, document) => {
    expect(document).toMatchSnapshot();
  });

  it.each(documents)('%s: no action is a pattern, and every resource has a reason to be one', (name, document) => {
    for (const { Sid, Action, Resource = [], Condition } of document.Statement) {
      expect(Action.filter((action) => action.includes('*'))).toEqual([]);
      for (const resource of Resource.filter((each) => each.includes('*'))) {
        const ownStreams = `log-group:/aws/ec2/enclave/${ENCLAVE_ID}:log-stream:*`;
        const allowed =
          (resource === '*' && (Sid in ANY_RESOURCE || name.endsWith(': key'))) ||
          resource.endsWith(ownStreams) ||
          // Keys of an alias, which a condition names.
          (resource.endsWith(':key/*') && 'ForAnyValue:StringEquals' in (Condition ?? {}));
        expect(allowed, `${Sid} on ${resource}`).toBe(true);
      }
    }
  });

  it('let a host write its own report and no other item', () => {
    const report = hostPolicy(SPECS.plain, place()).Statement.find(({ Sid }) => Sid === 'OwnReport');
    expect(report).toMatchObject({
      Action: ['dynamodb:PutItem'],
      Condition: {
        'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [`report#${ENCLAVE_ID}`] },
        Null: { 'dynamodb:LeadingKeys': 'false' },
      },
    });
  });

  it('let a host read the credentials of a registry it logs in to, and not of ECR', () => {
    const secrets = (dockerImage: string) =>
      hostPolicy(specOf({ dockerImage, registryCredentialsArn: secret('registry') }), place()).Statement.find(
        ({ Sid }) => Sid === 'Secrets',
      )?.Resource;
    expect(secrets('registry.example.com/app:1')).toEqual([secret('registry')]);
    expect(secrets(`999999999999.dkr.ecr.${REGION}.amazonaws.com/app:1`)).toBeUndefined();
  });

  it('let only EC2 take the role', () => {
    expect(trustPolicy().Statement).toMatchObject([{ Principal: { Service: 'ec2.amazonaws.com' } }]);
  });

  it('are refused where IAM would refuse their length', () => {
    const secrets = Array.from({ length: 32 }, (_, n) => ({
      name: `S${n}`,
      secretArn: secret(`${n}${'x'.repeat(400)}`),
    }));
    expect(() => hostPolicy(specOf({ secrets }), place())).toThrow('providerConfig.secrets');
  });
});

describe('the key of an enclave', () => {
  const decrypting = ({ Action }: Statement) =>
    Action.some((action) => /Decrypt|GenerateDataKey|ReEncrypt|CreateGrant|DeriveSharedSecret|\*/.test(action));

  it('opens to nobody without an attestation: neither by its policy nor by the role', () => {
    for (const spec of Object.values(SPECS)) {
      const statements = [...keyPolicy(spec, place()).Statement, ...hostPolicy(spec, place()).Statement];
      for (const { Sid, Condition } of statements.filter(decrypting)) {
        expect(Object.keys(Object.assign({}, ...Object.values(Condition ?? {}))).join(), Sid).toContain(
          'kms:RecipientAttestation:',
        );
      }
    }
  });

  it('is seen by whoever compares it, who can neither use nor change it', () => {
    const observer = 'arn:aws:iam::123456789012:role/operator';
    const seen = keyPolicy(SPECS.ownKey, place({ ...FACTS, keyObserverArns: [observer] })).Statement;
    const ofObserver = seen.filter(({ Principal }) => JSON.stringify(Principal).includes(observer));
    expect(ofObserver.map(({ Action }) => Action)).toEqual([['kms:DescribeKey', 'kms:GetKeyPolicy', 'kms:ListGrants']]);
    expect(seen.length).toBe(keyPolicy(SPECS.ownKey, place()).Statement.length + 1);
  });

  it('can be administrated and put again by the platform, and by no root account', () => {
    const [administration] = keyPolicy(SPECS.ownKey, place()).Statement;
    expect(administration).toMatchObject({ Principal: { AWS: FACTS.keyAdministratorArns } });
    expect(administration?.Action).toContain('kms:PutKeyPolicy');
    expect(JSON.stringify(keyPolicy(SPECS.ownKey, place()))).not.toContain(':root');
    const nobody = { ...FACTS, keyAdministratorArns: [] };
    expect(() => keyPolicy(SPECS.ownKey, place(nobody))).toThrow('keyAdministratorArns');
  });

  const pcr3 = { 'kms:RecipientAttestation:PCR3': pcr3OfRole(ROLE) };
  it.each([
    { reason: 'one set', sets: [{ pcr0: PCR.a }], more: {}, conditions: [{ PCR0: PCR.a, role: true }] },
    {
      reason: 'any of two sets',
      sets: [{ pcr0: PCR.a }, { pcr1: PCR.a, pcr2: PCR.c }],
      more: {},
      conditions: [
        { PCR0: PCR.a, role: true },
        { PCR1: PCR.a, PCR2: PCR.c, role: true },
      ],
    },
    {
      reason: 'not to the role',
      sets: [{ pcr0: PCR.a }],
      more: { bindPcr3: false },
      conditions: [{ PCR0: PCR.a, role: false }],
    },
    {
      reason: 'the signer alone',
      sets: [{ pcr8: PCR.a }],
      more: { bindPcr8: true },
      conditions: [{ PCR8: PCR.a, role: true }],
    },
    { reason: 'a signer that does not count binds nothing', sets: [{ pcr8: PCR.a }], more: {}, conditions: [] },
    { reason: 'nothing measured', sets: [], more: {}, conditions: [] },
  ])('is bound to $reason', ({ sets, more, conditions }) => {
    const spec = specOf({ attestation: { expectedMeasurements: sets, ...more } });
    const expected = conditions.map(({ role, ...registers }) => ({
      StringEqualsIgnoreCase: {
        ...Object.fromEntries(
          Object.entries(registers).map(([name, value]) => [`kms:RecipientAttestation:${name}`, value]),
        ),
        ...(role ? pcr3 : {}),
      },
    }));
    expect(attestationConditions(spec, ROLE)).toEqual(expected);
  });
});
