/** Rules of the enclave's security group. Groups know addresses, not host names: those are the proxy's matter. */
import type { EnclaveSpec } from '../../src/enclave/spec/types.ts';
import { regionOfArn } from './iam.ts';
import type { PlatformFacts, RegionFacts } from './platform-facts.ts';
import { registryOf, secretArns } from './registry.ts';

/** One inline rule, with every attribute Terraform wants of it. */
export interface Rule {
  readonly description: string;
  readonly protocol: 'tcp' | 'udp';
  readonly from_port: number;
  readonly to_port: number;
  readonly cidr_blocks: readonly string[];
  readonly ipv6_cidr_blocks: readonly string[];
  readonly prefix_list_ids: readonly string[];
  readonly security_groups: readonly string[];
  readonly self: boolean;
}

type Peers = Pick<Partial<Rule>, 'cidr_blocks' | 'ipv6_cidr_blocks' | 'prefix_list_ids' | 'security_groups'>;

const HTTPS = 443;
const DNS = 53;
const ANYWHERE = ['0.0.0.0/0'];
/** Reached through gateway endpoints, by prefix list. */
const BY_GATEWAY: ReadonlySet<string> = new Set(['s3', 'dynamodb']);

function rule(description: string, protocol: Rule['protocol'], port: number, peers: Peers): Rule {
  return {
    description,
    protocol,
    from_port: port,
    to_port: port,
    cidr_blocks: [],
    ipv6_cidr_blocks: [],
    prefix_list_ids: [],
    security_groups: [],
    self: false,
    ...peers,
  };
}

/** The exposed ports, for those the spec names, else for the VPC. */
export function ingressRules(spec: EnclaveSpec, region: RegionFacts): readonly Rule[] {
  const cidrs = spec.ingressCidrs.length > 0 ? spec.ingressCidrs : [region.vpcCidr];
  const peers: Peers = {
    cidr_blocks: cidrs.filter((cidr) => !cidr.includes(':')),
    ipv6_cidr_blocks: cidrs.filter((cidr) => cidr.includes(':')),
  };
  return spec.exposePorts.map((port) => rule('Exposed port of the enclave', 'tcp', port, peers));
}

/** What the host needs of AWS, the VPC's name servers, and ports of the world only where the spec asks for them. */
export function egressRules(spec: EnclaveSpec, facts: PlatformFacts, region: RegionFacts): readonly Rule[] {
  const { endpointSecurityGroupId, prefixListIds, vpcCidr } = region;
  const endpoints = endpointSecurityGroupId === undefined ? [] : [endpointSecurityGroupId];
  return [
    ...endpoints.map((id) => rule('Interface endpoints of the VPC', 'tcp', HTTPS, { security_groups: [id] })),
    ...(prefixListIds.length === 0
      ? []
      : [rule('Gateway endpoints of the VPC', 'tcp', HTTPS, { prefix_list_ids: [...prefixListIds].sort() })]),
    ...(['tcp', 'udp'] as const).map((protocol) =>
      rule('Name servers of the VPC', protocol, DNS, { cidr_blocks: [vpcCidr] }),
    ),
    ...outsidePorts(spec, facts, region).map((port) =>
      rule('Outside of AWS, as the specification asks', 'tcp', port, { cidr_blocks: ANYWHERE }),
    ),
  ];
}

/** Ports that must be open to anywhere, ascending. */
function outsidePorts(spec: EnclaveSpec, facts: PlatformFacts, region: RegionFacts): readonly number[] {
  const ports = new Set<number>();
  if (!reachesAws(spec, facts, region)) ports.add(HTTPS);
  const registry = registryOf(spec.dockerImage);
  if (registry?.kind === 'outside') ports.add(registry.port);
  for (const destination of spec.egress.allow) ports.add(Number(destination.split(':')[1] ?? HTTPS));
  return [...ports].sort((a, b) => a - b);
}

/** True where everything the host and the enclave need of AWS has an endpoint in the VPC. */
function reachesAws(spec: EnclaveSpec, facts: PlatformFacts, region: RegionFacts): boolean {
  if (region.endpointSecurityGroupId === undefined || region.prefixListIds.length === 0) return false;
  const registry = registryOf(spec.dockerImage);
  const regions = [
    facts.stateTableRegion,
    ...(registry?.kind === 'ecr' ? [registry.region] : []),
    ...[...secretArns(spec), spec.attestation.kmsKeyArn].filter((arn) => arn !== undefined).map(regionOfArn),
  ];
  if (regions.some((other) => other !== spec.region)) return false;
  const services = [...spec.awsServices, ...(registry?.kind === 'ecr' ? ['ecr'] : [])];
  const { interfaceEndpoints } = region;
  return services.every((service) => BY_GATEWAY.has(service) || (interfaceEndpoints?.includes(service) ?? true));
}
