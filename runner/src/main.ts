/** The runner: process 1 of the ECS task that carries out one run. */
import { hostname } from 'node:os';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { systemClock as clock } from './clock.ts';
import { carryOutDriftRun } from './drift-run.ts';
import type { Engine, Job } from './engine/port.ts';
import { simulatedEngine } from './engine/simulated.ts';
import { readSettings, type Settings } from './environment.ts';
import { createFleetStore } from './fleet-store.ts';
import { createLog, hideFromOtherTenants, type Log } from './log.ts';
import { readTaskArn } from './metadata.ts';
import { carryOutRun, type Ending } from './run.ts';
import { Stop } from './stop.ts';
import { createRunStore } from './store.ts';

/** Of each call; the outcome's write is tried beyond that. */
const ATTEMPTS = 6;

// A signal that comes earlier, while modules load, ends the task before it has claimed anything.
const stop = new Stop();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.request('cancelled'));

/** The bindings of the provider take memory and a second to load: only Terraform's engine has them. */
async function engines(settings: Settings, client: DynamoDBClient): Promise<(job: Job, log: Log) => Engine> {
  const { engine } = settings;
  if (engine.kind === 'simulated') return (job) => simulatedEngine(engine.cloudUrl, job);
  const { openTerraform } = await import('./engine/open.ts');
  return openTerraform({ settings, terraform: engine, dynamodb: client, clock, environment: process.env });
}

function carryOut(settings: Settings, logFor: (enclaveId: string) => Log): Promise<Ending> {
  const { run, stateTable, historyTable } = settings;
  const client = new DynamoDBClient({ region: settings.region, maxAttempts: ATTEMPTS });
  const log = logFor(settings.action === 'drift' ? '' : settings.enclaveId);
  const common = {
    clock,
    log,
    stop,
    hostName: hostname(),
    taskArn: () => readTaskArn(settings.metadataUri, clock),
  };
  // Loads while the run is being claimed; who waits for it hears of its failure.
  const open = engines(settings, client);
  open.catch(() => undefined);
  if (settings.action === 'drift') {
    const store = createFleetStore({ client, historyTable, run });
    const engineFor = async (job: Job) => (await open)(job, logFor(job.enclaveId));
    return carryOutDriftRun({ ...common, settings, store, logFor, engineFor });
  }
  const { enclaveId, action } = settings;
  const store = createRunStore({ client, stateTable, historyTable, enclaveId, run, action });
  return carryOutRun({ ...common, settings, store, engineFor: async (job) => (await open)(job, log) });
}

async function main(): Promise<number> {
  const settings = readSettings(process.env);
  const logFor = (enclaveId: string) =>
    createLog({ enclaveId, run: settings.run }, clock.now, (line) => process.stdout.write(line));
  try {
    const ending = await carryOut(settings, logFor);
    return ending === 'succeeded' || ending === 'twin' ? 0 : 1;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    logFor('enclaveId' in settings ? settings.enclaveId : '').error(`the run ended without a recorded outcome: ${why}`);
    return 1;
  }
}

process.exitCode = await main().catch((error: unknown) => {
  // Only the settings are read outside the log's reach, and their error shows no value.
  process.stderr.write(`${hideFromOtherTenants(error instanceof Error ? error.message : String(error))}\n`);
  return 2;
});
// Sockets kept open for reuse must not keep the task alive.
process.exit();
