/** Platforms for tests: each environment as it is, and one that takes over all an installation can have, its VPC too. */
import {
  buildPlatform,
  ENVIRONMENT_NAMES,
  environmentConfig,
  type PlacedConfig,
  placed,
} from '../../infra/platform/index.ts';
import type { JsonMap } from '../../src/enclave/json.ts';

export const ACCOUNT = '123456789012';
export const AGENT = { key: `agents/${'a'.repeat(64)}.tar.gz`, sha256: 'a'.repeat(64), version: '1.0.0' };

export const takenOver: PlacedConfig = {
  ...placed(environmentConfig('dev'), ACCOUNT),
  adopt: true,
  regions: {
    'us-west-2': {
      network: {
        kind: 'existing',
        vpcId: 'vpc-0123456789abcdef0',
        cidr: '172.31.0.0/16',
        subnets: [
          { id: 'subnet-0a1b2c3d4e5f60718', zone: 'us-west-2a' },
          { id: 'subnet-0b1b2c3d4e5f60718', zone: 'us-west-2b' },
        ],
        prefixListIds: ['pl-68a54001'],
      },
    },
  },
  operator: { ...placed(environmentConfig('dev'), ACCOUNT).operator, attestationTrail: true },
  legacyHosts: true,
  existing: {
    stateBucket: 'treza-dev-terraform-state-0123abcd',
    lockTable: 'treza-dev-terraform-locks',
    roles: { runner: 'treza-dev-ecs-task', execution: 'treza-dev-ecs-execution', workflows: 'treza-dev-states' },
  },
};

export const configs: readonly (readonly [string, PlacedConfig])[] = [
  ...ENVIRONMENT_NAMES.map((name) => [name, placed(environmentConfig(name), ACCOUNT)] as const),
  ['dev, taken over', takenOver],
];

export interface Synthesized {
  readonly resource: Readonly<Record<string, Readonly<Record<string, JsonMap>>>>;
  readonly provider: { readonly aws: readonly JsonMap[] };
  readonly terraform: JsonMap;
  readonly output?: JsonMap;
  readonly import?: readonly { readonly to: string; readonly id: string }[];
}

export function build(config: PlacedConfig) {
  const { terraform, policies } = buildPlatform({ config, agent: AGENT });
  // As Terraform reads it.
  return { terraform: JSON.parse(JSON.stringify(terraform)) as Synthesized, policies };
}
