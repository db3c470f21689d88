/** What the conformance suites of workflows, tasks and hosts ask of an implementation. */

import type { Made } from '../../src/enclave/digests.ts';
import type { RunVariables } from '../../src/enclave/items/run.ts';
import type { RunAction } from '../../src/enclave/names.ts';
import type { HostState, Ports } from '../../src/reconciler/ports/index.ts';
import { AT, aLifecycle, aLock, aRun, freshId } from './conformance-harness.ts';

/** The services, and the tables their runs read. */
export interface ServicesHarness {
  readonly ports: Pick<
    Ports,
    'state' | 'history' | 'fleetRuns' | 'workflows' | 'tasks' | 'hosts' | 'surroundings' | 'inspector'
  >;
  readonly region: string;
  readonly environment: string;
  /** A run of this enclave stays at work until it is stopped. */
  hold(enclaveId: string): Promise<void>;
  /** Lets time pass until the probe gives a value that is neither undefined nor false. */
  until<T>(what: string, probe: () => Promise<T | undefined | false>): Promise<T>;
  close(): Promise<void>;
}

export type MakeServices = () => Promise<ServicesHarness>;

/** What the reconciler records before it starts a run: lifecycle, lock and run item. */
export async function intend(harness: ServicesHarness, id = freshId(), action: RunAction = 'deploy', sequence = 1) {
  const name = `${id}-${sequence}-${action}`;
  const variables: RunVariables = {
    region: harness.region,
    environment: harness.environment,
    stateKey: `enclaves/${id}/terraform.tfstate`,
    stackVersion: 1,
    walletAddress: '0x1111111111111111111111111111111111111111',
    generation: 1,
    spec: {
      dockerImage: 'nginx:1.27',
      cpuCount: 2,
      memoryMiB: 1_024,
      instanceType: 'm6i.xlarge',
      enableDebug: false,
      workloadType: 'service',
      exposePorts: [8_080],
    },
    pinned: {},
  };
  const { lifecycle: known } = await harness.ports.state.read(id);
  const revision = (known?.revision ?? 0) + 1;
  await harness.ports.state.commit({
    lifecycle: aLifecycle(id, { revision, snapshot: variables }),
    readRevision: known?.revision,
    start: { lock: aLock(name), run: aRun(id, name, { action, variables, requestedAt: AT }) },
    consumed: [],
  });
  return { id, name };
}

/** Starts the run and waits for its end. */
export async function runToItsEnd(harness: ServicesHarness, action: RunAction, id: string, name: string) {
  const { workflows } = harness.ports;
  await workflows.start(name, action, id);
  return harness.until(`the end of ${name}`, async () => {
    const view = await workflows.describe(name, action);
    return view.state !== 'running' && view;
  });
}

/** An enclave that a run has deployed, with its host running. */
export interface DeployedEnclave {
  readonly harness: ServicesHarness;
  readonly id: string;
  readonly instanceId: string;
  readonly made: Made | undefined;
}

export async function deployedEnclave(makeServices: MakeServices): Promise<DeployedEnclave> {
  const harness = await makeServices();
  const { id, name } = await intend(harness);
  await runToItsEnd(harness, 'deploy', id, name);
  const outcome = (await harness.ports.history.run(id, name))?.outcome;
  const instanceId = outcome?.instanceId ?? '';
  await becomes(harness, instanceId, 'running');
  return { harness, id, instanceId, made: outcome?.made };
}

/** Waits until the host is in the state. */
export function becomes(harness: ServicesHarness, instanceId: string, state: HostState) {
  return harness.until(`${instanceId} is ${state}`, async () => {
    const host = await harness.ports.hosts.byInstanceId(harness.region, instanceId);
    return host?.state === state;
  });
}

/** Starts a run that stays at work; answers when its task is there. */
export async function runAtWork(harness: ServicesHarness) {
  const { workflows, tasks, history } = harness.ports;
  const { id, name } = await intend(harness);
  await harness.hold(id);
  await workflows.start(name, 'deploy', id);
  const task = await harness.until(`the task of ${name}`, async () => {
    const [arn] = await workflows.tasks(name, 'deploy');
    const claimed = (await history.run(id, name))?.taskArn;
    if (arn === undefined || claimed !== arn) return undefined;
    return (await tasks.describe([arn])).get(arn) === 'active' && arn;
  });
  return { id, name, task };
}
