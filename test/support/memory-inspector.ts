/** The resources of one enclave in memory, each by its id or name. */
import type { RoleDocuments } from '../../src/drift/index.ts';
import { OperatorError } from '../../src/reconciler/ports/index.ts';
import type { Inspector, InstanceAttributes, LogGroup } from '../../src/reconciler/ports/inspector.ts';
import type { GroupRule } from '../../src/reconciler/ports/inventory.ts';
import type { MemoryHosts } from './memory-hosts.ts';
import type { MemorySurroundings } from './memory-surroundings.ts';

export class MemoryInspector implements Inspector {
  /** What somebody has changed of a host, by its id; all others are as an apply makes them. */
  readonly attributes = new Map<string, InstanceAttributes>();
  readonly #hosts: MemoryHosts;
  readonly #surroundings: MemorySurroundings;

  constructor(hosts: MemoryHosts, surroundings: MemorySurroundings) {
    this.#hosts = hosts;
    this.#surroundings = surroundings;
  }

  async instanceAttributes(region: string, instanceId: string): Promise<InstanceAttributes> {
    this.#host(region, instanceId);
    return this.attributes.get(instanceId) ?? { userData: undefined, terminationProtection: false };
  }

  async rootVolume(region: string, instanceId: string) {
    const host = this.#hosts.all.get(instanceId);
    if (host?.region !== region || host.state === 'terminated') return undefined;
    return this.#surroundings.all.get(host.enclaveId)?.volume;
  }

  async agentOnline(region: string, instanceId: string): Promise<boolean | undefined> {
    const host = this.#hosts.all.get(instanceId);
    if (host?.region !== region || host.state === 'terminated') return undefined;
    return host.state === 'running' && host.managed;
  }

  async rules(region: string, groupId: string): Promise<readonly GroupRule[]> {
    const found = [...this.#surroundings.all.values()].find((each) => each.groupId === groupId);
    if (found?.region !== region) throw unknown('ec2:DescribeSecurityGroups', groupId, 'InvalidGroup.NotFound');
    return found.rules;
  }

  async logGroup(region: string, enclaveId: string): Promise<LogGroup> {
    const found = this.#surroundings.all.get(enclaveId);
    if (found?.region !== region || found.logGroup === undefined) return { exists: false };
    return { exists: true, ...found.logGroup };
  }

  async role(enclaveId: string): Promise<RoleDocuments> {
    const role = this.#surroundings.all.get(enclaveId)?.role;
    if (role === undefined) throw unknown('iam:GetRole', enclaveId, 'NoSuchEntityException');
    const { trust, attachedArns, inline } = role;
    return { trust, attachedArns, inline };
  }

  #host(region: string, instanceId: string): void {
    if (this.#hosts.all.get(instanceId)?.region === region) return;
    throw unknown('ec2:DescribeInstanceAttribute', instanceId, 'InvalidInstanceID.NotFound');
  }
}

function unknown(operation: string, what: string, name: string): OperatorError {
  const cause = Object.assign(new Error('it does not exist'), { name });
  return new OperatorError('Terminal', operation, `${what}: ${name}`, { cause });
}
