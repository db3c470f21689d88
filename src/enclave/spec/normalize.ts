/** One spelling for one meaning: fills the defaults that depend on other fields, and orders what has no order. */
import { instanceType, maxEnclaveVcpus } from '../instance-types/instance-types.ts';
import { omit } from '../omit.ts';
import { canonicalCidr } from './cidr.ts';
import { type Findings, warn } from './issues.ts';
import type { Draft, ProviderConfig } from './types.ts';

const DEFAULT_VCPUS = 2;
const DEFAULT_TIMEOUT_SECONDS = 5;

/** The draft of the fields that could be read; a field that could not is absent, and so is what depends on it. */
export function normalize(config: Partial<ProviderConfig>, to: Findings): Draft {
  const { dockerImage, cpuCount, restartPolicy, healthCheck, host, eif, registryCredentialsArn, ...rest } = config;
  const draft: Draft = { ...rest };

  if (dockerImage !== undefined) draft.dockerImage = dockerImage;
  if (eif !== undefined) {
    draft.dockerImage = '';
    draft.eif = { ...eif, sha256: eif.sha256.toLowerCase() };
  }
  if (registryCredentialsArn !== undefined) draft.registryCredentialsArn = registryCredentialsArn;
  if (draft.awsServices) draft.awsServices = unordered(draft.awsServices);
  if (draft.egress) {
    draft.egress = { ...draft.egress, allow: unordered(draft.egress.allow), deny: unordered(draft.egress.deny) };
  }
  if (draft.ingressCidrs) draft.ingressCidrs = unordered(draft.ingressCidrs.map((cidr) => networkOf(cidr, to)));
  if (draft.secrets) draft.secrets = [...draft.secrets].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (draft.attestation) {
    const expectedMeasurements = draft.attestation.expectedMeasurements.map((set) =>
      Object.fromEntries(Object.entries(set).map(([register, value]) => [register, value?.toLowerCase()])),
    );
    draft.attestation = { ...draft.attestation, expectedMeasurements };
  }
  if (host) {
    // Refused where true, and no part of the spec: a spec is of a host that can have enclaves.
    draft.host = { ...omit(host, 'hibernation'), securityGroupIds: unordered(host.securityGroupIds) };
  }

  if ('cpuCount' in config) {
    const type = draft.instanceType === undefined ? undefined : instanceType(draft.instanceType);
    const most = type?.enclaves ? maxEnclaveVcpus(type) : DEFAULT_VCPUS;
    draft.cpuCount = cpuCount ?? Math.min(DEFAULT_VCPUS, most);
  }
  if ('restartPolicy' in config && draft.workloadType) {
    draft.restartPolicy = restartPolicy ?? (draft.workloadType === 'batch' ? 'OnFailure' : 'Always');
  }
  if (healthCheck && draft.exposePorts && draft.healthCheckInterval !== undefined) {
    const port = healthCheck.port ?? draft.exposePorts[0];
    draft.healthCheck = {
      ...omit(healthCheck, 'port'),
      ...(port === undefined ? {} : { port }),
      timeoutSeconds: healthCheck.timeoutSeconds ?? Math.min(DEFAULT_TIMEOUT_SECONDS, draft.healthCheckInterval - 1),
    };
  }
  // After the first port has been taken from it; listing a port twice is an error of its own.
  if (draft.exposePorts) draft.exposePorts = [...draft.exposePorts].sort((a, b) => a - b);
  return draft;
}

function unordered<T extends string>(list: readonly T[]): T[] {
  return [...new Set(list)].sort();
}

function networkOf(cidr: string, to: Findings): string {
  const network = canonicalCidr(cidr);
  if (network !== cidr) {
    const message = `providerConfig.ingressCidrs holds ${cidr}, read as ${network}`;
    warn(to, 'providerConfig.ingressCidrs', 'COERCED', message, `Store ${network}.`);
  }
  return network;
}
