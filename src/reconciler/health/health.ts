/** Health: /healthz, /readyz and /metrics over HTTP. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface HealthView {
  /** `standby`: competing for the lease. */
  readonly role: 'starting' | 'standby' | 'leader' | 'stopping';
  readonly synced: boolean;
  /** How long nothing has moved, ms. */
  readonly stuckMs: number;
  /** How long no stream has answered a poll, ms; 0 where none is polled. */
  readonly pollSilenceMs: number;
  /** Longest lag of the event loop within the last minute, ms. */
  readonly loopLagMs: number;
  readonly epoch: number | undefined;
}

/** Nothing moved for this long: the loop hangs, and a restart is the cure. */
const STUCK_MS = 5 * 60_000;
/** Streams are polled every few seconds and opened anew where that fails: silence this long is no hiccup. */
export const POLL_SILENCE_MS = 60_000;

/** True while a restart would cure nothing. */
export function isHealthy({ stuckMs, pollSilenceMs }: Pick<HealthView, 'stuckMs' | 'pollSilenceMs'>): boolean {
  return stuckMs < STUCK_MS && pollSilenceMs < POLL_SILENCE_MS;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves until closed. Rejects if the port is taken. */
export async function serveHealth(
  options: { readonly host: string; readonly port: number; readonly registry: Registry },
  view: () => HealthView,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0];
    if (path === '/healthz') return respond(response, isHealthy(view()) ? 200 : 503, view());
    if (path === '/readyz') {
      const { role, synced } = view();
      return respond(response, role === 'standby' || (role === 'leader' && synced) ? 200 : 503, view());
    }
    if (path === '/metrics') {
      options.registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': options.registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
      return;
    }
    response.writeHead(404, { 'content-type': 'text/plain' }).end('try /healthz, /readyz or /metrics\n');
  });
  await listen(server, options.host, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function respond(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
