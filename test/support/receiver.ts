/** A receiver of notifications that keeps what it is sent, and fails when it is told to. */
import type { Notification } from '../../src/reconciler/notify/notification.ts';
import type { Channel } from '../../src/reconciler/ports/index.ts';

export interface Receiver extends Channel {
  readonly got: Notification[];
  /** Of every send from now on; undefined: it takes them. */
  failure: Error | undefined;
  attempts: number;
  of(kind: Notification['kind']): readonly Notification[];
}

export function receiver(name = 'test'): Receiver {
  const got: Notification[] = [];
  return {
    name,
    got,
    failure: undefined,
    attempts: 0,
    of: (kind) => got.filter((each) => each.kind === kind),
    async send(notification) {
      this.attempts += 1;
      if (this.failure !== undefined) throw this.failure;
      got.push(notification);
    },
  };
}
