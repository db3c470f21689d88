import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DescribeTableCommand, DescribeTimeToLiveCommand, type TableDescription } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EndpointsSchema } from '../../src/local/data-dir.ts';
import { type Embedded, eventually, printLogsOnFailure, startEmbedded } from '../support/embedded.ts';

let stack: Embedded;
beforeAll(async () => {
  stack = await startEmbedded();
});
afterAll(() => stack?.stop());
beforeEach(() => printLogsOnFailure(stack));

const answers = async (url: string) => (await fetch(url).catch(() => undefined))?.status;
const endpointFile = () => join(stack.dataDir, 'endpoint.json');

async function table(name: string): Promise<TableDescription> {
  const { Table } = await stack.dynamodb.send(new DescribeTableCommand({ TableName: name }));
  return Table!;
}

describe('the stack', () => {
  it('announces its endpoints in full once all is up', async () => {
    const announced = JSON.parse(readFileSync(endpointFile(), 'utf8'));
    expect(EndpointsSchema.strict().parse(announced)).toEqual(stack.endpoints);
    expect(announced).toMatchObject({ pid: process.pid, environment: 'dev', prefix: 'treza-dev' });
    expect(await answers(`${announced.aws}/health`)).toBe(200);
    expect(await answers(`${announced.operator}/healthz`)).toBe(200);
  });

  it("creates the tables with production's keys, indexes, streams and TTL", async () => {
    const { enclavesTable, stateTable, historyTable } = stack.endpoints;
    const enclaves = await table(enclavesTable);
    expect(enclaves.KeySchema).toEqual([{ AttributeName: 'id', KeyType: 'HASH' }]);
    expect(enclaves.StreamSpecification?.StreamViewType).toBe('NEW_AND_OLD_IMAGES');
    const indexes = enclaves.GlobalSecondaryIndexes!.map((index) => [
      index.IndexName,
      index.KeySchema!.map((key) => `${key.AttributeName} ${key.KeyType}`).join(),
      index.Projection!.ProjectionType,
    ]);
    expect(indexes.sort()).toEqual([
      ['WalletIndex', 'walletAddress HASH', 'ALL'],
      ['status-index', 'status HASH', 'ALL'],
    ]);
    for (const [name, StreamViewType] of [
      [stateTable, 'KEYS_ONLY'],
      [historyTable, 'NEW_IMAGE'],
    ] as const) {
      const { KeySchema, StreamSpecification } = await table(name);
      expect(KeySchema!.map((key) => key.AttributeName)).toEqual(['pk', 'sk']);
      expect(StreamSpecification).toEqual({ StreamEnabled: true, StreamViewType });
    }
    for (const TableName of [stateTable, historyTable]) {
      const ttl = await stack.dynamodb.send(new DescribeTimeToLiveCommand({ TableName }));
      expect(ttl.TimeToLiveDescription).toMatchObject({ AttributeName: 'expiresAt', TimeToLiveStatus: 'ENABLED' });
    }
  });

  it('starts an operator that dies again, on the same port', async () => {
    const { operator } = stack.stack;
    const first = operator.pid!;
    const told: string[] = [];
    operator.onCrash((end) => told.push(end));
    process.kill(first, 'SIGKILL');
    const second = await eventually('a new operator', async () => {
      const { pid } = operator;
      return pid !== undefined && pid !== first && (await answers(`${operator.url}/healthz`)) !== undefined && pid;
    });
    expect(second).not.toBe(first);
    expect(operator.url).toBe(stack.endpoints.operator);
    expect(told).toEqual(['SIGKILL']);
  });

  it('leaves a killed operator dead until it is started, and gives it what the test adds', async () => {
    await stack.killOperator();
    expect(stack.stack.operator.pid).toBeUndefined();
    expect(await answers(`${stack.endpoints.operator}/healthz`)).toBeUndefined();
    await stack.startOperator({ ENCLAVE_OPERATOR_LOG_LEVEL: 'debug' });
    expect(await answers(`${stack.endpoints.operator}/healthz`)).toBeDefined();
    const { pid } = stack.stack.operator;
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')).toContain('ENCLAVE_OPERATOR_LOG_LEVEL=debug');
  });

  it('ends all of it at a stop, and takes the endpoints back', async () => {
    const { aws, dynamodb, operator } = stack.endpoints;
    const { dataDir } = stack;
    await stack.stack.stop();
    expect(existsSync(endpointFile())).toBe(false);
    for (const url of [`${aws}/health`, dynamodb, `${operator}/healthz`]) expect(await answers(url)).toBeUndefined();
    stack = await startEmbedded({ dataDir });
    expect(existsSync(endpointFile())).toBe(true);
  });

  it('says in one line that the port is taken, and leaves nothing behind', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await stack.stack.stop();
    await expect(startEmbedded({ dataDir: stack.dataDir, port })).rejects.toThrow(
      `port ${port} is in use: choose another with --port`,
    );
    other.close();
    stack = await startEmbedded({ dataDir: stack.dataDir });
  });
});
