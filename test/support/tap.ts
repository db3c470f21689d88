/** A tap: an HTTP proxy between the operator and its AWS that sees each call before and after it happens. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TappedCall {
  /** E.g. `DynamoDB_20120810.TransactWriteItems`, `AWSStepFunctions.StartExecution`; empty for others. */
  readonly target: string;
  readonly body: string;
}

/** `before`: nothing has happened yet; `after`: all of it has, and the caller does not know. `true`: drop it there. */
export type TapHook = (call: TappedCall, when: 'before' | 'after') => Promise<boolean>;

export interface Tap {
  readonly url: string;
  hook: TapHook | undefined;
  /** Told of every call, before it happens. */
  seen: ((call: TappedCall) => void) | undefined;
  close(): Promise<void>;
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Forwards everything to `target`; a dropped call's connection is closed without an answer. */
export async function startTap(target: string): Promise<Tap> {
  const { hostname, port } = new URL(target);
  const forward = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(incoming);
    const call = { target: String(incoming.headers['x-amz-target'] ?? ''), body: body.toString('utf8') };
    tap.seen?.(call);
    if (await tap.hook?.(call, 'before')) return void incoming.socket.destroy();
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const { method, url, headers } = incoming;
      const outgoing = request({ hostname, port, method, path: url, headers }, resolve);
      outgoing.once('error', reject);
      outgoing.end(body);
    });
    const answered = await bodyOf(answer);
    if (await tap.hook?.(call, 'after')) return void incoming.socket.destroy();
    response.writeHead(answer.statusCode ?? 502, answer.headers).end(answered);
  };
  const server = createServer((incoming, response) => {
    forward(incoming, response).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const tap: Tap = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hook: undefined,
    seen: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return tap;
}
