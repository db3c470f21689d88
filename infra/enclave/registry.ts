/** Where an image comes from: what the host must reach, and what it must be allowed, to pull it. */
import { splitImageReference } from '../../src/enclave/spec/image-reference.ts';
import type { EnclaveSpec } from '../../src/enclave/spec/types.ts';

const ECR = /^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/;

export type Registry =
  | { readonly kind: 'ecr'; readonly accountId: string; readonly region: string; readonly repository: string }
  /** Anything else, public ECR included: it has no endpoint in a VPC. */
  | { readonly kind: 'outside'; readonly port: number };

/** Undefined where no image is pulled. */
export function registryOf(dockerImage: string): Registry | undefined {
  if (dockerImage === '') return undefined;
  const { repository } = splitImageReference(dockerImage);
  const slash = repository.indexOf('/');
  const first = slash < 0 ? '' : repository.slice(0, slash);
  const [, accountId, region] = ECR.exec(first) ?? [];
  if (accountId !== undefined && region !== undefined) {
    return { kind: 'ecr', accountId, region, repository: repository.slice(slash + 1) };
  }
  // Docker's rule: a first part without dot or colon is no host, and the registry is Docker Hub.
  const [, port = '443'] = first.includes('.') || first.includes(':') ? first.split(':') : [];
  return { kind: 'outside', port: Number(port) };
}

/** Secrets the host reads: the workload's, and the one for the image's registry, unless it is ECR or none. */
export function secretArns({ dockerImage, registryCredentialsArn, secrets }: EnclaveSpec): readonly string[] {
  const login = registryOf(dockerImage)?.kind === 'outside' ? registryCredentialsArn : undefined;
  return [login, ...secrets.map(({ secretArn }) => secretArn)].filter((arn) => arn !== undefined);
}
