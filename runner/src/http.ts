/** The little HTTP the runner speaks itself: JSON calls, and answers that come line by line. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Call {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

function send({ method, url, body, signal }: Call): { outgoing: ClientRequest; incoming: Promise<IncomingMessage> } {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers =
    payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
  // No keep-alive: a connection that the server has just closed must not fail a call that cannot be repeated.
  const outgoing = request(url, { method, headers, agent: false, ...(signal === undefined ? {} : { signal }) });
  const incoming = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  outgoing.end(payload);
  return { outgoing, incoming };
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

export async function callJson(call: Call): Promise<Answer> {
  const incoming = await send(call).incoming;
  const text = await read(incoming);
  const status = incoming.statusCode ?? 0;
  try {
    return { status, body: JSON.parse(text) as unknown };
  } catch {
    throw new Error(`${call.method} ${new URL(call.url).pathname} answered ${status} without JSON`);
  }
}

/** Calls and yields each line of the answer, parsed. Throws where the answer breaks off. */
export async function* callLines(call: Call): AsyncGenerator<unknown> {
  const incoming = await send(call).incoming;
  if (incoming.statusCode !== 200) {
    incoming.resume();
    throw new Error(`${call.method} ${new URL(call.url).pathname} answered ${incoming.statusCode}`);
  }
  let broken: Error | undefined;
  incoming.once('error', (error) => {
    broken = error;
  });
  for await (const line of createInterface({ input: incoming })) {
    if (line !== '') yield JSON.parse(line) as unknown;
  }
  if (broken !== undefined || !incoming.complete) throw broken ?? new Error('the answer broke off');
}
