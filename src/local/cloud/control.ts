/** `/_sim/control`: what a test or a demonstration may do to the cloud behind the operator's back. */
import { z } from 'zod';
import { ErrorClassSchema } from '../../enclave/items/run.ts';
import { TAG_ENCLAVE_ID, TAG_ENVIRONMENT, TAG_MANAGED_BY } from '../../enclave/names.ts';
import { omit } from '../../enclave/omit.ts';
import type { Core } from './core.ts';
import { runFault } from './faults.ts';
import { architectureOf, newestAmi } from './ids.ts';
import { leaveBehind } from './incumbent.ts';
import { CloudError, type SimHost } from './model.ts';
import { configurationKey } from './stack.ts';

const enclaveId = z.string().min(1);
const times = z.number().int().positive().default(1);

/** Operations by `op`. */
export const ControlSchema = z.discriminatedUnion('op', [
  z.object({ op: z.literal('stopHost'), enclaveId }),
  z.object({ op: z.literal('startHost'), enclaveId }),
  z.object({ op: z.literal('terminateHost'), enclaveId }),
  z.object({ op: z.literal('crashEnclave'), enclaveId }),
  /** The hosts write no more reports; the last ones stay as they are. */
  z.object({ op: z.literal('freezeReports'), enclaveId, frozen: z.boolean().default(true) }),
  /** The next starts of the enclave fail on its host, which says so in its report. */
  z.object({
    op: z.literal('failBoots'),
    enclaveId,
    times,
    message: z.string().default('nitro-cli could not start the enclave: E39'),
  }),
  /** The next runs fail, by a class' typical text or one's own. Without an enclave: whichever comes first. */
  z.object({
    op: z.literal('failRuns'),
    enclaveId: enclaveId.optional(),
    times,
    at: z.enum(['plan', 'apply']).optional(),
    class: ErrorClassSchema.optional(),
    summary: z.string().optional(),
    detail: z.string().optional(),
  }),
  /** Plans wait before they end. */
  z.object({ op: z.literal('holdPlan'), enclaveId, held: z.boolean().default(true) }),
  /** Applies wait before their next resource; an interrupt ends the wait. */
  z.object({ op: z.literal('holdApply'), enclaveId, held: z.boolean().default(true) }),
  /** A resource type takes this much longer, ms at speed 1. */
  z.object({ op: z.literal('delay'), type: z.string(), ms: z.number().min(0) }),
  /** The next calls of an EC2 action fail; `*`: any action. */
  z.object({
    op: z.literal('failEc2'),
    action: z.string().default('*'),
    times,
    code: z.string().default('RequestLimitExceeded'),
    message: z.string().default('Request limit exceeded.'),
  }),
  /** A tag of the host is changed, or removed where the value is null. */
  z.object({ op: z.literal('tagHost'), enclaveId, key: z.string(), value: z.string().nullable() }),
  z.object({
    op: z.literal('modifyResource'),
    enclaveId,
    type: z.string(),
    attributes: z.record(z.string(), z.unknown()),
  }),
  z.object({ op: z.literal('removeResource'), enclaveId, type: z.string() }),
  z.object({ op: z.literal('loseState'), stateKey: z.string() }),
  /** Hosts with states, as the incumbent leaves them: ids are `<enclaveId>-1` … where more than one is asked for. */
  z.object({
    op: z.literal('adoptable'),
    enclaveId,
    count: z.number().int().positive().default(1),
    instanceType: z.string().default('m6i.xlarge'),
    /** With a host agent that reports, which the incumbent's hosts do not have. */
    agent: z.boolean().default(false),
    httpTokens: z.enum(['required', 'optional']).optional(),
  }),
  /** A host tagged ours that nothing else knows of; launched `ageMs` ago, as young ones are no orphans yet. */
  z.object({
    op: z.literal('orphan'),
    enclaveId,
    environment: z.string().optional(),
    ageMs: z.number().min(0).default(0),
  }),
  z.object({ op: z.literal('hosts'), enclaveId: enclaveId.optional() }),
  /** Every fault is over. */
  z.object({ op: z.literal('reset') }),
]);
type Control = z.infer<typeof ControlSchema>;

const shown = (host: SimHost) => ({
  instanceId: host.instanceId,
  enclaveId: host.enclaveId,
  region: host.region,
  state: host.state,
  instanceType: host.instanceType,
  amiId: host.amiId,
  launchedAt: new Date(host.launchedAt).toISOString(),
  tags: host.tags,
  agent: host.agent === undefined ? null : { stage: host.agent.stage, appliedGeneration: host.agent.appliedGeneration },
});

function hostOf(core: Core, id: string): SimHost {
  const [host] = [...core.hosts.all()].filter(
    (each) => each.enclaveId === id && each.state !== 'terminated' && each.state !== 'shutting-down',
  );
  if (host === undefined) throw new CloudError('NoSuchHost', `enclave ${id} has no host`);
  return host;
}

function resourceOf(core: Core, id: string, type: string) {
  const resource = core.resources.ofEnclave(id).find((each) => each.type === type);
  if (resource === undefined) throw new CloudError('NoSuchResource', `enclave ${id} has no ${type}`);
  return resource;
}

const id = (host: SimHost) => ({ instanceId: host.instanceId });

/** Throws {@link CloudError} where there is nothing to do it to. */
export function control(core: Core, order: Control): object {
  const { faults, hosts, resources } = core;
  switch (order.op) {
    case 'stopHost':
      return id(hosts.stop(hostOf(core, order.enclaveId).instanceId));
    case 'startHost':
      return id(hosts.start(hostOf(core, order.enclaveId).instanceId));
    case 'terminateHost':
      return id(hosts.terminate(hostOf(core, order.enclaveId).instanceId));
    case 'crashEnclave':
      core.agents.crash(hostOf(core, order.enclaveId).instanceId);
      return {};
    case 'freezeReports':
      if (order.frozen) faults.frozen.add(order.enclaveId);
      else faults.frozen.delete(order.enclaveId);
      return {};
    case 'failBoots':
      faults.boots.set(order.enclaveId, { times: order.times, message: order.message });
      return {};
    case 'failRuns':
      faults.runs.push(runFault(order));
      return {};
    case 'holdPlan':
      faults.hold(order.enclaveId, 'plan', order.held);
      return {};
    case 'holdApply':
      faults.hold(order.enclaveId, 'apply', order.held);
      return {};
    case 'delay':
      faults.delays.set(order.type, order.ms);
      return {};
    case 'failEc2':
      faults.ec2.set(order.action, { times: order.times, code: order.code, message: order.message });
      return {};
    case 'tagHost': {
      const host = hostOf(core, order.enclaveId);
      const others = omit(host.tags, order.key);
      hosts.amend(host.instanceId, { tags: order.value === null ? others : { ...others, [order.key]: order.value } });
      return {};
    }
    case 'modifyResource':
      resources.update(resourceOf(core, order.enclaveId, order.type), order.attributes);
      return {};
    case 'removeResource': {
      const resource = resourceOf(core, order.enclaveId, order.type);
      resources.delete(resource);
      if (resource.name === configurationKey(order.enclaveId)) core.agents.configurationChanged(order.enclaveId);
      return {};
    }
    case 'loseState':
      core.terraform.lose(order.stateKey);
      return {};
    case 'adoptable': {
      const ids = Array.from({ length: order.count }, (_, index) =>
        order.count === 1 ? order.enclaveId : `${order.enclaveId}-${index + 1}`,
      );
      return { hosts: ids.map((each) => shown(leaveBehind(core, each, order))) };
    }
    case 'orphan':
      return shown(orphan(core, order.enclaveId, order.environment ?? core.environment, order.ageMs));
    case 'hosts':
      return {
        hosts: [...hosts.all()].filter((host) => (order.enclaveId ?? host.enclaveId) === host.enclaveId).map(shown),
      };
    case 'reset':
      faults.reset();
      return {};
  }
}

function orphan(core: Core, orphanOf: string, environment: string, ageMs: number): SimHost {
  const host = core.hosts.place({
    region: core.region,
    enclaveId: orphanOf,
    instanceType: 'm6i.xlarge',
    architecture: architectureOf('m6i.xlarge'),
    amiId: newestAmi(core.region, 'x86_64'),
    tags: { [TAG_ENCLAVE_ID]: orphanOf, [TAG_ENVIRONMENT]: environment, [TAG_MANAGED_BY]: 'terraform' },
    hasAgent: false,
  });
  return core.hosts.amend(host.instanceId, { launchedAt: host.launchedAt - ageMs }) ?? host;
}
