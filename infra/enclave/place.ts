/** One enclave's place in AWS: where its resources lie and what they are called. */
import { hostConfigurationKey } from '../../src/enclave/host-configuration.ts';
import type { RunVariables } from '../../src/enclave/items/run.ts';
import { logGroupName, resourceName } from '../../src/enclave/names.ts';
import type { PlatformFacts, RegionFacts } from './platform-facts.ts';

export interface Place {
  readonly enclaveId: string;
  readonly facts: PlatformFacts;
  readonly region: string;
  readonly regional: RegionFacts;
  readonly roleName: string;
  readonly rolePath: string;
  readonly roleArn: string;
  readonly logGroup: string;
  readonly configurationKey: string;
}

export function placeOf(enclaveId: string, variables: RunVariables, facts: PlatformFacts): Place {
  const { region } = variables;
  const regional = facts.regions[region];
  if (regional === undefined) {
    throw new Error(
      `region of ${enclaveId} is ${region}, which the platform does not cover: ` +
        `deploy the platform stack there, or use one of ${Object.keys(facts.regions).join(', ')}`,
    );
  }
  const roleName = resourceName('instance-role', enclaveId);
  const { rolePath } = facts;
  return {
    enclaveId,
    facts,
    region,
    regional,
    roleName,
    rolePath,
    roleArn: `arn:${facts.partition}:iam::${facts.accountId}:role${rolePath}${roleName}`,
    logGroup: logGroupName(enclaveId),
    configurationKey: hostConfigurationKey(enclaveId),
  };
}

export function reportTableArn({ partition, stateTableRegion, accountId, stateTable }: PlatformFacts): string {
  return `arn:${partition}:dynamodb:${stateTableRegion}:${accountId}:table/${stateTable}`;
}

/** A name means a table of the host's own region; in another one it takes the ARN. */
export function reportTable({ facts, region }: Place): string {
  return facts.stateTableRegion === region ? facts.stateTable : reportTableArn(facts);
}
