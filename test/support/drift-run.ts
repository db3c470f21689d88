/** A drift run of the runner as a process, over enclaves of an embedded stack whose AWS is an emulator. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { type FleetRunItem, FleetRunItemSchema } from '../../src/enclave/fleet-run.ts';
import { keys, LifecycleSchema } from '../../src/enclave/items.ts';
import { taskEnvironment } from '../../src/local/aws-config.ts';
import { ensurePlatform } from '../../src/local/platform.ts';
import type { Embedded } from './embedded.ts';
import type { Emulator } from './emulator.ts';

const RUNNER = fileURLToPath(new URL('../../runner/src/main.ts', import.meta.url));

export interface DriftRun {
  readonly item: FleetRunItem;
  readonly code: number | null;
  readonly output: string;
}

/** Looks at the enclaves as their lifecycles last had them applied. */
export async function driftRun(
  embedded: Embedded,
  emulator: Emulator,
  run: string,
  ids: readonly string[],
): Promise<DriftRun> {
  const { dynamodb, endpoints } = embedded;
  const { stateTable, historyTable, environment, region, prefix } = endpoints;
  const enclaves = await Promise.all(
    ids.map(async (id) => {
      const Key = marshall(keys.lifecycle(id));
      const { Item } = await dynamodb.send(new GetItemCommand({ TableName: stateTable, Key, ConsistentRead: true }));
      const lifecycle = LifecycleSchema.parse(unmarshall(Item ?? {}));
      return {
        id,
        generation: lifecycle.observedGeneration,
        variables: { ...lifecycle.snapshot, pinned: lifecycle.pinned },
      };
    }),
  );
  const key = keys.fleetRun(run);
  const item = {
    ...key,
    v: 1,
    minReader: 1,
    name: run,
    action: 'drift',
    requestedAt: new Date().toISOString(),
    enclaves,
  };
  const Item = marshall(item, { removeUndefinedValues: true });
  await dynamodb.send(new PutItemCommand({ TableName: historyTable, Item }));

  const metadata = createServer((_, response) => response.end(JSON.stringify({ TaskARN: `task/${run}` })));
  metadata.listen(0, '127.0.0.1');
  await once(metadata, 'listening');
  try {
    const facts = await ensurePlatform({ endpoint: emulator.url, region, environment, prefix, stateTable });
    const child = spawn(process.execPath, [RUNNER], {
      env: {
        PATH: process.env.PATH,
        ...taskEnvironment({ region, dynamodb: endpoints.dynamodb, awsEndpoint: emulator.url }, endpoints.aws),
        TF_CLI_CONFIG_FILE: emulator.env.TF_CLI_CONFIG_FILE,
        PLATFORM_FACTS: JSON.stringify(facts),
        STATE_TABLE: stateTable,
        HISTORY_TABLE: historyTable,
        ENCLAVE_ENVIRONMENT: environment,
        ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${(metadata.address() as AddressInfo).port}`,
        RUN: run,
        ACTION: 'drift',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    }
    const [code] = (await once(child, 'close')) as [number | null];
    const stored = await dynamodb.send(
      new GetItemCommand({ TableName: historyTable, Key: marshall(key), ConsistentRead: true }),
    );
    return { item: FleetRunItemSchema.parse(unmarshall(stored.Item ?? {})), code, output };
  } finally {
    metadata.close();
  }
}
