/** The enclave stack as it is synthesized: what arrives where, and what never stands in its text. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type EnclaveStackOptions, synthesizeEnclave } from '../../../../infra/enclave/index.ts';
import { ProviderConfigSchema } from '../../../../src/enclave/spec/schema.ts';
import type { EnclaveSpec } from '../../../../src/enclave/spec/spec.ts';
import { ARRIVALS, CONFIGURATION } from '../../../support/enclave-fields.ts';
import {
  AMI,
  ENCLAVE_ID,
  FACTS,
  optionsOf,
  optionsWith,
  REGION,
  specOf,
  variablesOf,
} from '../../../support/enclave-stack.ts';
import { LEGACY } from '../../../support/legacy.ts';

const folder = mkdtempSync(join(tmpdir(), 'enclave-synth-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Tree = Readonly<Record<string, unknown>>;
interface Files {
  /** `cdk.tf.json` as text. */
  readonly text: string;
  readonly stack: Tree;
  readonly values: Tree;
}

function synthesize(options: EnclaveStackOptions): Files {
  const working = synthesizeEnclave(options, folder);
  const text = readFileSync(join(working, 'cdk.tf.json'), 'utf8');
  const values = JSON.parse(readFileSync(join(working, 'terraform.tfvars.json'), 'utf8'));
  return { text, stack: JSON.parse(text), values };
}

function at(tree: unknown, path: string): unknown {
  return path.split('.').reduce((node, key) => (node as Tree | undefined)?.[key], tree);
}

/** What an attribute is once Terraform has put in the variables; of an expression, all that are in it. */
function attribute({ stack, values }: Files, path: string): unknown {
  const [first = '', ...rest] = path.split('.');
  const found =
    first === 'provider' ? at(stack, `provider.aws.0.${rest.slice(1).join('.')}`) : at(stack.resource, path);
  if (typeof found !== 'string') return found;
  const [, whole] = /^\$\{var\.([\w.]+)\}$/.exec(found) ?? [];
  if (whole !== undefined) return at(values, whole);
  return [...found.matchAll(/var\.([\w.]+)/g)].map(([, name = '']) => at(values, name));
}

const filesOf = (fields: Tree) => synthesize(optionsWith(fields));

describe('where the specification arrives', () => {
  it.each(ARRIVALS)('$field', (arrival) => {
    const { field, value, beside, attributes, holds } = arrival;
    const files = filesOf({ ...beside, [field]: value });
    const plain = filesOf(beside ?? {});
    expect(at(JSON.parse(attribute(files, CONFIGURATION) as string).spec, field)).toEqual(value);
    for (const path of attributes) {
      const arrived = attribute(files, path);
      if (holds === undefined) expect(arrived, path).toEqual(value);
      else expect(JSON.stringify(arrived).replaceAll('\\"', '"'), path).toContain(holds);
      expect(arrived, `${path} without it`).not.toEqual(attribute(plain, path));
    }
  });

  it('knows every field there is', () => {
    const known = ARRIVALS.map(({ field }) => field);
    const wanted = [...Object.keys(ProviderConfigSchema.shape), 'region', 'tags'].filter(
      (field) => !known.includes(field),
    );
    // Maps of which each member goes its own way; hibernation is refused where it is true.
    expect(wanted).toEqual(['attestation', 'host', 'logs']);
    const members = (['attestation', 'host', 'logs'] as const).flatMap((map) =>
      Object.keys(specOf()[map]).map((member) => `${map}.${member}`),
    );
    expect(members.filter((field) => !known.includes(field))).toEqual([]);
  });

  it('is told to people as it is', () => {
    const page = readFileSync(new URL('../../../../docs/enclave-stack.md', import.meta.url), 'utf8');
    const [, table = ''] = page.split('## Where each field');
    for (const { field, attributes } of ARRIVALS) {
      const [row = ''] = table.split('\n').filter((line) => line.startsWith(`| \`${field}\` |`));
      expect(row, `docs/enclave-stack.md has a row for ${field}`).not.toBe('');
      for (const path of attributes) expect(row).toContain(`\`${path}\``);
    }
  });
});

/** A value of the same shape whose every text is another. */
function withTexts(value: unknown, next: () => string): unknown {
  if (typeof value === 'string') return next();
  if (Array.isArray(value)) return value.map((item) => withTexts(item, next));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withTexts(member, next)]));
}

describe('text of a record', () => {
  const whole = specOf(
    {
      eif: { uri: 's3://images/app.eif', sha256: '0f'.repeat(32) },
      environmentVariables: { A: 'a', B: 'b' },
      secrets: [{ name: 'KEY', kmsCiphertextUri: 's3://secrets/key' }],
      attestation: { expectedMeasurements: [{ pcr0: 'ab'.repeat(48) }] },
      exposePorts: [8080],
      ingressCidrs: ['10.0.0.0/8'],
      egress: { allow: ['example.com:443'] },
      host: { subnetId: 'subnet-0123456789abcdef0', securityGroupIds: ['sg-0123456789abcdef0'] },
    },
    { team: 'signing' },
  );
  const hostile = fc.oneof(
    fc.constantFrom('${var.region}', '%{ if true }', '$${', '"}', '\\', '\n', '${file("/etc/passwd")}', '*', '\u2028'),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );

  // JSON.parse of Node 24 takes the member "k\n" for a member "k\" it met before: this test could not read its file.
  const name = hostile.filter((text) => !text.includes('\\'));

  it('never stands in the stack, whatever it is, and arrives unchanged in the variables', () => {
    const { text } = synthesize(optionsOf(whole));
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 40 }), name, (texts, key) => {
        let used = 0;
        const next = () => texts[used++ % texts.length] ?? '';
        const { awsServices } = whole;
        const spec = { ...(withTexts(whole, next) as EnclaveSpec), awsServices, tags: { [`k${key}`]: next() } };
        const files = synthesize(optionsOf(undefined, { variables: variablesOf(spec, { walletAddress: key }) }));
        expect(files.text).toBe(text);
        expect(at(files.values, 'ec2_tags')).toMatchObject(spec.tags);
        expect(JSON.parse(files.values.configuration_content as string).spec).toEqual(spec);
      }),
      { numRuns: 60 },
    );
  });

  it('cannot widen a policy: what would be a pattern means itself', () => {
    const spec = { ...whole, eif: { uri: 's3://images/*/${aws:userid}?', sha256: '' } };
    const { Statement } = JSON.parse(at(synthesize(optionsOf(spec)).values, 'role.host_policy') as string);
    expect(Statement.find(({ Sid }: { Sid: string }) => Sid === 'ImageFile').Resource).toEqual([
      'arn:aws:s3:::images/${*}/${$}{aws:userid}${?}',
    ]);
  });

  it.each(['enclaves/../x', 'a/${x}', 'a/b c', '/a/b'])('is refused as a state key: %s', (stateKey) => {
    const variables = variablesOf(specOf(), { stateKey });
    expect(() => synthesize(optionsOf(undefined, { variables }))).toThrow('stateKey');
  });
});

describe('the structure of the stack', () => {
  const host = (files: Files) => at(files.stack.resource, 'aws_instance.enclave_instance') as Tree;
  const ignored = (files: Files) => at(host(files), 'lifecycle.ignore_changes');
  const scripts = { bucket: 'treza-enclave-scripts-x', objects: { parent_proxy: 'parent_proxy.py' } };

  it('hardens the host', () => {
    const files = synthesize(optionsOf(specOf()));
    expect(host(files)).toMatchObject({
      enclave_options: { enabled: true },
      metadata_options: { http_tokens: 'required', http_endpoint: 'enabled' },
      user_data_replace_on_change: false,
    });
    expect(host(files)).not.toHaveProperty('key_name');
    expect(files.values.host).toMatchObject({ root_encrypted: true, public_ip: false, imds_hop_limit: 1 });
  });

  it('keeps its provisioners, null resources and data sources at none', () => {
    const { stack, text } = synthesize(optionsOf(specOf()));
    expect(stack).not.toHaveProperty('data');
    expect(text).not.toMatch(/provisioner|null_resource|most_recent/);
  });

  it('bounds how often the provider tries a call again, so that a shortage of capacity surfaces within a minute', () => {
    const retries = (options: EnclaveStackOptions) => at(synthesize(options).stack, 'provider.aws.0.max_retries');
    expect(retries(optionsOf(specOf()))).toBe(10);
    expect(retries(optionsOf(specOf(), { emulatorUrl: 'http://127.0.0.1:5000' }))).toBe(2);
  });

  it('pins provider and Terraform, and locks its state in S3', () => {
    const { stack } = synthesize(optionsOf(specOf()));
    expect(stack.terraform).toMatchObject({
      required_version: '>= 1.11',
      required_providers: { aws: { version: '= 5.100.0' } },
      backend: {
        s3: { key: `enclaves/${ENCLAVE_ID}/terraform.tfstate`, use_lockfile: true, encrypt: true },
      },
    });
    expect(at(stack.terraform, 'backend.s3')).not.toHaveProperty('dynamodb_table');
    const both = { ...FACTS, terraformState: { ...FACTS.terraformState, lockTable: 'treza-test-terraform-locks' } };
    expect(at(synthesize(optionsOf(specOf(), { facts: both })).stack.terraform, 'backend.s3')).toMatchObject({
      use_lockfile: true,
      dynamodb_table: 'treza-test-terraform-locks',
    });
  });

  it('leaves image, user data and a chosen subnet alone, unless the host is to be replaced', () => {
    expect(ignored(synthesize(optionsOf(specOf())))).toEqual(['ami', 'user_data', 'subnet_id']);
    const own = specOf({ host: { subnetId: 'subnet-0aaaaaaaaaaaaaaaa' } });
    expect(ignored(synthesize(optionsOf(own)))).toEqual(['ami', 'user_data']);
    const variables = variablesOf(specOf(), { change: 'replace' });
    expect(ignored(synthesize(optionsOf(undefined, { variables })))).toEqual(['user_data']);
  });

  it('takes the image of the specification, else the chosen one, else the pinned one', () => {
    const pinned = { amiId: 'ami-0bbbbbbbbbbbbbbbb' };
    const ami = (spec: EnclaveSpec, amiId?: string) => {
      const chosen = { subnetId: 'subnet-0123456789abcdef0', amiId };
      return at(
        synthesize(optionsOf(undefined, { variables: variablesOf(spec, { pinned }), chosen })).values,
        'host.ami',
      );
    };
    expect(ami(specOf({ host: { amiId: 'ami-0cccccccccccccccc' } }), AMI)).toBe('ami-0cccccccccccccccc');
    expect(ami(specOf(), AMI)).toBe(AMI);
    expect(ami(specOf())).toBe('ami-0bbbbbbbbbbbbbbbb');
  });

  it('changes configuration and the tag of the generation alone for what concerns the enclave', () => {
    const [before, after] = [
      specOf({ instanceType: 'm6i.4xlarge' }),
      specOf({ instanceType: 'm6i.4xlarge', cpuCount: 4 }),
    ];
    const one = synthesize(optionsOf(before));
    const two = synthesize(optionsOf(undefined, { variables: variablesOf(after, { generation: 2 }) }));
    expect(two.text).toBe(one.text);
    const different = Object.keys(two.values).filter(
      (name) => JSON.stringify(two.values[name]) !== JSON.stringify(one.values[name]),
    );
    expect(different).toEqual(['generation', 'configuration_content']);
  });

  it('is empty where there is no specification: enough to destroy, even where the platform has left', () => {
    const { stack } = synthesize(optionsOf(undefined, { facts: { ...FACTS, regions: {} }, chosen: {} }));
    expect(stack).not.toHaveProperty('resource');
    expect(at(stack.terraform, 'backend.s3.key')).toBe(`enclaves/${ENCLAVE_ID}/terraform.tfstate`);
  });

  it('makes a key only for measurements, forgets it otherwise, and keeps one the state has', () => {
    const measured = specOf({ attestation: { expectedMeasurements: [{ pcr0: 'ab'.repeat(48) }] } });
    expect(synthesize(optionsOf(measured)).stack.resource).toHaveProperty('aws_kms_key.enclave_key');
    const without = synthesize(optionsOf(specOf()));
    expect(without.stack.resource).not.toHaveProperty('aws_kms_key');
    expect(without.stack.removed).toEqual([
      { from: 'aws_kms_key.enclave_key', lifecycle: { destroy: false } },
      { from: 'aws_kms_alias.enclave_key_alias', lifecycle: { destroy: false } },
    ]);
    const chosen = { ...optionsOf(specOf()).chosen, hasKey: true };
    const kept = synthesize(optionsOf(specOf(), { chosen }));
    expect(kept.stack.resource).toHaveProperty('aws_kms_key.enclave_key');
    expect(at(kept.values, 'key.policy')).not.toContain('kms:Decrypt');
  });

  it('leaves a host of the old pipeline as it is, and adds nothing beside it', () => {
    const files = synthesize(optionsOf(specOf(), { chosen: { legacy: LEGACY, scripts } }));
    expect(ignored(files)).toEqual(
      expect.arrayContaining([
        'ami',
        'key_name',
        'subnet_id',
        'root_block_device',
        'metadata_options',
        'user_data_base64',
      ]),
    );
    expect(files.values).toEqual({ region: REGION, tags: LEGACY.tags, legacy: LEGACY, scripts });
    const addresses = Object.entries(files.stack.resource as Tree).flatMap(([type, named]) =>
      Object.keys(named as Tree).map((name) => `${type}.${name}`),
    );
    expect(addresses.sort()).toEqual([
      'aws_cloudwatch_log_group.enclave_logs',
      'aws_iam_instance_profile.enclave_instance_profile',
      'aws_iam_role.enclave_instance_role',
      'aws_iam_role_policy.enclave_cloudwatch_policy',
      'aws_instance.enclave_instance',
      'aws_s3_bucket.enclave_scripts',
      'aws_s3_object.parent_proxy',
      'aws_security_group.enclave_sg',
    ]);
    expect(Object.keys(files.stack.output as Tree)).toEqual(['architecture', 'instance_id']);
    expect(files.text).not.toContain('treza-enclave-sg-old');
  });

  it('keeps the bucket such a host booted from also beside a host of our own', () => {
    const files = synthesize(optionsOf(specOf(), { chosen: { ...optionsOf(specOf()).chosen, scripts } }));
    expect(at(files.stack.resource, 'aws_s3_bucket.enclave_scripts.lifecycle')).toEqual({ ignore_changes: 'all' });
    expect(at(files.stack.resource, 'aws_s3_object.parent_proxy.lifecycle')).toEqual({ ignore_changes: 'all' });
    expect(files.stack.resource).toHaveProperty('aws_iam_role_policy.enclave_host_policy');
  });

  it('says what is missing', () => {
    const spec = specOf();
    const elsewhere = variablesOf({ ...spec, region: 'eu-west-1' }, { region: 'eu-west-1' });
    const cases: readonly (readonly [Partial<EnclaveStackOptions>, string])[] = [
      [{ variables: elsewhere }, 'the platform does not cover'],
      [{ chosen: { amiId: AMI } }, 'name host.subnetId'],
      [{ chosen: { subnetId: 'subnet-0123456789abcdef0' } }, 'name host.amiId'],
      [{ chosen: { legacy: LEGACY, scripts: { bucket: 'b', objects: { 'a"]}': 'k' } } } }, 'no Terraform name'],
      [{ chosen: { legacy: { ...LEGACY, outputs: { '${x}': 'v' } } } }, 'no Terraform name'],
    ];
    for (const [more, says] of cases) expect(() => synthesize(optionsOf(spec, more))).toThrow(says);
  });
});
