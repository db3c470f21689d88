/** One HTTP server for every AWS API that is embedded. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isPlainMap, type JsonMap } from '../../enclave/json.ts';
import type { Log } from '../../reconciler/ports/index.ts';
import { ApiError, type LocalRequest, type Operations, sendApiError, sendJson } from './protocol.ts';

/** Whatever is not Step Functions or ECS: true where it answered. */
export interface RequestHandler {
  handle(request: LocalRequest, response: ServerResponse): Promise<boolean>;
}

export interface ServerOptions {
  readonly log: Log;
  /** By the first part of `X-Amz-Target`. */
  readonly services: Readonly<Record<string, Operations>>;
  /** Answers of plain GET requests, by path; undefined: not found here. */
  get(path: string): JsonMap | undefined;
  readonly others: RequestHandler;
}

const LONGEST_BODY = 16 * 1_024 * 1_024;

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LONGEST_BODY) throw new ApiError('RequestEntityTooLarge', 'the request is too large', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(body: string): JsonMap {
  try {
    const parsed: unknown = JSON.parse(body || '{}');
    if (isPlainMap(parsed)) return parsed;
  } catch {
    // Falls through to the answer for all that is no map.
  }
  throw new ApiError('SerializationException', 'the request is not a JSON object');
}

async function answer(request: LocalRequest, response: ServerResponse, options: ServerOptions): Promise<void> {
  const [service = '', operation = ''] = (request.headers['x-amz-target'] ?? '').split('.');
  const operations = options.services[service];
  if (operations !== undefined) {
    const run = operations[operation];
    if (run === undefined) throw new ApiError('UnknownOperationException', `${service}.${operation} is not embedded`);
    return sendJson(response, 200, run(parse(request.body)));
  }
  const got = request.method === 'GET' ? options.get(request.url.pathname) : undefined;
  if (got !== undefined) return sendJson(response, 200, got);
  if (await options.others.handle(request, response)) return;
  throw new ApiError('UnknownOperationException', `${request.method} ${request.url.pathname} is not embedded`, 404);
}

async function serve(incoming: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<void> {
  try {
    const body = await readBody(incoming);
    const headers: Record<string, string | undefined> = {};
    for (const [name, value] of Object.entries(incoming.headers)) {
      headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    const url = new URL(incoming.url ?? '/', 'http://127.0.0.1');
    await answer({ method: incoming.method ?? 'GET', url, headers, body }, response, options);
  } catch (error) {
    if (response.headersSent) {
      response.destroy();
    } else if (error instanceof ApiError) {
      sendApiError(response, error);
    } else {
      options.log.error({ error, url: incoming.url }, 'request failed');
      sendApiError(response, new ApiError('InternalFailure', String(error), 500));
    }
  }
}

/** Listens on the loopback interface only; port 0 takes any free one. */
export async function listen(port: number, options: ServerOptions): Promise<{ server: Server; url: string }> {
  const server = createServer((incoming, response) => void serve(incoming, response, options));
  // Clients keep connections for reuse; one that is cut at their moment of reuse is an error to them.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
