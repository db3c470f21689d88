/** The runner: process 1 of the ECS task that carries out one run. */
import { hostname } from 'node:os';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { systemClock as clock } from './clock.ts';
import { simulatedEngine } from './engine/simulated.ts';
import { readSettings } from './environment.ts';
import { createLog } from './log.ts';
import { readTaskArn } from './metadata.ts';
import { carryOutRun } from './run.ts';
import { Stop } from './stop.ts';
import { createRunStore } from './store.ts';

/** Of each call; the outcome's write is tried beyond that. */
const ATTEMPTS = 6;

// A signal that comes earlier, while modules load, ends the task before it has claimed anything.
const stop = new Stop();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.request('cancelled'));

async function main(): Promise<number> {
  const settings = readSettings(process.env);
  const { enclaveId, run, stateTable, historyTable } = settings;
  const log = createLog({ enclaveId, run }, clock.now, (line) => process.stdout.write(line));
  try {
    const client = new DynamoDBClient({ region: settings.region, maxAttempts: ATTEMPTS });
    const ending = await carryOutRun({
      settings,
      clock,
      log,
      stop,
      store: createRunStore({ client, stateTable, historyTable, enclaveId, run }),
      hostName: hostname(),
      taskArn: () => readTaskArn(settings.metadataUri, clock),
      engineFor: (job) => simulatedEngine(settings.simulatedCloudUrl, job),
    });
    return ending === 'succeeded' || ending === 'twin' ? 0 : 1;
  } catch (error) {
    log.error(`=== the run could not be concluded: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

process.exitCode = await main().catch((error: unknown) => {
  // Only the settings are read outside the log's reach, and their error shows no value.
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 2;
});
// Sockets kept open for reuse must not keep the task alive.
process.exit();
