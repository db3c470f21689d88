/** Notifier: tells people what they must know, and that somebody is there to tell it. */

import type { EmittedEvent } from '../../enclave/event-reasons.ts';
import type { Control } from '../../enclave/items/fleet.ts';
import type { ListedLifecycle } from '../../enclave/items/lifecycle.ts';
import type { Config } from '../config.ts';
import { heartbeats } from '../health/heartbeat.ts';
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { HistoryStore, Ports } from '../ports/index.ts';
import { type Draft, heldDeletions, type Notification, notification, standingOf, toldEvent } from './notification.ts';
import { Outbox, type OutboxState } from './outbox.ts';

export interface NotifierOptions {
  readonly ports: Ports;
  readonly config: Config;
  readonly epoch: number;
}

/**
 * Runs for one term.
 *
 * *Guarantees*: no call waits or throws. What stands (a stalled enclave, a finding, a hold) is told from what is
 * persisted, again by every leader: at least once. *Caveats*: events are told once they happen; one that has passed is
 * lost with the process that was to tell it.
 */
export class Notifier implements LifecycleListener {
  readonly #options: NotifierOptions;
  readonly #outboxes: readonly Outbox[];

  constructor(options: NotifierOptions) {
    const { ports, config } = options;
    this.#options = options;
    this.#outboxes = (ports.channels ?? []).map((channel) => new Outbox({ channel, ports, config }));
  }

  state(): readonly OutboxState[] {
    return this.#outboxes.map((outbox) => outbox.state());
  }

  onUpsert(_id: string, lifecycle: ListedLifecycle): void {
    if (this.#outboxes.length === 0) return;
    for (const draft of standingOf(lifecycle)) this.#tell(draft);
  }

  /** What a deleted lifecycle said stands no more, and nobody is told that it is over. */
  onDelete(): void {}

  /** Told of a hold when it begins, and of one that stands after every list. */
  sawHold(hold: Control['deletionHold']): void {
    if (hold !== undefined) this.#tell(heldDeletions(hold));
  }

  sawEvents(events: readonly EmittedEvent[]): void {
    for (const event of events) {
      const draft = toldEvent(event);
      if (draft !== undefined) this.#tell(draft);
    }
  }

  /** The same history; what is appended there is told as well. */
  hearing(history: HistoryStore): HistoryStore {
    if (this.#outboxes.length === 0) return history;
    return {
      run: (id, name) => history.run(id, name),
      runs: (id, limit) => history.runs(id, limit),
      requestCancel: (id, name, at) => history.requestCancel(id, name, at),
      settle: (id, name, outcome) => history.settle(id, name, outcome),
      answer: (answer) => history.answer(answer),
      append: (events) => {
        this.sawEvents(events);
        return history.append(events);
      },
    };
  }

  /** Runs until the signal aborts; sends heartbeats while `alive` says that the loop makes progress. */
  async run(alive: () => boolean, signal: AbortSignal): Promise<void> {
    if (this.#outboxes.length === 0) return;
    const { ports, config } = this.#options;
    const beat = () => {
      for (const outbox of this.#outboxes) outbox.beat(this.#heartbeat(outbox.state()));
    };
    const beating = heartbeats({ clock: ports.clock, intervalMs: config.notifyHeartbeatMs, alive, beat }, signal);
    await Promise.all([beating, ...this.#outboxes.map((outbox) => outbox.run(signal))]);
  }

  #heartbeat({ delivered, dropped, waiting }: OutboxState): Notification {
    const { ports, config, epoch } = this.#options;
    return notification(config.environment, {
      kind: 'Heartbeat',
      severity: 'info',
      subject: 'fleet',
      reason: 'Leading',
      message: `epoch ${epoch}: ${delivered} delivered, ${waiting} waiting, ${dropped} dropped in this term`,
      since: new Date(ports.clock.now()).toISOString(),
    });
  }

  #tell(draft: Draft): void {
    const { config } = this.#options;
    if (this.#outboxes.length === 0) return;
    const made = notification(config.environment, draft);
    for (const outbox of this.#outboxes) outbox.offer(made);
  }
}
