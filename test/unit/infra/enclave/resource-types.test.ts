/** The table of resource types against every form of the stack that can be synthesized. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type EnclaveStackOptions, synthesizeEnclave } from '../../../../infra/enclave/index.ts';
import { plannedFindings } from '../../../../src/drift/planned.ts';
import { comparedAttributes, RESOURCE_TYPES, type ResourceType } from '../../../../src/enclave/resource-types.ts';
import { aLifecycle } from '../../../support/conformance-harness.ts';
import { ARRIVALS } from '../../../support/enclave-fields.ts';
import { optionsOf, optionsWith, specOf, variablesOf } from '../../../support/enclave-stack.ts';
import { LEGACY } from '../../../support/legacy.ts';

const folder = mkdtempSync(join(tmpdir(), 'resource-types-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TABLE: Readonly<Record<string, ResourceType>> = RESOURCE_TYPES;
/** Of Terraform and of cdktf, not of the resource. */
const META = new Set(['//', 'depends_on', 'lifecycle']);

type Resources = Readonly<Record<string, Readonly<Record<string, object>>>>;

function synthesized(options: EnclaveStackOptions): Resources {
  const text = readFileSync(join(synthesizeEnclave(options, folder), 'cdk.tf.json'), 'utf8');
  return JSON.parse(text).resource ?? {};
}

const measured = specOf({
  awsServices: ['kms'],
  attestation: { expectedMeasurements: [{ pcr0: 'ab'.repeat(48) }] },
  egress: { allow: ['example.com:443'] },
  secrets: [{ name: 'KEY', kmsCiphertextUri: 's3://secrets/key' }],
});
const scripts = { bucket: 'treza-enclave-scripts-x', objects: { parent_proxy: 'parent_proxy.py' } };
const { chosen } = optionsOf(specOf());

const VARIANTS: readonly Resources[] = [
  ...ARRIVALS.map(({ field, value, beside }) => optionsWith({ ...beside, [field]: value })),
  optionsOf(specOf()),
  optionsOf(measured),
  optionsOf(undefined, { variables: variablesOf(measured, { change: 'replace' }) }),
  optionsOf(specOf(), { chosen: { ...chosen, hasKey: true } }),
  optionsOf(specOf(), { chosen: { ...chosen, scripts } }),
  optionsOf(specOf(), { chosen: { legacy: LEGACY, scripts } }),
  optionsOf(undefined),
].map(synthesized);

interface Synthesized {
  readonly names: ReadonlySet<string>;
  readonly attributes: ReadonlySet<string>;
}

/** By type: the names in the state, and every attribute that one of its resources sets in some variant. */
const STACK: ReadonlyMap<string, Synthesized> = new Map(
  [...Map.groupBy(VARIANTS.flatMap(Object.entries<Resources[string]>), ([type]) => type)].map(([type, entries]) => {
    const resources = entries.flatMap(([, named]) => Object.entries(named));
    const attributes = resources.flatMap(([, set]) => Object.keys(set)).filter((name) => !META.has(name));
    return [type, { names: new Set(resources.map(([name]) => name)), attributes: new Set(attributes) }];
  }),
);

describe('the table of resource types', () => {
  it('has an entry for every type that the stack synthesizes, and no other entry', () => {
    expect([...STACK.keys()].sort()).toEqual(Object.keys(TABLE).sort());
  });

  it.each(Object.entries(TABLE))('has the names that the stack gives resources of %s', (type, { names }) => {
    // Scripts of the legacy pipeline keep the names that its state has for them.
    const found = [...(STACK.get(type)?.names ?? [])].filter((name) => !(name in scripts.objects));
    expect(found.sort()).toEqual([...names].sort());
  });

  it.each(Object.entries(TABLE))('accounts for every attribute that the stack sets of %s, once', (type, entry) => {
    const { owned, ownedDefaults = [], immutable = [], unowned = [] } = entry;
    const set = [...(STACK.get(type)?.attributes ?? [])].sort();
    if (owned === 'all') {
      expect([ownedDefaults, immutable, unowned]).toEqual([[], [], []]);
      return;
    }
    expect([...new Set([...owned, ...immutable, ...unowned])].sort()).toEqual(set);
    expect(unowned.filter((name) => owned.includes(name) || immutable.includes(name))).toEqual([]);
    expect(ownedDefaults.filter((name) => set.includes(name))).toEqual([]);
  });

  it.each(Object.entries(TABLE))('can list %s if a run is to import it', (_, { adoption, inventory }) => {
    if (adoption === 'import') expect(inventory).toBeDefined();
  });
});

describe('a difference in a plan', () => {
  const found = (type: string, attribute: string) => {
    const lifecycle = aLifecycle('enc_1', {
      phase: 'ready',
      generation: 1,
      observedGeneration: 1,
      planned: {
        askedAt: '2030-01-01T00:00:00.000Z',
        at: '2030-01-01T00:05:00.000Z',
        run: 'drift-1-1',
        generation: 1,
        verdict: 'Drift',
        differences: [{ address: `${type}.x`, attributes: [attribute] }],
        digest: 'd',
        failures: 0,
      },
    });
    return plannedFindings(lifecycle).map((finding) => finding.attribute);
  };
  /** Only an alert of the state as a whole: nothing repairs them. */
  const UNMAPPED = ['aws_instance.subnet_id', 'aws_s3_bucket.*'];

  it.each(Object.keys(TABLE))('of %s belongs to a drift attribute of its own, whatever differs', (type) => {
    for (const attribute of ['*', ...(comparedAttributes(type) ?? [])]) {
      const [finding, ...others] = found(type, attribute);
      expect(others).toEqual([]);
      expect(finding === 'terraform.state', `${type}.${attribute}: ${finding}`).toBe(
        UNMAPPED.includes(`${type}.${attribute}`),
      );
    }
  });
});
