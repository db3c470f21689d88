/** A region's network: private subnets with a way out, and AWS' own services by the short way. */
import { DefaultSecurityGroup } from '@cdktf/provider-aws/lib/default-security-group/index.js';
import { Eip } from '@cdktf/provider-aws/lib/eip/index.js';
import { InternetGateway } from '@cdktf/provider-aws/lib/internet-gateway/index.js';
import { NatGateway } from '@cdktf/provider-aws/lib/nat-gateway/index.js';
import { RouteTable } from '@cdktf/provider-aws/lib/route-table/index.js';
import { RouteTableAssociation } from '@cdktf/provider-aws/lib/route-table-association/index.js';
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js';
import { Subnet } from '@cdktf/provider-aws/lib/subnet/index.js';
import { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js';
import { VpcEndpoint } from '@cdktf/provider-aws/lib/vpc-endpoint/index.js';
import type { NewNetwork } from './config.ts';
import { idIn, type Platform } from './context.ts';

export interface RegionNetwork {
  readonly vpcId: string;
  readonly vpcCidr: string;
  readonly subnets: readonly { readonly id: string; readonly zone: string }[];
  readonly endpointSecurityGroupId?: string;
  /** Services with an endpoint, as a spec's `awsServices` names them. */
  readonly interfaceEndpoints?: readonly string[];
  readonly prefixListIds: readonly string[];
}

/** What hosts, tasks and the runner's Terraform call. IAM has no endpoint outside us-east-1: it needs the NAT. */
const INTERFACE_ENDPOINTS = [
  'ec2',
  'ssm',
  'ssmmessages',
  'ec2messages',
  'logs',
  'kms',
  'ecr.api',
  'ecr.dkr',
  'sts',
  'secretsmanager',
] as const;
/** What the collector calls; enclaves' hosts do not. */
const METRICS_ENDPOINT = 'aps-workspaces';
const GATEWAY_ENDPOINTS = ['s3', 'dynamodb'] as const;

/** ARN of the VPC of a region's hosts. Terraform fills it in where this stack creates the VPC. */
export function vpcArn(platform: Platform, region: string): string {
  const network = platform.config.regions[region]?.network;
  return network?.kind === 'existing'
    ? platform.names.arn('ec2', `vpc/${network.vpcId}`, region)
    : `\${aws_vpc.${idIn(platform, region, 'vpc')}.arn}`;
}

export function regionNetwork(platform: Platform, region: string): RegionNetwork {
  const network = platform.config.regions[region]?.network;
  if (network === undefined) throw new Error(`region ${region} is not configured`);
  if (network.kind === 'new') return newNetwork(platform, region, network);
  const { vpcId, cidr, subnets, endpointSecurityGroupId, prefixListIds } = network;
  return {
    vpcId,
    vpcCidr: cidr,
    subnets,
    prefixListIds,
    ...(endpointSecurityGroupId === undefined ? {} : { endpointSecurityGroupId }),
  };
}

function newNetwork(platform: Platform, region: string, network: NewNetwork): RegionNetwork {
  const { stack, config } = platform;
  const provider = platform.provider(region);
  const id = (name: string) => idIn(platform, region, name);
  const named = (name: string) => ({ tags: { Name: `${config.prefix}-${name}` } });
  const base = network.cidr.replace(/\.0\.0\/16$/, '');

  const vpc = new Vpc(stack, id('vpc'), {
    cidrBlock: network.cidr,
    enableDnsHostnames: true,
    enableDnsSupport: true,
    ...named('vpc'),
    ...provider,
  });
  // The default group lets its members talk to each other: with no rule, forgetting a group opens nothing.
  new DefaultSecurityGroup(stack, id('default-group'), { vpcId: vpc.id, ingress: [], egress: [], ...provider });
  const gateway = new InternetGateway(stack, id('internet'), { vpcId: vpc.id, ...named('internet'), ...provider });
  const publicRoutes = new RouteTable(stack, id('public-routes'), {
    vpcId: vpc.id,
    route: [{ cidrBlock: '0.0.0.0/0', gatewayId: gateway.id }],
    ...named('public'),
    ...provider,
  });

  const nats: NatGateway[] = [];
  const privateRoutes: RouteTable[] = [];
  const subnets = network.zones.map((zone, index) => {
    const publicSubnet = new Subnet(stack, id(`public-${zone}`), {
      vpcId: vpc.id,
      availabilityZone: zone,
      cidrBlock: `${base}.${192 + index}.0/24`,
      ...named(`public-${zone}`),
      ...provider,
    });
    new RouteTableAssociation(stack, id(`public-${zone}-routes`), {
      subnetId: publicSubnet.id,
      routeTableId: publicRoutes.id,
      ...provider,
    });
    if (network.nat === 'perZone' || index === 0) {
      const address = new Eip(stack, id(`nat-${zone}-address`), {
        domain: 'vpc',
        ...named(`nat-${zone}`),
        ...provider,
      });
      nats.push(
        new NatGateway(stack, id(`nat-${zone}`), {
          allocationId: address.id,
          subnetId: publicSubnet.id,
          dependsOn: [gateway],
          ...named(`nat-${zone}`),
          ...provider,
        }),
      );
    }
    const subnet = new Subnet(stack, id(`private-${zone}`), {
      vpcId: vpc.id,
      availabilityZone: zone,
      cidrBlock: `${base}.${64 * index}.0/18`,
      ...named(`private-${zone}`),
      ...provider,
    });
    const routes = new RouteTable(stack, id(`private-${zone}-routes`), {
      vpcId: vpc.id,
      route: [{ cidrBlock: '0.0.0.0/0', natGatewayId: nats.at(-1)?.id ?? '' }],
      ...named(`private-${zone}`),
      ...provider,
    });
    privateRoutes.push(routes);
    new RouteTableAssociation(stack, id(`private-${zone}-association`), {
      subnetId: subnet.id,
      routeTableId: routes.id,
      ...provider,
    });
    return { id: subnet.id, zone };
  });

  const gateways = GATEWAY_ENDPOINTS.map(
    (service) =>
      new VpcEndpoint(stack, id(`endpoint-${service}`), {
        vpcId: vpc.id,
        serviceName: `com.amazonaws.${region}.${service}`,
        vpcEndpointType: 'Gateway',
        routeTableIds: privateRoutes.map((routes) => routes.id),
        ...named(service),
        ...provider,
      }),
  );
  const made = { vpcId: vpc.id, vpcCidr: network.cidr, subnets, prefixListIds: gateways.map((it) => it.prefixListId) };
  if (!network.interfaceEndpoints) return made;

  const group = new SecurityGroup(stack, id('endpoints-group'), {
    name: `${config.prefix}-endpoints`,
    description: 'Interface endpoints of AWS services',
    vpcId: vpc.id,
    ingress: [{ description: 'From the VPC', protocol: 'tcp', fromPort: 443, toPort: 443, cidrBlocks: [network.cidr] }],
    egress: [],
    ...named('endpoints'),
    ...provider,
  });
  const metrics = config.monitoring.enabled && region === config.region ? [METRICS_ENDPOINT] : [];
  for (const service of [...INTERFACE_ENDPOINTS, ...metrics]) {
    new VpcEndpoint(stack, id(`endpoint-${service.replace('.', '-')}`), {
      vpcId: vpc.id,
      serviceName: `com.amazonaws.${region}.${service}`,
      vpcEndpointType: 'Interface',
      privateDnsEnabled: true,
      subnetIds: subnets.map((subnet) => subnet.id),
      securityGroupIds: [group.id],
      ...named(service),
      ...provider,
    });
  }
  const interfaceEndpoints = [...new Set(INTERFACE_ENDPOINTS.map((service) => service.replace(/\..*/, '')))];
  return { ...made, endpointSecurityGroupId: group.id, interfaceEndpoints };
}
