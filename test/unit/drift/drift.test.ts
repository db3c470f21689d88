/** What counts as drift, attribute by attribute. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  ATTRIBUTES,
  type Attribute,
  compare,
  type DriftRung,
  ENTRIES,
  type Finding,
  type IgnoreRule,
  ignoredBy,
  interrupts,
  type Observed,
  ROWS,
  stepsFrom,
  type Wanted,
} from '../../../src/drift/index.ts';
import { omit } from '../../../src/enclave/omit.ts';
import { RESOURCE_TYPES, type ResourceType } from '../../../src/enclave/resource-types.ts';
import { record, specOf } from '../enclave/spec/spec-records.ts';
import { CASES, has, keeps, OTHER, observed, opened, posture, wanted } from './drift-table.ts';

const found = (attribute: Attribute, seen: Observed, want: Wanted = wanted): Finding | undefined =>
  compare(want, seen).find((finding) => finding.attribute === attribute);

describe('comparison', () => {
  it('has one row for every attribute, and the table below has one too', () => {
    expect(ROWS.map(({ attribute }) => attribute)).toEqual([...ATTRIBUTES]);
    expect(CASES.map(({ attribute }) => attribute)).toEqual([...ATTRIBUTES]);
  });

  const looks = CASES.flatMap(({ attribute, drift, unknown, match = {}, want, base }) => {
    const looksOf = (verdict: Finding['verdict'], changes: Readonly<Record<string, Partial<Observed>>>) =>
      Object.entries(changes).map(([reason, change]) => ({
        attribute,
        reason,
        verdict,
        want: { ...wanted, ...want },
        seen: { ...observed, ...base, ...change },
      }));
    return [
      ...looksOf('Match', { 'as it should be': {}, ...match }),
      ...looksOf('Drift', drift),
      ...looksOf('Unknown', unknown),
    ];
  });
  it.each(looks)('$attribute: $reason is $verdict', ({ attribute, verdict, want, seen }) => {
    const finding = found(attribute, seen, want);
    expect(finding?.verdict).toBe(verdict);
    expect(finding?.observed === undefined).toBe(verdict === 'Unknown');
  });

  it('takes a batch that has completed for one that runs as it should', () => {
    const seen = { ...observed, report: { ...observed.report, enclaves: [], completed: true } };
    const batch = specOf(record({ workloadType: 'batch' }));
    expect(found('enclave.running', seen, { ...wanted, spec: batch })?.verdict).toBe('Match');
  });

  it('counts a health check that the host reports to fail, whether the spec names one or not', () => {
    const plain: Wanted = { ...wanted, spec: specOf(record()) };
    const reports = (health: 'failing' | 'passing') => ({ ...observed, report: { ...observed.report, health } });
    expect(found('enclave.health', reports('failing'), plain)?.verdict).toBe('Drift');
    expect(found('enclave.health', reports('passing'), plain)).toBeUndefined();
  });

  it('takes what runs for what decides: an enclave on its way out beside it is no drift, nor is debug mode of the past', () => {
    const runs = { state: 'RUNNING', cpuCount: 2, memoryMiB: 1_024, debug: false };
    const ends = { ...runs, state: 'TERMINATING', terminatingMs: 300_000, debug: true };
    const reports = (...enclaves: (typeof runs)[]) => ({ ...observed, report: { ...observed.report, enclaves } });
    expect(found('enclave.terminating', reports(runs, ends))?.verdict).toBe('Match');
    expect(found('enclave.terminating', reports(ends))?.verdict).toBe('Drift');
    expect(found('enclave.debug', reports(ends))?.verdict).toBe('Unknown');
    expect(found('enclave.debug', reports(runs, ends))?.verdict).toBe('Drift');
  });

  it('says nothing of what is not wanted', () => {
    const plain: Wanted = { ...wanted, spec: specOf(record()), made: undefined };
    const said = compare(plain, { ...observed, attested: undefined }).map(({ attribute }) => attribute);
    expect(ATTRIBUTES.filter((attribute) => !said.includes(attribute))).toEqual([
      'host.paused',
      'enclave.measurements',
      'enclave.attested',
      'enclave.health',
      'key.policy',
      'key.state',
    ]);
    const paused = compare({ ...wanted, running: false }, observed).map(({ attribute }) => attribute);
    expect(paused.filter((attribute) => attribute.startsWith('enclave.'))).toEqual([]);
  });

  it('says nothing of what was attested where nobody looks, or it is not enforced', () => {
    const lax = specOf(record({ attestation: { expectedMeasurements: [{ pcr0: OTHER }], enforce: 'off' } }));
    expect(found('enclave.attested', { ...observed, attested: undefined })).toBeUndefined();
    expect(found('enclave.attested', observed, { ...wanted, spec: lax })).toBeUndefined();
  });

  it('names what differs, and only that', () => {
    const seen = { ...observed, ...has({ metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 1 } }) };
    expect(found('host.metadata', seen)).toEqual({
      attribute: 'host.metadata',
      desired: 'tokens=required',
      observed: 'tokens=optional',
      verdict: 'Drift',
      severity: 'high',
      rung: 'apply',
      owned: 'operator',
      security: true,
      observedAt: seen.observedAt,
    });
  });

  it('takes what was not asked for and is stronger for no drift', () => {
    const lax = specOf(record({ host: { rootEncrypted: false } }));
    expect(found('host.volume', observed, { ...wanted, spec: lax })?.verdict).toBe('Match');
  });

  it('rates lost ownership higher than another lost tag', () => {
    const tags = omit(posture.tags ?? {}, 'EnclaveId');
    expect(found('tags', { ...observed, ...has({ tags }) })?.severity).toBe('medium');
    expect(found('tags', { ...observed, ...has({ tags: { ...posture.tags, Team: 'x' } }) })?.severity).toBe('low');
  });

  it("leaves a taken over host's image, address and metadata to others, and a key that is not the operator's", () => {
    const legacy: Wanted = { ...wanted, legacy: { securityGroupName: 'old' } };
    const seen = { ...observed, ...has({ amiId: 'ami-2', publicIp: '192.0.2.1', metadata: { tokens: 'optional' } }) };
    for (const attribute of ['host.ami', 'network.publicIp', 'host.metadata'] as const) {
      expect(found(attribute, seen, legacy)).toMatchObject({ verdict: 'Drift', owned: 'foreign', rung: 'alert' });
    }
    const kmsKeyArn = 'arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
    const foreign: Wanted = { ...wanted, spec: specOf(record({ attestation: { kmsKeyArn } })) };
    const open = keeps({ policy: opened({ Effect: 'Allow', Action: ['kms:Decrypt'], Principal: '*' }) });
    expect(found('key.policy', { ...observed, ...open }, foreign)).toMatchObject({
      verdict: 'Drift',
      owned: 'foreign',
    });
    expect(found('key.policy', observed, foreign)?.verdict).toBe('Match');
  });

  it.each([
    ['kms:GenerateDataKeyWithoutPlaintext', false],
    ['kms:Describe*', false],
    ['kms:ReEncrypt*', true],
    ['kms:d?crypt', true],
    ['KMS:CreateGrant', true],
    ['*', true],
  ])('of a key, %s without attestation is a way around it: %s', (Action, isOne) => {
    const { observed: seen } =
      found('key.policy', { ...observed, ...keeps({ policy: opened({ Effect: 'Allow', Action }) }) }) ?? {};
    expect(seen?.includes('bypass')).toBe(isOne);
  });

  it.each([
    ['StringNotEquals', OTHER, true],
    ['StringEqualsIfExists', OTHER, true],
    ['Null', 'true', true],
    ['Null', 'false', true],
    ['StringEquals', OTHER, false],
  ])('of a key, a condition %s of %s is a way around it: %s', (operator, value, isOne) => {
    const Condition = { [operator]: { 'kms:RecipientAttestation:PCR0': value } };
    const policy = opened({ Effect: 'Allow', Action: 'kms:Decrypt', Condition });
    expect(found('key.policy', { ...observed, ...keeps({ policy }) })?.observed?.includes('bypass')).toBe(isOne);
  });
});

describe('ignore rules', () => {
  const now = Date.parse('2030-01-01T00:00:00.000Z');
  const ignored = (rule: Partial<IgnoreRule>) => {
    const rules = [{ path: 'host.ami', reason: 'trial', expires: '2030-01-02T00:00:00Z', ...rule }];
    return ignoredBy(rules, 'host.ami', now) !== undefined;
  };
  it.each([
    ['an attribute', {}, true],
    ['a class', { path: 'host' }, true],
    ['half a name', { path: 'hos' }, false],
    ['another attribute', { path: 'tags' }, false],
    ['nothing', { path: '' }, false],
    ['one that has expired', { expires: '2030-01-01T00:00:00Z' }, false],
    ['one without a time', { expires: 'some day' }, false],
  ])('%s', (_reason, rule, expected) => {
    expect(ignored(rule)).toBe(expected);
  });
});

describe('its documentation', () => {
  it('has a line for every attribute, with its severity, repair steps, patience and interruption', async () => {
    const lines = (await readFile('docs/drift.md', 'utf8')).split('\n').filter((line) => line.startsWith('| `'));
    const cells = lines.map((line) => line.split('|').map((cell) => cell.trim()));
    expect(
      cells.map(([, attribute, , severity, steps, patience, interrupting, kind]) => [
        attribute,
        severity,
        steps?.split(', '),
        patience,
        interrupting,
        kind,
      ]),
    ).toEqual(
      ROWS.map(({ attribute, severity, rung, owned, security }) => [
        `\`${attribute}\``,
        severity,
        rung === 'alert' ? ['alert'] : stepsFrom(attribute, rung),
        ENTRIES[attribute].patienceMs === undefined ? '' : `${(ENTRIES[attribute].patienceMs ?? 0) / 60_000} min`,
        interrupts(attribute, rung) ? 'yes' : '',
        owned === 'foreign' ? 'foreign' : security ? 'security' : '',
      ]),
    );
  });
});

describe('the drift table', () => {
  it('gives attributes that are repaired together the same repair steps', () => {
    const polled = ROWS.filter(
      ({ attribute, rung }) => rung !== 'alert' && !/^enclave\.|^host\.running/.test(attribute),
    );
    const steps = new Map<string, string>();
    for (const { attribute, rung } of polled) {
      const all = ENTRIES[attribute].steps.join();
      expect(steps.get(rung) ?? all, attribute).toBe(all);
      steps.set(rung, all);
    }
  });

  it('names only Terraform attributes that the enclave stack owns', () => {
    for (const attribute of ATTRIBUTES) {
      for (const name of ENTRIES[attribute].terraform ?? []) {
        const [type = '', member = ''] = name.split('.');
        const { owned, ownedDefaults = [] }: ResourceType = RESOURCE_TYPES[type as keyof typeof RESOURCE_TYPES];
        const isOwned = owned === 'all' || [...owned, ...ownedDefaults].includes(member);
        expect(isOwned, `${attribute}: ${name}`).toBe(true);
      }
    }
  });

  it.each<[Attribute, DriftRung, boolean]>([
    ['enclave.running', 'restartEnclave', false],
    ['enclave.running', 'restartHost', true],
    ['enclave.proxies', 'restartEnclave', true],
    ['host.instanceType', 'apply', true],
    ['host.metadata', 'apply', false],
    ['host.userData', 'replace', true],
    ['host.userData', 'apply', false],
    ['host.ami', 'alert', false],
  ])('says whether repairing %s by %s interrupts an enclave that serves: %s', (attribute, step, expected) => {
    expect(interrupts(attribute, step)).toBe(expected);
  });
});
