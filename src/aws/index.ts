/** The reconciler's ports, on AWS. */
import type { Config } from '../reconciler/config.ts';
import type { Clock, Log, Ports, Random } from '../reconciler/ports/index.ts';
import { Calls } from './calls.ts';
import { createClients } from './clients.ts';
import { createFleetRunStore } from './dynamodb/fleet-runs.ts';
import { createHistoryStore } from './dynamodb/history.ts';
import { createLeaseStore } from './dynamodb/leases.ts';
import { createRecordStore } from './dynamodb/records.ts';
import { createStateStore } from './dynamodb/state.ts';
import { createChangeStream } from './dynamodb/streams.ts';
import { createHosts } from './hosts.ts';
import { createInspector } from './inspector.ts';
import { createTerraformStates } from './states.ts';
import { createSurroundings } from './surroundings.ts';
import { createTasks } from './tasks.ts';
import { createTopic } from './topic.ts';
import { createWorkflows } from './workflows.ts';

export interface AwsPorts extends Ports {
  readonly calls: Calls;
  /** Ends idle connections; calls under way fail. */
  close(): void;
}

export interface AwsPortsOptions {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

const DAY_SECONDS = 24 * 60 * 60;

/** Opens no connection yet. Endpoints and credentials come from the SDK's own environment. */
export function createAwsPorts({ config, log, clock, random }: AwsPortsOptions): AwsPorts {
  const calls = new Calls(clock);
  const clients = createClients(config.region, calls);
  const { dynamodb } = clients;
  const { stateTable, historyTable, enclavesTable } = config;
  const expiresAt = () => Math.floor(clock.now() / 1_000) + config.historyDays * DAY_SECONDS;
  const topicRegion = config.notifyTopicArn.split(':')[3];
  const stream = (table: string) => createChangeStream(dynamodb, clients.streams, table);
  return {
    calls,
    clock,
    random,
    log,
    records: createRecordStore(dynamodb, enclavesTable),
    state: createStateStore({ client: dynamodb, stateTable, historyTable, expiresAt, log, place: config }),
    leases: createLeaseStore(dynamodb, stateTable),
    history: createHistoryStore({ client: dynamodb, historyTable, expiresAt, log }),
    fleetRuns: createFleetRunStore({ client: dynamodb, stateTable, historyTable, expiresAt, log }),
    workflows: createWorkflows(clients.sfn, config),
    tasks: createTasks(clients.ecs, config.cluster),
    hosts: createHosts({
      clients,
      environment: config.environment,
      prefix: config.prefix,
    }),
    surroundings: createSurroundings({ clients, environment: config.environment }),
    inspector: createInspector({ clients }),
    states: config.stateBucket === '' ? undefined : createTerraformStates(clients.s3, config.stateBucket),
    streams: { records: stream(enclavesTable), state: stream(stateTable), history: stream(historyTable) },
    channels: topicRegion === undefined ? [] : [createTopic(clients.sns(topicRegion), config.notifyTopicArn)],
    close: clients.close,
  };
}
