/** Full plans with real processes: made by schedule, asked for by enclavectl, approved, and applied as they were approved. */
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../src/enclave/items/items.ts';
import { type Lifecycle, LifecycleSchema } from '../../src/enclave/items/lifecycle.ts';
import { type App, startApp } from '../support/app.ts';
import { cli } from '../support/cli.ts';
import { eventually, printLogsOnFailure } from '../support/embedded.ts';

let app: App;
beforeAll(async () => {
  // A first plan comes within seconds.
  app = await startApp({ operatorEnv: { ENCLAVE_OPERATOR_DRIFT_EVERY_MS: '20000' } });
});
afterAll(async () => {
  await app?.embedded.stop();
});
beforeEach(() => printLogsOnFailure(app.embedded));

const PATIENCE_MS = 60_000;

async function lifecycleOf(id: string): Promise<Lifecycle> {
  const { dynamodb, endpoints } = app.embedded;
  const Key = marshall(keys.lifecycle(id));
  const { Item } = await dynamodb.send(
    new GetItemCommand({ TableName: endpoints.stateTable, Key, ConsistentRead: true }),
  );
  return LifecycleSchema.parse(unmarshall(Item ?? {}));
}
const enclavectl = (...argv: readonly string[]) => {
  const { dynamodb, environment } = app.embedded.endpoints;
  return cli([...argv, '--endpoint', dynamodb, '--environment', environment]);
};

describe('plans', { timeout: 240_000 }, () => {
  it('are made by schedule, and find nothing where nothing was changed', async () => {
    const id = 'enc_planned';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    const first = await eventually('a plan', async () => (await lifecycleOf(id)).planned, PATIENCE_MS);
    expect(first).toMatchObject({ verdict: 'Match', generation: 1, failures: 0 });
    expect(first.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('find what no description of a host shows, and it is put back', async () => {
    const id = 'enc_found';
    await app.post(id);
    await app.until(id, 'DEPLOYED');
    const attributes = { retention_in_days: 1 };
    await app.embedded.sim('modifyResource', { enclaveId: id, type: 'aws_cloudwatch_log_group', attributes });
    const item = await app.untilItem(id, 'InSync=False', (each) => app.condition(each, 'InSync') === 'False');
    expect(JSON.stringify(item.operator?.conditions)).toContain('logs.group');
    // What surrounds a host is looked at again within a minute, after the run that put it back.
    await app.untilItem(id, 'InSync=True', (each) => app.condition(each, 'InSync') === 'True', 150_000);
    expect(await app.executions(id)).toHaveLength(2);
    expect(await app.status(id)).toBe('DEPLOYED');
  });

  it('are asked for, approved by their digest, and applied as approved', async () => {
    const id = 'enc_approved';
    await app.post(id, { policy: { drift: { approval: 'manual' } } });
    const { providerConfig } = await app.until(id, 'DEPLOYED');
    await app.put(id, { providerConfig: { ...(providerConfig as object), memoryMiB: '2048' } });
    await app.untilItem(id, 'waiting', (item) => item.operator?.message.includes('awaits approval') === true);

    const planned = await enclavectl('plan', id, '-o', 'json');
    expect(planned.code, planned.err).toBe(1);
    const { generation, digest, differences } = JSON.parse(planned.out);
    expect(generation).toBe(2);
    expect(differences.length).toBeGreaterThan(0);
    expect(planned.err).toContain(`enclavectl approve ${id} --generation 2 --digest ${digest}`);
    expect((await lifecycleOf(id)).observedGeneration).toBe(1);

    const other = await enclavectl('approve', id, '--generation', '2', '--digest', '0'.repeat(64));
    expect(other.code, other.out).toBe(4);
    const approved = await enclavectl('approve', id, '--generation', '2', '--digest', digest.slice(0, 12));
    expect(approved.code, approved.err).toBe(0);
    await eventually('applied', async () => (await lifecycleOf(id)).observedGeneration === 2, PATIENCE_MS);
    expect(await app.executions(id)).toHaveLength(2);
  });
});
