/** What a person typed into a file and no field takes: an error that names what was meant, before anything is deployed. */
import { describe, expect, it } from 'vitest';
import { enclaveJsonSchema } from '../../../src/enclave/spec/reference.ts';
import { FOREIGN_CONFIG } from '../../../src/enclave/spec/spec.ts';
import { cli } from '../../support/cli.ts';
import { appRecord, findings, record } from '../enclave/spec/spec-records.ts';

async function validate(document: object) {
  const { code, out } = await cli(['validate', '-f', '-', '-o', 'json'], { stdin: JSON.stringify(document) });
  const [{ errors, warnings }] = JSON.parse(out);
  return { code, errors, warnings };
}

const policy = (fields: object) => record({}, { policy: fields });

describe('an unknown field of providerConfig or policy in a file', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['providerConfig.dockerimage', record({ dockerimage: 'ghcr.io/acme/signer:1' }), 'Did you mean dockerImage?'],
    ['providerConfig.memoryMib', record({ memoryMib: 4_096 }), 'Did you mean memoryMiB?'],
    ['providerConfig.nonsense1', record({ nonsense1: null }), '`enclavectl explain providerConfig` lists the fields.'],
    ['providerConfig.healthCheck.prot', record({ healthCheck: { prot: 80 } }), 'Did you mean port?'],
    ['providerConfig.healthCheck.prot', record({ healthCheck: '{"prot":80}' }), 'Did you mean port?'],
    [
      'providerConfig.secrets[0].secretARN',
      record({ secrets: [{ name: 'A', kmsCiphertextUri: 's3://bucket/key', secretARN: 'x' }] }),
      'Did you mean secretArn?',
    ],
    ['providerConfig.suspend', record({ suspend: true }), 'policy.suspend'],
    ['policy.suspended', policy({ suspended: true }), 'Did you mean suspend?'],
    ['policy.drift.mod', policy({ drift: { mod: 'alert' } }), 'Did you mean mode?'],
    ['policy.drift.ignore[0].reson', policy({ drift: { ignore: [{ reson: 'x' }] } }), 'Did you mean reason?'],
    ['providerConfig.memoryMib', record({}, { providerConfig: '{"memoryMib":4096}' }), 'Did you mean memoryMiB?'],
  ])('%s is an error of `enclavectl validate`', async (field, document, says) => {
    const { code, errors, warnings } = await validate(document);
    expect(errors).toContainEqual({
      ...{ field, code: 'UNKNOWN_FIELD', message: `${field} is not a known field` },
      fix: expect.stringContaining(says),
    });
    expect(warnings).not.toContainEqual(expect.objectContaining({ code: 'UNKNOWN_FIELD' }));
    expect(code).toBe(1);
  });

  it('an unknown field stays an error even when more warnings exist than are reported', async () => {
    const exposePorts = Array.from({ length: 32 }, (_, n) => String(10_000 + n));
    const environmentVariables = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`V${n}`, n]));
    const { code, errors } = await validate(record({ exposePorts, environmentVariables, memoryMib: 4_096 }));
    expect(errors).toMatchObject([{ field: 'providerConfig.memoryMib', code: 'UNKNOWN_FIELD' }]);
    expect(code).toBe(1);
  });

  it('a stored record gets only a warning', () => {
    for (const stored of [record({ memoryMib: 4_096 }), policy({ suspended: true }), record({}, { polcy: {} })]) {
      const { spec, errors, warnings } = findings(stored);
      expect(spec).toBeDefined();
      expect(errors).toEqual([]);
      expect(warnings).toContainEqual(expect.objectContaining({ code: 'UNKNOWN_FIELD' }));
    }
  });
});

describe('an unknown field at the top of a file', () => {
  it.each<[string, unknown, string]>([
    ['polcy', {}, 'Did you mean policy?'],
    ['providerconfig', {}, 'Did you mean providerConfig?'],
    ['dockerImage', 'nginx', 'Did you mean providerConfig.dockerImage?'],
    ['memoryMib', 4_096, 'Did you mean providerConfig.memoryMiB?'],
    ['suspend', true, 'Did you mean policy.suspend?'],
  ])('a top-level field that resembles a known one is an error: %s', async (field, value, fix) => {
    const { code, errors } = await validate(record({}, { [field]: value }));
    expect(errors).toMatchObject([{ field, code: 'UNKNOWN_FIELD', fix }]);
    expect(code).toBe(1);
  });

  it.each(['team', 'kind', 'labels', 'x-notes', 'version'])(
    'a top-level field that resembles none is a warning: %s',
    async (field) => {
      const { code, errors, warnings } = await validate(record({}, { [field]: 'x' }));
      expect(errors).toEqual([]);
      expect(warnings).toMatchObject([{ field, code: 'UNKNOWN_FIELD' }]);
      expect(code).toBe(0);
    },
  );
});

describe('a record that was exported to a file', () => {
  it('validate accepts an exported record', async () => {
    const { providerConfig } = appRecord;
    const exported = {
      ...appRecord,
      ...{
        status: 'DEPLOYED',
        updated_at: '2026-01-02T03:04:05Z',
        instance_id: 'i-1',
        error_message: '',
        error_type: '',
      },
      ...{ architecture: 'vsocket-v2', workload_type: 'batch', configuration: 'main.tf', operator: { phase: 'ready' } },
      ...{ githubConnection: { isConnected: false }, sourceType: 'registry', buildId: 'b' },
      providerConfig: { ...providerConfig, instanceId: 'i-1', compliance: ['SOC2'], signingAddress: '0x1' },
    };
    expect(await validate(exported)).toMatchObject({ code: 0, errors: [] });
    const asText = { ...exported, providerConfig: JSON.stringify(exported.providerConfig) };
    expect(await validate(asText)).toMatchObject({ code: 0, errors: [] });
  });
});

describe('the JSON schema', () => {
  type Node = { readonly [key: string]: unknown };
  const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;
  /** Maps with named members, by path; those whose members have any name are left out. */
  const maps = (node: Node, path: string): readonly (readonly [string, Node])[] => {
    const properties = isNode(node.properties) ? node.properties : {};
    const inside = Object.entries(properties).filter((entry): entry is [string, Node] => isNode(entry[1]));
    const here = Object.keys(properties).length === 0 ? [] : [[path, node] as const];
    const items = isNode(node.items) ? maps(node.items, `${path}[]`) : [];
    return [...here, ...items, ...inside.flatMap(([name, member]) => maps(member, `${path}.${name}`))];
  };
  const { properties } = JSON.parse(enclaveJsonSchema());

  it.each(['providerConfig', 'policy'])('the JSON schema allows no unknown field anywhere in %s', (part) => {
    const found = maps(properties[part], part);
    expect(found.length).toBeGreaterThan(2);
    expect(found.filter(([, node]) => node.additionalProperties !== false).map(([path]) => path)).toEqual([]);
  });

  it('the JSON schema allows the providerConfig fields of other writers', () => {
    expect(FOREIGN_CONFIG.size).toBeGreaterThan(0);
    expect(Object.keys(properties.providerConfig.properties)).toEqual(expect.arrayContaining([...FOREIGN_CONFIG]));
  });
});
