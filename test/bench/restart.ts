/** A restart over 10,000 deployed enclaves: how soon it is ready, and that it starts nothing. */
import { rmSync } from 'node:fs';
import type { Made } from '../../src/enclave/digests.ts';
import { packLifecycle } from '../../src/enclave/items/packed.ts';
import { stateKey } from '../../src/enclave/names.ts';
import type { HealthView } from '../../src/reconciler/health/health.ts';
import { appOf } from '../support/app.ts';
import { type Embedded, eventually, startEmbedded } from '../support/embedded.ts';
import { enclaveAtRest } from './at-rest.ts';
import { bulkImport, schemaOf } from './bulk-import.ts';
import type { Figures, Keep } from './measurement.ts';
import { Skipped } from './skipped.ts';
import { rounded } from './statistics.ts';

const ENCLAVES = 10_000;
interface AdoptableHost {
  readonly enclaveId: string;
  readonly instanceId: string;
  readonly amiId: string;
}

/** Production's pace: the local one is for a handful of hosts. */
const PACE = { ENCLAVE_OPERATOR_SWEEP_MS: '60000', ENCLAVE_OPERATOR_OBSERVE_MS: '5000' };

/**
 * The role's digests as the simulated cloud has them. All hosts have equal roles. Those of the template are of another
 * cloud: with them every enclave would have a finding, and each look would write one.
 */
async function roleOf({ endpoints }: Embedded, { enclaveId }: AdoptableHost): Promise<Made> {
  const query = new URLSearchParams({ key: stateKey(enclaveId), enclaveId });
  const answer = await fetch(`${endpoints.aws}/_sim/terraform/state?${query}`);
  const { made } = (await answer.json()) as { readonly made: Made };
  const { trust, attached, inline } = made;
  return { trust, attached, inline };
}

const pinnedTo = ({ instanceId, amiId }: AdoptableHost) => ({ instanceId, amiId, imageDigest: 'sha256:0' });

/** Hosts in the simulated cloud; record, lifecycle and report as an operator and a host left them yesterday. */
async function preloaded(): Promise<Embedded> {
  const empty = await startEmbedded({ withOperator: false });
  const { enclavesTable, stateTable } = empty.endpoints;
  const schema = await schemaOf(empty.dynamodb, [enclavesTable, stateTable]);
  const answer = await empty.sim('adoptable', { enclaveId: 'enc_many', count: ENCLAVES, httpTokens: 'required' });
  const { hosts } = answer as { hosts: readonly AdoptableHost[] };
  const [first] = hosts;
  if (first === undefined) throw new Error('the simulated cloud made no hosts');
  const made = await roleOf(empty, first);
  await empty.stack.stop();

  const template = await enclaveAtRest();
  bulkImport(empty.dataDir, schema, [
    { name: enclavesTable, items: hosts.map((host) => template.record(host.enclaveId, host.instanceId)) },
    {
      name: stateTable,
      items: hosts.flatMap((host) => [
        packLifecycle({ ...template.lifecycle(host.enclaveId, host.instanceId), pinned: pinnedTo(host), made }),
        template.report(host.enclaveId, host.instanceId),
      ]),
    },
  ]);
  return startEmbedded({ dataDir: empty.dataDir, withOperator: false });
}

async function isReady({ stack }: Embedded): Promise<boolean> {
  const answer = await fetch(`${stack.operator.url}/readyz`).catch(() => undefined);
  const view = (await answer?.json()) as HealthView | undefined;
  return view?.role === 'leader' && view.synced;
}

/** True where every enclave has been looked at and waits for its next look. */
async function allLookedAt({ stack }: Embedded): Promise<boolean> {
  const text = await (await fetch(`${stack.operator.url}/metrics`)).text();
  const value = (name: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')[1],
    );
  return (
    value('enclave_operator_reconcile_total{result="done"}') >= ENCLAVES &&
    value('enclave_operator_workqueue_depth') >= ENCLAVES
  );
}

export async function benchRestart(keep: Keep): Promise<Figures> {
  if (process.platform !== 'linux') throw new Skipped('the embedded database is there for Linux alone');
  const embedded = await preloaded();
  try {
    // Its first start fills the compile cache and writes the lease; what is measured is a restart.
    await embedded.startOperator(PACE);
    await eventually('the first start is ready', () => isReady(embedded), 120_000);
    await embedded.killOperator('SIGTERM');

    const began = performance.now();
    await embedded.startOperator(PACE);
    await eventually('the restarted operator is ready', () => isReady(embedded), 120_000);
    keep({ restart_10k_seconds: rounded((performance.now() - began) / 1_000, 2) });

    await eventually('every enclave has been looked at', () => allLookedAt(embedded), 400_000);
    const executions = await appOf(embedded).executions();
    return keep({ restart_10k_runs_started: executions.length });
  } catch (error) {
    throw new Error(`${String(error)}\n${embedded.logs(20)}`, { cause: error });
  } finally {
    await embedded.stop();
    rmSync(embedded.dataDir, { recursive: true, force: true });
  }
}
