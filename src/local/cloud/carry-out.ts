/** Carries out one step of a plan on the simulated cloud, as the AWS provider would. */
import type { HostState } from '../../reconciler/ports/index.ts';
import { resourceDelay } from './delays.ts';
import type { Faults } from './faults.ts';
import type { SimHosts } from './hosts.ts';
import { architectureOf } from './ids.ts';
import type { Attributes, SimHost } from './model.ts';
import type { Action } from './plan.ts';
import type { SimResources } from './resources.ts';
import { CONFIGURATION_ADDRESS, HOST_TYPE } from './stack.ts';
import type { Timers } from './timers.ts';

/** What Terraform prints as a diagnostic. */
export class TerraformFailure extends Error {
  override readonly name = 'TerraformFailure';
  readonly summary: string;
  readonly detail: string;

  constructor(summary: string, detail = '') {
    super(summary);
    this.summary = summary;
    this.detail = detail;
  }
}

export interface World {
  readonly hosts: SimHosts;
  readonly resources: SimResources;
  readonly timers: Timers;
  readonly faults: Faults;
  /** The configuration object of an enclave has changed. */
  configurationChanged(enclaveId: string): void;
}

export interface Step {
  readonly address: string;
  readonly type: string;
  /** The name a new resource gets. */
  readonly name: string;
  readonly action: Exclude<Action, 'no-op'>;
  readonly id: string | undefined;
  readonly after: Attributes;
  readonly enclaveId: string;
  readonly region: string;
}

const apiError = (verb: string, operation: string, code: string, message: string) =>
  new TerraformFailure(
    `${verb}: operation error EC2: ${operation}, https response error StatusCode: 400, ` +
      `RequestID: 5b1c2f60-0d3e-4c57-8a59-7f1e6f1d9a42, api error ${code}: ${message}`,
  );

/**
 * Returns the id of the resource, undefined once it is deleted.
 *
 * The change is made at once, and the answer comes later: as a request to AWS, which does not come undone when the
 * one who sent it dies. When `killed` aborts, this returns early.
 */
export async function carryOut(step: Step, world: World, killed: AbortSignal): Promise<string | undefined> {
  const extra = world.faults.delays.get(step.type) ?? 0;
  if (step.type === HOST_TYPE) {
    const id = await carryOutHost(step, world, killed);
    if (extra > 0) await world.timers.sleep(extra, killed);
    return id;
  }
  const id = changeResource(step, world);
  if (step.address === CONFIGURATION_ADDRESS) world.configurationChanged(step.enclaveId);
  await world.timers.sleep(resourceDelay(step.type, step.action) + extra, killed);
  return id;
}

function changeResource(step: Step, { resources, hosts }: World): string | undefined {
  const { type, region, enclaveId } = step;
  const present =
    step.id === undefined ? resources.byName(region, type, step.name) : resources.byId(region, type, step.id);
  switch (step.action) {
    case 'create':
      if (present !== undefined) {
        throw new TerraformFailure(
          `creating ${type} (${step.name}): EntityAlreadyExists: ${step.name} already exists.`,
        );
      }
      return resources.create({ type, region, enclaveId, name: step.name, attributes: step.after }).id;
    case 'update':
      if (present === undefined) throw new TerraformFailure(`updating ${type} (${step.id}): couldn't find resource`);
      return resources.update(present, step.after).id;
    case 'delete': {
      const inUse = [...hosts.all()].some((host) => host.securityGroupId === step.id && host.state !== 'terminated');
      if (type === 'aws_security_group' && inUse) {
        const message = `resource ${step.id} has a dependent object`;
        throw apiError('deleting Security Group', 'DeleteSecurityGroup', 'DependencyViolation', message);
      }
      if (present !== undefined) resources.delete(present);
      return undefined;
    }
  }
}

async function carryOutHost(step: Step, world: World, killed: AbortSignal): Promise<string | undefined> {
  switch (step.action) {
    case 'create':
      return createHost(step, world, killed);
    case 'update':
      return updateHost(step, world, killed);
    case 'delete':
      if (step.id !== undefined && world.hosts.get(step.id) !== undefined) {
        world.hosts.terminate(step.id);
        await world.hosts.whenIn(step.id, ['terminated'], killed);
      }
      return undefined;
  }
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

function tagsOf(after: Attributes): Record<string, string> {
  const tags = typeof after.tags === 'object' && after.tags !== null ? after.tags : {};
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, textOf(value)]));
}

function checkedType(step: Step): string {
  const instanceType = textOf(step.after.instance_type);
  if (/^[a-z0-9-]+\.[a-z0-9-]+$/.test(instanceType)) return instanceType;
  const message = `Invalid value '${instanceType}' for InstanceType.`;
  throw apiError('creating EC2 Instance', 'RunInstances', 'InvalidParameterValue', message);
}

async function createHost(step: Step, world: World, killed: AbortSignal): Promise<string> {
  const { hosts, resources } = world;
  const instanceType = checkedType(step);
  const mine = (type: string) => resources.ofEnclave(step.enclaveId).find((each) => each.type === type);
  const group = mine('aws_security_group');
  const profile = mine('aws_iam_instance_profile');
  const host = hosts.create({
    region: step.region,
    enclaveId: step.enclaveId,
    instanceType,
    architecture: architectureOf(instanceType),
    amiId: textOf(step.after.ami),
    ...(group === undefined ? {} : { securityGroupId: group.id }),
    ...(profile === undefined ? {} : { profileName: profile.name }),
    tags: tagsOf(step.after),
    hasAgent: true,
  });
  await reached(host.instanceId, 'running', 'creating', world, killed);
  return host.instanceId;
}

/** A new instance type stops the host and starts it, also one that was stopped before; all else leaves it as it is. */
async function updateHost(step: Step, world: World, killed: AbortSignal): Promise<string> {
  const { hosts, timers } = world;
  const host = step.id === undefined ? undefined : hosts.get(step.id);
  if (host === undefined) throw new TerraformFailure(`updating EC2 Instance (${step.id}): couldn't find resource`);
  hosts.amend(host.instanceId, { tags: { ...host.tags, ...tagsOf(step.after) } });
  if (step.after.instance_type === host.instanceType) {
    await timers.sleep(resourceDelay(step.type, 'update'), killed);
    return host.instanceId;
  }
  const instanceType = checkedType(step);
  if (host.state === 'pending') await reached(host.instanceId, 'running', 'updating', world, killed);
  if (!killed.aborted) hosts.stop(host.instanceId);
  await reached(host.instanceId, 'stopped', 'updating', world, killed);
  if (killed.aborted) return host.instanceId;
  hosts.amend(host.instanceId, { instanceType, architecture: architectureOf(instanceType) });
  hosts.start(host.instanceId);
  await reached(host.instanceId, 'running', 'updating', world, killed);
  return host.instanceId;
}

async function reached(
  id: string,
  wanted: HostState,
  verb: string,
  world: World,
  killed: AbortSignal,
): Promise<SimHost | undefined> {
  const host = await world.hosts.whenIn(id, [wanted], killed);
  if (killed.aborted || host?.state === wanted) return host;
  throw new TerraformFailure(
    `${verb} EC2 Instance (${id}): waiting for completion: unexpected state '${host?.state ?? 'gone'}', ` +
      `wanted target '${wanted}'`,
  );
}
