/** An AWS endpoint in this process that answers as a test scripts it; the SDK in front of it is the real one. */
import { createServer } from 'node:http';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type AwsPorts, createAwsPorts } from '../../src/aws/index.ts';
import type { JsonMap } from '../../src/enclave/json.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { systemClock, systemRandom } from '../../src/reconciler/ports/system-clock.ts';
import { memoryLog } from './memory-world.ts';

export interface EndpointRequest {
  /** e.g. `DescribeInstances`. */
  readonly operation: string;
  /** JSON body, or the form's fields of the query protocol. */
  readonly input: JsonMap;
}

export interface EndpointAnswer {
  /** @default 200 */
  readonly status?: number;
  /** A string is sent as it is (XML); anything else as JSON. */
  readonly body?: unknown;
  /** Closes the connection instead of answering. */
  readonly drop?: true;
}

export interface MemoryEndpoint {
  readonly url: string;
  readonly requests: EndpointRequest[];
  /** Answers each request from now on. */
  script(answer: (request: EndpointRequest, index: number) => EndpointAnswer): void;
  close(): Promise<void>;
}

/** An error as the JSON protocols spell it. */
export const jsonError = (name: string, message = 'said so', status = 400): EndpointAnswer => ({
  status,
  body: { __type: `com.amazonaws#${name}`, message },
});

/** An error as EC2 spells it. */
export const xmlError = (code: string, message = 'said so', status = 400): EndpointAnswer => ({
  status,
  body: `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r</RequestID></Response>`,
});

export async function startEndpoint(): Promise<MemoryEndpoint> {
  const requests: EndpointRequest[] = [];
  let answer: (request: EndpointRequest, index: number) => EndpointAnswer = () => ({ status: 500 });
  let count = 0;
  const server = createServer((incoming, reply) => {
    let text = '';
    incoming.on('data', (chunk) => {
      text += chunk;
    });
    incoming.on('end', () => {
      const target = incoming.headers['x-amz-target'];
      const isJson = typeof target === 'string';
      const input = (isJson ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text))) as JsonMap;
      const operation = isJson ? (target.split('.').at(-1) ?? '') : String(input.Action);
      requests.push({ operation, input });
      const { status = 200, body = {}, drop } = answer({ operation, input }, count++);
      if (drop) return void incoming.socket.destroy();
      reply.writeHead(status, { 'content-type': isJson ? 'application/x-amz-json-1.0' : 'text/xml' });
      reply.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    script(next) {
      answer = next;
      count = 0;
      requests.length = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export interface AwsAtEndpoint {
  readonly endpoint: MemoryEndpoint;
  readonly ports: AwsPorts;
  /** Inputs of the requests since the last script. */
  inputs(): readonly JsonMap[];
}

/** The adapters with the real SDK before an endpoint of their own, for the tests of one file. */
export function awsAtEndpoint(config: object): AwsAtEndpoint {
  let endpoint: MemoryEndpoint;
  let ports: AwsPorts;
  beforeAll(async () => {
    endpoint = await startEndpoint();
    process.env.AWS_ENDPOINT_URL = endpoint.url;
    process.env.AWS_ACCESS_KEY_ID = 'local';
    process.env.AWS_SECRET_ACCESS_KEY = 'local';
    delete process.env.AWS_ENDPOINT_URL_DYNAMODB;
    delete process.env.AWS_ENDPOINT_URL_DYNAMODB_STREAMS;
    const log = memoryLog();
    ports = createAwsPorts({ config: ConfigSchema.parse(config), log, clock: systemClock, random: systemRandom });
  });
  afterAll(async () => {
    ports.close();
    await endpoint.close();
  });
  beforeEach(() => endpoint.script(() => jsonError('Unscripted')));
  return {
    get endpoint() {
      return endpoint;
    },
    get ports() {
      return ports;
    },
    inputs: () => endpoint.requests.map((request) => request.input),
  };
}
