/** A real operator tells a real receiver: heartbeat, a stalled enclave, and the same again after it was killed. */
import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Notification } from '../../src/reconciler/notify/notification.ts';
import { type App, appOf, FAST, SHORT_LEASE } from '../support/app.ts';
import { eventually, printLogsOnFailure, startEmbedded } from '../support/embedded.ts';

const SECRET = 'shared by the operator and its receiver alone';

let app: App;
let server: Server;
/** What came with a signature that is right. */
const got: Notification[] = [];
let forged = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const [, seconds, given] = /^t=(\d+),v1=(\w+)$/.exec(String(request.headers['enclave-operator-signature'])) ?? [];
      if (createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest('hex') === given) got.push(JSON.parse(body));
      else forged += 1;
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const operatorEnv = {
    ...FAST,
    ...SHORT_LEASE,
    ENCLAVE_OPERATOR_ATTEMPTS_PER_GENERATION: '1',
    ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL: `http://127.0.0.1:${port}/`,
    ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_SECRET: SECRET,
  };
  app = appOf(await startEmbedded({ operatorEnv }));
});
beforeEach(() => printLogsOnFailure(app.embedded));
afterAll(async () => {
  await app?.embedded.stop();
  server?.closeAllConnections();
  server?.close();
});

const of = (kind: Notification['kind']) => got.filter((each) => each.kind === kind);

describe('an operator with a receiver', () => {
  it('says that it is there, and then what has stalled, once', async () => {
    await eventually('the first heartbeat', () => of('Heartbeat').length > 0);
    const id = 'enc_denied';
    await app.embedded.sim('failRuns', { enclaveId: id, class: 'permission' });
    await app.post(id);
    await app.until(id, 'FAILED');
    await eventually('told', () => of('Stalled').length > 0);
    expect(of('Stalled')).toMatchObject([{ subject: id, severity: 'warning', environment: 'dev' }]);
    expect(forged).toBe(0);
  });

  it('says so again after it was killed, as the same occurrence', async () => {
    await app.embedded.killOperator();
    const [before] = of('Stalled');
    await app.embedded.startOperator();
    await eventually('told again', () => of('Stalled').length > 1);
    expect(new Set(of('Stalled').map(({ id }) => id))).toEqual(new Set([before?.id]));
    await eventually('a heartbeat of the second', () =>
      of('Heartbeat').some(({ message }) => message.startsWith('epoch 2')),
    );
  });

  it('leaves the secret in no log', () => {
    expect(app.embedded.logs(10_000)).not.toContain(SECRET);
  });
});
