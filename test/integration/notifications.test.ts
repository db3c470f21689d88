/** Notifications over the wire: signed webhooks on a real HTTP server, and an SNS topic at moto. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTopic } from '../../src/aws/topic.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { type Draft, type Notification, notification } from '../../src/reconciler/notify/notification.ts';
import { Outbox } from '../../src/reconciler/notify/outbox.ts';
import { createWebhook } from '../../src/reconciler/notify/webhook.ts';
import type { Channel } from '../../src/reconciler/ports/index.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';
import { eventually } from '../support/embedded.ts';
import { EMULATED_REGION, type Emulator, startEmulator, toolsMissing } from '../support/emulator.ts';
import { memoryLog } from '../support/memory-world.ts';

const SECRET = 'correct horse battery staple, and some more';
const missing = toolsMissing().filter((sentence) => sentence.startsWith('moto_server'));
if (missing.length > 0) {
  const text = `notifications to a topic: ${missing.join(' ')}`;
  if (process.env.CI) throw new Error(text);
  console.warn(`skipped: ${text}`);
}

interface Request {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const made = (fields: Partial<Draft> = {}): Notification =>
  notification('dev', {
    kind: 'Stalled',
    severity: 'warning',
    subject: 'enc_1',
    reason: 'TerminalError',
    message: 'the role may not do this: “é”',
    since: '2030-01-01T00:00:00.000Z',
    ...fields,
  });

/** As docs/notifications.md tells receivers to check. */
function isGenuine({ headers, body }: Request, secret: string, nowSeconds: number): boolean {
  const [, seconds = '', given = ''] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['enclave-operator-signature'])) ?? [];
  const wanted = createHmac('sha256', secret).update(`${seconds}.${body}`).digest();
  return timingSafeEqual(Buffer.from(given.padEnd(64), 'hex'), wanted) && Math.abs(nowSeconds - Number(seconds)) <= 300;
}

describe('over the wire', () => {
  const requests: Request[] = [];
  let answers: { readonly status: number; readonly headers?: Record<string, string> }[] = [];
  let server: Server;
  let url: string;
  let stopper: AbortController;
  let emulator: Emulator | undefined;
  let sns: SNSClient;
  const running: Promise<void>[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        requests.push({
          path: request.url ?? '',
          headers: request.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        });
        const { status, headers = {} } = answers.shift() ?? { status: 204 };
        response.writeHead(status, headers).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    if (missing.length > 0) return;
    emulator = await startEmulator();
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    sns = new SNSClient({ endpoint: emulator.url, region: EMULATED_REGION, credentials, maxAttempts: 1 });
  });

  beforeEach(() => {
    requests.length = 0;
    answers = [];
    stopper = new AbortController();
  });

  afterEach(async () => {
    stopper.abort();
    await Promise.all(running.splice(0));
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    sns?.destroy();
    await emulator?.stop();
  });

  const webhook = (to = url) => createWebhook({ url: to, secret: SECRET, clock: systemClock });

  function outbox(channel: Channel) {
    const config = { ...ConfigSchema.parse({}), errorBackoffBaseMs: 5, errorBackoffMaxMs: 20 };
    const log = memoryLog();
    const box = new Outbox({ channel, ports: { clock: systemClock, random: systemRandom, log }, config });
    running.push(box.run(stopper.signal));
    return { box, log };
  }

  it('a webhook is posted as JSON with its id, and its signature is of time and body', async () => {
    const { box } = outbox(webhook());
    const sent = made();
    box.offer(sent);
    const [request] = await eventually('the post', () => requests.length === 1 && requests);
    if (request === undefined) throw new Error('no request');
    expect(JSON.parse(request.body)).toEqual(sent);
    expect(request).toMatchObject({
      path: '/hook',
      headers: { 'content-type': 'application/json', 'enclave-operator-notification': sent.id },
    });
    const now = Date.now() / 1_000;
    expect(isGenuine(request, SECRET, now)).toBe(true);
    expect(isGenuine({ ...request, body: request.body.replace('enc_1', 'enc_2') }, SECRET, now)).toBe(false);
    expect(isGenuine(request, `${SECRET}!`, now)).toBe(false);
    expect(isGenuine(request, SECRET, now + 3_600)).toBe(false);
    const signature = String(request.headers['enclave-operator-signature']).replace(/^t=\d+/, 't=1');
    const replayed = { ...request, headers: { ...request.headers, 'enclave-operator-signature': signature } };
    expect(isGenuine(replayed, SECRET, 1)).toBe(false);
  });

  it('is posted again after answers of 500, with the same id and a signature each, and then the next', async () => {
    answers = [{ status: 500 }, { status: 503 }, { status: 500 }];
    const { box, log } = outbox(webhook());
    box.offer(made());
    box.offer(made());
    box.offer(made({ subject: 'enc_2' }));
    await eventually('both delivered', () => box.state().delivered === 2);
    const ids = requests.map(({ headers }) => headers['enclave-operator-notification']);
    expect(ids).toEqual([...Array(4).fill(made().id), made({ subject: 'enc_2' }).id]);
    expect(requests.every((request) => isGenuine(request, SECRET, Date.now() / 1_000))).toBe(true);
    expect(box.state()).toMatchObject({ repeats: 1, dropped: 0, waiting: 0 });
    expect(log.lines.map(({ message }) => message)).toEqual(
      Array(3).fill('a notification could not be sent: tried again'),
    );
  });

  it('follows no redirect, and logs neither the secret nor the address', async () => {
    answers = [{ status: 307, headers: { location: '/elsewhere' } }];
    const { box, log } = outbox(webhook(`${url}/token-in-the-path`));
    box.offer(made());
    await eventually('delivered', () => box.state().delivered === 1);
    expect(requests.map(({ path }) => path)).toEqual(['/hook/token-in-the-path', '/hook/token-in-the-path']);
    const logged = JSON.stringify(log.lines);
    expect(logged).toContain('answered 307');
    expect(logged).not.toContain('token-in-the-path');
    expect(logged).not.toContain(SECRET);
  });

  it('gives up at once what the receiver calls wrong', async () => {
    answers = [{ status: 400 }];
    const { box } = outbox(webhook());
    box.offer(made());
    await eventually('given up', () => box.state().dropped === 1);
    box.offer(made());
    await eventually('taken', () => box.state().delivered === 1);
    expect(requests).toHaveLength(2);
  });

  it('waits for a receiver that is not there, and says why', async () => {
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const { box, log } = outbox(webhook(`http://127.0.0.1:${port}/hook`));
    box.offer(made());
    await eventually('three failures', () => log.lines.length >= 3);
    expect(log.lines[0]?.fields).toMatchObject({ error: expect.stringContaining('ECONNREFUSED') });
    expect(box.state()).toMatchObject({ delivered: 0, waiting: 1 });
  });

  describe.skipIf(missing.length > 0)('an SNS topic', () => {
    it('passes a notification to its subscribers, with attributes to filter by', async () => {
      const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'alarms' }));
      const FilterPolicy = JSON.stringify({
        kind: [{ exists: false }, { 'anything-but': ['Heartbeat'] }],
        severity: ['info', 'warning'],
        environment: ['dev'],
      });
      const Attributes = { FilterPolicy };
      await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'http', Endpoint: `${url}/sns`, Attributes }));
      requests.length = 0;
      const { box } = outbox(createTopic(sns, TopicArn));
      const sent = made({ subject: 'enc_ü\n1' });
      box.beat(made({ kind: 'Heartbeat', severity: 'info' }));
      box.offer(made({ severity: 'critical' }));
      box.offer(sent);
      await eventually('all delivered', () => box.state().delivered === 3);
      const { body } = await eventually('the message', () => requests.find(({ path }) => path === '/hook/sns'));
      expect(requests.filter(({ path }) => path === '/hook/sns')).toHaveLength(1);
      const message = JSON.parse(body);
      expect(JSON.parse(message.Message)).toEqual(sent);
      expect(message.Subject).toBe('[dev] Stalled: enc_? 1');
    });

    it('that does not exist is waited for: nothing is lost while it is made', async () => {
      const gone = 'arn:aws:sns:us-west-2:123456789012:not-there';
      const { box, log } = outbox(createTopic(sns, gone));
      box.offer(made());
      await eventually('a failure', () => log.lines.length >= 1);
      expect(log.lines[0]).toMatchObject({ level: 'warn', fields: { error: expect.stringContaining('not-there') } });
      await sns.send(new CreateTopicCommand({ Name: 'not-there' }));
      await eventually('delivered', () => box.state().delivered === 1);
    });
  });
});
