/** What the runner is told of the platform: `PLATFORM_FACTS`, of the shape `infra/enclave` defines. */
import type { PlatformFactsInput, RegionFacts } from '../enclave/platform-facts.ts';
import { PLANS_PREFIX } from './buckets.ts';
import type { Platform } from './context.ts';
import type { RegionNetwork } from './network.ts';

export interface RegionParts {
  readonly network: RegionNetwork;
  readonly configurationKeyArn: string;
}

/** JSON whose ids of subnets, groups and keys Terraform fills in. */
export function platformFacts(
  { config, names, agent }: Platform,
  parts: { readonly dataKeyArn: string; readonly regions: ReadonlyMap<string, RegionParts> },
): string {
  const regions: Record<string, RegionFacts> = {};
  for (const [region, { network, configurationKeyArn }] of parts.regions) {
    regions[region] = {
      vpcId: network.vpcId,
      vpcCidr: network.vpcCidr,
      subnets: network.subnets.map(({ id, zone }) => ({ id, zone })),
      prefixListIds: [...network.prefixListIds],
      ...(network.endpointSecurityGroupId === undefined
        ? {}
        : { endpointSecurityGroupId: network.endpointSecurityGroupId }),
      ...(network.interfaceEndpoints === undefined ? {} : { interfaceEndpoints: [...network.interfaceEndpoints] }),
      configurationBucket: names.configurationBucket(region),
      configurationKmsKeyArn: configurationKeyArn,
    };
  }
  const { lockTable } = config.existing;
  const facts: PlatformFactsInput = {
    environment: config.environment,
    prefix: config.prefix,
    accountId: config.accountId,
    partition: names.partition,
    stateTable: names.stateTable,
    stateTableRegion: config.region,
    terraformState: {
      bucket: names.stateBucket,
      region: config.region,
      kmsKeyArn: parts.dataKeyArn,
      ...(lockTable === undefined ? {} : { lockTable }),
    },
    plans: { bucket: names.plansBucket, region: config.region, prefix: PLANS_PREFIX },
    rolePath: names.rolePath,
    permissionsBoundaryArn: names.boundaryArn,
    keyObserverArns: [names.roleArn(names.roles.operator)],
    keyAdministratorArns: [names.roleArn(names.roles.runner), names.roleArn(names.roles.breakGlass)],
    agent: { key: agent.key, sha256: agent.sha256, version: agent.version },
    regions,
  };
  return JSON.stringify(facts);
}
