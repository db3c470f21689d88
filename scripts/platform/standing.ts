/** The enclaves that would be left without a platform: by lifecycle, by record, and by host. */
import { type DynamoDBClient, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import { namesOf, type PlacedConfig } from '../../infra/platform/index.ts';
import type { AwsClients } from '../../src/aws/clients.ts';
import { type Condition, equal } from '../../src/aws/dynamodb/expressions.ts';
import { openTable } from '../../src/aws/dynamodb/table.ts';
import { createHosts } from '../../src/aws/hosts.ts';
import { LifecycleSchema } from '../../src/enclave/items/lifecycle.ts';
import type { JsonMap } from '../../src/enclave/json.ts';

export interface Standing {
  readonly id: string;
  /** What speaks for it: `lifecycle ready`, `record DEPLOYED`, `host i-…`. */
  readonly because: string;
}

/** A table that does not exist holds nothing. */
async function* scan(client: DynamoDBClient, table: string, only?: Condition): AsyncIterable<JsonMap> {
  try {
    for await (const page of openTable(client, table).scan(new AbortController().signal, only)) yield* page;
  } catch (error) {
    const { cause } = error as { readonly cause?: unknown };
    if (!(cause instanceof ResourceNotFoundException)) throw error;
  }
}

function ofLifecycle(item: JsonMap): Standing | undefined {
  const id = String(item.id ?? item.pk);
  const { success, data } = LifecycleSchema.safeParse(item);
  if (!success) return { id, because: 'lifecycle that this version cannot read' };
  if (data.retained === true) return { id, because: 'kept by its deletionPolicy (Retain)' };
  if (data.phase === 'destroyed') return undefined;
  return { id, because: `lifecycle ${data.phase}` };
}

/** One line an enclave: the first thing that speaks for it. */
export async function standingEnclaves(
  clients: Pick<AwsClients, 'dynamodb' | 'ec2' | 'ssm'>,
  config: PlacedConfig,
): Promise<readonly Standing[]> {
  const names = namesOf(config);
  const found = new Map<string, Standing>();
  const note = (standing: Standing | undefined) => {
    if (standing !== undefined && !found.has(standing.id)) found.set(standing.id, standing);
  };
  for await (const item of scan(clients.dynamodb, names.stateTable, equal('sk', 'lifecycle'))) note(ofLifecycle(item));
  for await (const { id, status } of scan(clients.dynamodb, config.enclavesTable)) {
    if (status !== 'DESTROYED') note({ id: String(id), because: `record ${String(status)}` });
  }
  const hosts = createHosts({ clients, environment: config.environment, prefix: config.prefix });
  for (const region of Object.keys(config.regions)) {
    for await (const page of hosts.sweep(region, new AbortController().signal)) {
      for (const { enclaveId, instanceId } of page) note({ id: enclaveId, because: `host ${instanceId} in ${region}` });
    }
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
