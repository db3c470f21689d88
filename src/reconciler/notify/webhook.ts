/** Webhook: notifications as signed POSTs. */
import { createHmac } from 'node:crypto';
import { type Channel, type Clock, OperatorError, type OperatorErrorClass } from '../ports/index.ts';

export interface WebhookOptions {
  /** https, or loopback; checked with the configuration. */
  readonly url: string;
  /** Shared with the receiver. */
  readonly secret: string;
  readonly clock: Clock;
}

export const SIGNATURE_HEADER = 'enclave-operator-signature';
export const ID_HEADER = 'enclave-operator-notification';

const OPERATION = 'webhook:POST';
const TIMEOUT_MS = 10_000;

/** `t=<seconds since 1970>,v1=<hex of HMAC-SHA-256 over "<seconds>.<body>">`: neither body nor time can be exchanged. */
export function signatureOf(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

/** What an answer that is no 2xx means. */
export function classOfStatus(status: number): OperatorErrorClass {
  if (status === 429) return 'Throttled';
  if (status >= 500 || status === 408 || status === 425) return 'Transient';
  // Of this body the receiver wants nothing, now or later; anything else is set right there, or here.
  return status === 400 || status === 413 || status === 415 || status === 422 ? 'Terminal' : 'Blocked';
}

/** Follows no redirect: the signature is for one receiver. Errors name the host alone, and never the URL. */
export function createWebhook({ url, secret, clock }: WebhookOptions): Channel {
  const { host } = new URL(url);
  return {
    name: `webhook ${host}`,
    async send(notification, signal) {
      const body = JSON.stringify(notification);
      const seconds = Math.floor(clock.now() / 1_000);
      const timeout = new AbortController();
      const cancel = clock.schedule(TIMEOUT_MS, () => timeout.abort());
      let status: number;
      try {
        const answer = await fetch(url, {
          method: 'POST',
          body,
          redirect: 'manual',
          signal: AbortSignal.any([signal, timeout.signal]),
          headers: {
            'content-type': 'application/json',
            'user-agent': 'enclave-operator',
            [SIGNATURE_HEADER]: signatureOf(secret, seconds, body),
            [ID_HEADER]: notification.id,
          },
        });
        status = answer.status;
        await answer.body?.cancel();
      } catch (error) {
        const reason = timeout.signal.aborted ? `no answer within ${TIMEOUT_MS} ms` : codeOf(error);
        throw new OperatorError('Transient', OPERATION, `${host}: ${reason}`);
      } finally {
        cancel();
      }
      if (status < 200 || status > 299) {
        throw new OperatorError(classOfStatus(status), OPERATION, `${host} answered ${status}, not 2xx`);
      }
    },
  };
}

/** `fetch failed` has its reason within. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'string' ? cause.code : 'the connection failed';
}
