/** Checks of the network, and of the tags: what may reach the enclave, and what it may reach. */

import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT, TAG_GENERATION, TAG_MANAGED_BY } from '../names.ts';
import { isProduction } from './checks-workload.ts';
import { isOpenCidr } from './cidr.ts';
import { at, error, type Findings, warn } from './issues.ts';
import type { Draft } from './types.ts';

const SSH = 22;
/** The agent's own on the vsock and in the enclave: output, exit status, the host's credentials, control. */
const AGENT_PORTS: ReadonlySet<number> = new Set([9_001, 9_002, 9_003, 9_100]);
const OTHER_PORT = 'Let the workload listen on another port.';
/** EC2's quota of inbound rules of one group. */
const MOST_RULES = 60;
const MOST_TAGS = 40;
const RESERVED_TAGS = new Set([TAG_ENCLAVE_ID, TAG_ENVIRONMENT, TAG_MANAGED_BY, TAG_GENERATION].map(lower));

function lower(text: string): string {
  return text.toLowerCase();
}

export function checkNetwork(draft: Draft, environment: string, to: Findings): void {
  checkPorts(draft, to);
  checkIngress(draft, environment, to);
  checkEgress(draft, to);
  checkTags(draft, to);
}

function checkPorts({ exposePorts, healthCheck }: Draft, to: Findings): void {
  const field = 'providerConfig.exposePorts';
  // `exposePorts` is sorted, so equal ones are neighbours.
  const twice = new Set(exposePorts?.filter((port, index) => port === exposePorts[index - 1]));
  for (const port of twice) error(to, field, 'PORT_DUP', `port ${port} is listed twice`, 'List it once.');
  if (exposePorts?.includes(SSH)) {
    const message = "port 22 is the host's own; hosts are reached through SSM";
    error(to, field, 'PORT_RESERVED', message, OTHER_PORT);
  }
  for (const port of exposePorts?.filter((each) => AGENT_PORTS.has(each)) ?? []) {
    error(to, field, 'PORT_RESERVED', `port ${port} belongs to the host's agent`, OTHER_PORT);
  }
  const probed = healthCheck?.port;
  if (probed !== undefined && AGENT_PORTS.has(probed) && exposePorts?.includes(probed) !== true) {
    const message = `port ${probed} belongs to the host's agent, which always answers`;
    error(to, 'providerConfig.healthCheck.port', 'PORT_RESERVED', message, 'Probe a port of the workload.');
  }
}

function checkIngress({ ingressCidrs, exposePorts, host }: Draft, environment: string, to: Findings): void {
  const field = 'providerConfig.ingressCidrs';
  for (const cidr of ingressCidrs?.filter(isOpenCidr) ?? []) {
    const message = `${cidr} opens the exposed ports to everybody`;
    if (isProduction(environment) && host?.publicIp !== true) {
      const fix = 'Name the ranges that need it; a public service also sets providerConfig.host.publicIp to true.';
      error(to, field, 'CIDR_OPEN', `${message}; the environment is ${environment}`, fix);
    } else warn(to, field, 'CIDR_OPEN', message, 'Name the ranges that need it.');
  }
  const rules = (ingressCidrs?.length ?? 0) * (exposePorts?.length ?? 0);
  if (rules > MOST_RULES) {
    const message = `${exposePorts?.length} ports × ${ingressCidrs?.length} ranges make ${rules} rules; EC2 takes ${MOST_RULES}`;
    error(to, field, 'RANGE', message, 'Join ranges, or expose fewer ports.');
  }
}

function checkEgress({ egress }: Draft, to: Findings): void {
  const field = 'providerConfig.egress.allow';
  for (const destination of egress?.allow ?? []) {
    const [host, port] = destination.split(':');
    if (host === '*' && egress?.unsafeAllowAll !== true) {
      const message = `${destination} lets the enclave reach every host`;
      error(
        to,
        field,
        'EGRESS_WILDCARD',
        message,
        'Name the hosts, or set providerConfig.egress.unsafeAllowAll to true.',
      );
    }
    if (Number(port ?? 443) > 65_535) {
      error(to, field, 'PORT_RANGE', `${destination} names no port`, 'Use 1 to 65535.');
    }
  }
}

function checkTags({ tags }: Draft, to: Findings): void {
  if (tags === undefined) return;
  const names = Object.keys(tags);
  if (names.length > MOST_TAGS) {
    const message = `there are ${names.length} tags; EC2 takes 50, of which the operator needs some`;
    error(to, 'tags', 'RANGE', message, `Keep at most ${MOST_TAGS}.`);
  }
  for (const name of names) {
    if (!RESERVED_TAGS.has(name.toLowerCase())) continue;
    error(to, at('tags', name), 'FORMAT', `the tag ${name} is the operator's own`, 'Call it by another name.');
  }
}
