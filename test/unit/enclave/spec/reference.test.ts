/** What is generated from the schema, and what explain tells. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explainField, type FieldDoc, nearestField } from '../../../../src/enclave/spec/explain.ts';
import { conditionsReference, enclaveJsonSchema, enclaveReference } from '../../../../src/enclave/spec/reference.ts';
import { record, specOf } from './spec-records.ts';

describe('generated files', () => {
  it.each([
    ['schema/enclave.schema.json', enclaveJsonSchema],
    ['docs/enclave.md', enclaveReference],
    ['docs/conditions.md', conditionsReference],
  ])('%s is current: `npm run docs` writes it', (path, render) => {
    expect(readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8')).toBe(render());
  });
});

const all = (doc: FieldDoc): FieldDoc[] => [doc, ...doc.fields.flatMap(all)];

describe('explainField', () => {
  const fields = all(explainField()!);

  it('tells type, unit, range, default and what a change does', () => {
    expect(explainField('providerConfig.memoryMiB')).toEqual({
      path: 'providerConfig.memoryMiB',
      type: 'integer',
      meaning: 'Memory of the enclave; at least four times the size of its image.',
      required: false,
      unit: 'MiB',
      range: '64 to 16777216',
      default: '1024',
      change: 'enclaveRestart',
      fields: [],
    });
  });

  it.each([
    ['cpuCount', 'providerConfig.cpuCount'],
    ['healthCheck.port', 'providerConfig.healthCheck.port'],
    ['exposePorts[0]', 'providerConfig.exposePorts'],
    ['tags.team', 'tags'],
    ['policy.drift.mode', 'policy.drift.mode'],
    ['attestation.expectedMeasurements.pcr0', 'providerConfig.attestation.expectedMeasurements.pcr0'],
  ])('finds %s', (asked, path) => {
    expect(explainField(asked)?.path).toBe(path);
  });

  it.each(['nope', 'providerConfig.nope', 'id.x', '__proto__', 'constructor', 'providerConfig.toString'])(
    'does not find %s',
    (asked) => {
      expect(explainField(asked)).toBeUndefined();
    },
  );

  it.each([
    ['cpucont', 'providerConfig.cpuCount'],
    ['polcy.suspend', 'policy.suspend'],
    ['helthCheckPath', 'providerConfig.healthCheckPath'],
  ])('knows that %s was to be %s', (typed, meant) => {
    expect(nearestField(typed)).toBe(meant);
  });

  it('knows of every field of a spec what a change does', () => {
    const spec = specOf(record());
    const paths = Object.keys(spec).map((key) => (key === 'region' || key === 'tags' ? key : `providerConfig.${key}`));
    expect(paths.filter((path) => explainField(path)?.change === undefined)).toEqual([]);
  });

  it('has a meaning, and limits or a form, for every field', () => {
    const free = /^(status|name|description)$/;
    const vague = fields.filter(
      (doc) => doc.meaning === '' || (doc.fields.length === 0 && doc.range === undefined && !free.test(doc.path)),
    );
    expect(vague.map(({ path }) => path)).toEqual([]);
  });

  it('has every field on the reference page', () => {
    const page = enclaveReference();
    expect(fields.filter(({ path }) => !page.includes(`\`${path.split('.').at(-1)}\``))).toEqual([
      expect.objectContaining({ path: '' }),
    ]);
  });
});
