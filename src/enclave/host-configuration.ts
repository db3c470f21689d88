/** The configuration of one enclave's host: the S3 object that the host's agent follows. */

import type { RunVariables } from './items/run.ts';
import { logGroupName } from './names.ts';

/** Version of the document's shape; an agent refuses one it does not know, and reports that. */
export const HOST_CONFIGURATION_VERSION = 1;

/** Everything the agent needs and nothing secret: secrets travel as references alone. */
export interface HostConfiguration {
  readonly version: typeof HOST_CONFIGURATION_VERSION;
  readonly enclaveId: string;
  readonly environment: string;
  readonly region: string;
  /** Comes back in the report once it is in force. */
  readonly generation: number;
  /** Table of the report; the item's partition key is `report#<enclaveId>`. */
  readonly reportTable: string;
  readonly logGroup: string;
  /** What the image's tag was resolved to when the enclave was first started; absent: not resolved yet. */
  readonly imageDigest?: string;
  /** The normalized spec (`EnclaveSpec`). */
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Key of the object in the configuration bucket: fixed, so that the host's user data never changes. */
export function hostConfigurationKey(enclaveId: string): string {
  return `enclaves/${enclaveId}/configuration.json`;
}

/** Undefined where no spec was ever valid: then there is no host either. */
export function hostConfigurationOf(
  enclaveId: string,
  variables: RunVariables,
  reportTable: string,
): HostConfiguration | undefined {
  const { spec, environment, region, generation, pinned } = variables;
  if (spec === undefined) return undefined;
  const imageDigest = pinned.imageReference === spec.dockerImage ? pinned.imageDigest : undefined;
  return {
    version: HOST_CONFIGURATION_VERSION,
    enclaveId,
    environment,
    region,
    generation,
    reportTable,
    logGroup: logGroupName(enclaveId),
    ...(imageDigest === undefined ? {} : { imageDigest }),
    spec,
  };
}
