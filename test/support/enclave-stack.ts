/** An enclave and a platform to synthesize stacks from. */
// Not by its index: what loads cdktf is measured.
import { type PlatformFacts, PlatformFactsSchema } from '../../infra/enclave/platform-facts.ts';
import type { EnclaveStackOptions } from '../../infra/enclave/synthesize.ts';
import { type RunVariables, RunVariablesSchema } from '../../src/enclave/items/run.ts';
import { STACK_VERSION, stateKey } from '../../src/enclave/names.ts';
import { type EnclaveSpec, parseSpec } from '../../src/enclave/spec/spec.ts';

export const ENCLAVE_ID = 'enc_1755986905612_ouocac870';
export const ACCOUNT = '123456789012';
export const REGION = 'us-west-2';
export const AMI = 'ami-0123456789abcdef0';
export const SUBNET = 'subnet-0123456789abcdef0';

export const FACTS: PlatformFacts = PlatformFactsSchema.parse({
  environment: 'test',
  prefix: 'treza-test',
  accountId: ACCOUNT,
  stateTable: 'treza-test-operator-state',
  stateTableRegion: REGION,
  terraformState: { bucket: 'treza-test-terraform-state', region: REGION },
  plans: { bucket: 'treza-test-plans', region: REGION, prefix: 'plans/' },
  rolePath: '/enclaves/',
  permissionsBoundaryArn: `arn:aws:iam::${ACCOUNT}:policy/treza-test-enclave-boundary`,
  keyAdministratorArns: [`arn:aws:iam::${ACCOUNT}:role/treza-test-runner`],
  agent: { key: 'agent/0f/agent.tar.gz', sha256: '0f'.repeat(32), version: '1.0.0' },
  regions: {
    [REGION]: {
      vpcId: 'vpc-0123456789abcdef0',
      vpcCidr: '10.0.0.0/16',
      subnets: [{ id: SUBNET, zone: 'us-west-2a' }],
      endpointSecurityGroupId: 'sg-00000000000000001',
      prefixListIds: ['pl-0000000000000000b', 'pl-0000000000000000a'],
      configurationBucket: 'treza-test-configuration',
    },
  },
});

/** The spec of a record with these fields; a record that is not valid fails the test. */
export function specOf(config: object = {}, tags: Readonly<Record<string, string>> = {}): EnclaveSpec {
  const providerConfig = { dockerImage: 'hello-world', ...config };
  const record = { id: ENCLAVE_ID, walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7', providerConfig, tags };
  const result = parseSpec(record, { regions: [], defaultRegion: REGION, environment: 'dev' });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.spec;
}

export function variablesOf(spec: EnclaveSpec | undefined, more: Partial<RunVariables> = {}): RunVariables {
  return RunVariablesSchema.parse({
    region: REGION,
    environment: 'test',
    stateKey: stateKey(ENCLAVE_ID),
    stackVersion: STACK_VERSION,
    walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7',
    generation: 1,
    ...(spec === undefined ? {} : { spec }),
    pinned: {},
    ...more,
  });
}

export function optionsOf(spec: EnclaveSpec | undefined, more: Partial<EnclaveStackOptions> = {}): EnclaveStackOptions {
  return {
    enclaveId: ENCLAVE_ID,
    variables: variablesOf(spec),
    facts: FACTS,
    chosen: { subnetId: SUBNET, amiId: AMI },
    ...more,
  };
}

type Tree = Readonly<Record<string, unknown>>;

const nested = (path: string, value: unknown): Tree =>
  path
    .split('.')
    .reverse()
    .reduce<unknown>((inner, key) => ({ [key]: inner }), value) as Tree;

function merged(a: Tree, b: Tree): Tree {
  const isTree = (value: unknown): value is Tree =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => {
      const [left, right] = [a[key], b[key]];
      return [key, isTree(left) && isTree(right) ? merged(left, right) : (right ?? left)];
    }),
  );
}

const WITH_ENDPOINTS = {
  ...FACTS.regions[REGION],
  interfaceEndpoints: ['kms', 'secretsmanager', 'ecr', 'logs', 'ssm', 'sts', 'sns'],
};
const facts = { ...FACTS, regions: { [REGION]: WITH_ENDPOINTS, 'us-east-1': WITH_ENDPOINTS } } as typeof FACTS;

/** Options of a record with these fields, by path (`host.amiId`), on a platform with endpoints in two regions. */
export function optionsWith(fields: Tree): EnclaveStackOptions {
  const { region, tags, ...config } = Object.entries(fields)
    .map(([path, value]) => nested(path, value))
    .reduce(merged, {});
  const spec = { ...specOf(config, tags as Record<string, string> | undefined), ...(region ? { region } : {}) };
  const variables = variablesOf(spec as EnclaveSpec, { region: spec.region as string });
  return optionsOf(undefined, { variables, facts });
}
