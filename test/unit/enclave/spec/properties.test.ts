/** What holds for every record: totality, idempotence, stable hashes, and that text stays text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { enclaveJsonSchema } from '../../../../src/enclave/spec/reference.ts';
import { parseSpec, recordOf, specHash } from '../../../../src/enclave/spec/spec.ts';
import { context, findings, freeText, record, specOf, validConfig, validTags } from './spec-records.ts';

const runs = { numRuns: 300 };

/** Any JSON value, often with the names the schema knows, so that the inside is reached. */
const anyValue = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.dictionary(
    fc.constantFrom(
      'id',
      'region',
      'walletAddress',
      'tags',
      'policy',
      'providerConfig',
      'name',
      '__proto__',
      'constructor',
    ),
    fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.dictionary(
        fc.constantFrom(
          ...['cpuCount', 'memoryMiB', 'instanceType', 'dockerImage', 'eif', 'exposePorts', 'environmentVariables'],
          ...['healthCheck', 'attestation', 'host', 'egress', 'secrets', 'suspend', 'drift', 'maintenanceWindow'],
          ...['dependsOn', 'deletionPolicy', 'toString', '__proto__', 'expectedMeasurements', 'hibernation'],
        ),
        fc.oneof(
          fc.jsonValue({ maxDepth: 3 }),
          freeText,
          fc.constantFrom('1', '-1', '1.5', 'true', 'a,b', '{"a":1}', '[', '{'),
        ),
      ),
    ),
  ),
);

describe('parseSpec', () => {
  it('returns for any JSON value, with findings that can be shown', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const { spec, errors, warnings } = findings(value);
        expect(spec === undefined).toBe(errors.length > 0);
        for (const issue of [...errors, ...warnings]) {
          expect(issue.message.length).toBeLessThan(2_000);
          expect(issue.message).not.toMatch(/[\n\0]|\[object|undefined/);
          expect(issue.fix).not.toBe('');
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads its own result back unchanged, without coercions', () => {
    fc.assert(
      fc.property(validConfig, validTags, (config, tags) => {
        const spec = specOf(record(config, { tags }));
        const again = findings(record({}, recordOf(spec) as object));
        expect(again.spec).toEqual(spec);
        expect(again.warnings.filter((issue) => issue.code === 'COERCED')).toEqual([]);
      }),
      runs,
    );
  });

  it('never changes what it reads', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const before = JSON.stringify(value);
        parseSpec(value, context);
        expect(JSON.stringify(value)).toBe(before);
      }),
      runs,
    );
  });
});

describe('specHash', () => {
  /** The same map with its keys in another order, at every depth. */
  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, member]) => [key, reversed(member)]),
    );
  };

  /** As the application would store it: numbers and booleans as text, lists with commas, maps as JSON. */
  const legacy = (config: object) =>
    Object.fromEntries(
      Object.entries(config).map(([key, value]) => {
        if (typeof value === 'number' || typeof value === 'boolean') return [key, String(value)];
        if (key === 'exposePorts' || key === 'awsServices') return [key, (value as unknown[]).join(' , ')];
        return [key, typeof value === 'object' && !Array.isArray(value) ? JSON.stringify(value) : value];
      }),
    );

  it('is stable under the order of keys', () => {
    fc.assert(
      fc.property(validConfig, validTags, (config, tags) => {
        const straight = record(config, { tags });
        expect(specHash(specOf(reversed(straight)))).toBe(specHash(specOf(straight)));
      }),
      runs,
    );
  });

  it('is stable under legacy spellings', () => {
    fc.assert(
      fc.property(validConfig, (config) => {
        expect(specHash(specOf(record(legacy(config))))).toBe(specHash(specOf(record(config))));
      }),
      runs,
    );
  });

  it('differs where the spec does', () => {
    fc.assert(
      fc.property(validConfig, validConfig, (one, other) => {
        const [a, b] = [specOf(record(one)), specOf(record(other))];
        // vitest's equality, not the canonical text the hash is made of.
        let equal = true;
        try {
          expect(a).toEqual(b);
        } catch {
          equal = false;
        }
        expect(specHash(a) === specHash(b)).toBe(equal);
      }),
      runs,
    );
  });
});

describe('hostile text', () => {
  /** Every leaf, by its place; values left out: the structure alone. */
  const shape = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shape);
    if (typeof value !== 'object' || value === null) return typeof value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shape(member)]));
  };
  const hostile = fc.oneof(
    freeText,
    fc.constantFrom('${', '%{', '$(', '`', '"', "'").map((text) => text.repeat(100)),
  );

  it('changes no structure: what the run is given differs from a harmless spec in one leaf', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const of = (value: string) =>
          specOf(record({ environmentVariables: { A: value } }, { tags: { team: value.slice(0, 200) } }));
        const spec = of(text);
        // The variables reach Terraform and the host as this JSON.
        const arrived = JSON.parse(JSON.stringify(spec));
        expect(shape(arrived)).toEqual(shape(of('harmless')));
        expect(arrived.environmentVariables.A).toBe(text);
        expect(arrived.tags.team).toBe(text.slice(0, 200));
      }),
      runs,
    );
  });

  it('reaches no field that names something: those take letters, digits and few signs', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('$', '`', '"', "'", '\n', '\\', '{', '%', ';', '|', '&', '<', ' ', '\0', 'é'),
        fc.constantFrom('id', 'region', 'dockerImage', 'instanceType', 'sourceType', 'workloadType', 'restartPolicy'),
        (sign, key) => {
          const text = `m6i.xlarge${sign}x`;
          const raw = key === 'id' || key === 'region' ? record({}, { [key]: text }) : record({ [key]: text });
          expect(findings(raw).errors).not.toEqual([]);
        },
      ),
    );
  });

  it.each([
    ['a text of 300 KB in every field', 'x'.repeat(300_000)],
    ['a text of 300 KB of slashes and colons', '/:'.repeat(150_000)],
    ['a list of 100,000 numbers as text', Array.from({ length: 50_000 }, (_, index) => index).join(',')],
    ['deep JSON', '['.repeat(100_000)],
  ])('%s is refused at once, with a short report', (_, text) => {
    const config = Object.fromEntries(
      Object.keys(specOf(record()))
        .filter((key) => key !== 'region' && key !== 'tags')
        .map((key) => [key, text]),
    );
    const started = performance.now();
    const { errors, warnings } = findings(
      record(config, { id: text, region: text, tags: text, policy: text, [text]: 1 }),
    );
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(errors.length).toBeGreaterThan(10);
    expect(JSON.stringify([errors, warnings]).length).toBeLessThan(100_000);
  });

  it('a list of 100,000 wrong members, and 10,000 unknown fields, give a report of a hundred', () => {
    const junk = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`junk${index}`, index]));
    const sets = Array.from({ length: 100_000 }, () => 1);
    const { errors, warnings } = findings(record({ attestation: { expectedMeasurements: sets }, ...junk }));
    expect(errors.length).toBeLessThanOrEqual(101);
    expect(warnings).toHaveLength(101);
    expect(warnings.at(-1)?.message).toContain('the rest is left out');
  });
});

describe('the JSON schema', () => {
  const schema = z.fromJSONSchema(JSON.parse(enclaveJsonSchema()));

  it('accepts every record that is valid', () => {
    fc.assert(
      fc.property(validConfig, validTags, (config, tags) => {
        expect(schema.safeParse(record(config, { tags })).error?.issues).toBeUndefined();
      }),
      runs,
    );
  });

  it.each([
    ['no id', { id: undefined }],
    ['an id with a slash', { id: 'a/b' }],
    ['a text that is no number', { providerConfig: { cpuCount: '4GB' } }],
    ['a port of 0', { providerConfig: { exposePorts: [0] } }],
    ['an unknown kind of workload', { providerConfig: { workloadType: 'cron' } }],
    ['an unknown deletion policy', { policy: { deletionPolicy: 'retain' } }],
  ])('refuses %s', (_, fields) => {
    expect(schema.safeParse(record({}, fields)).success).toBe(false);
  });
});
