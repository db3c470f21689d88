/** Heartbeat: logs a line as long as the loop makes progress, and stops when it does not. */
import type { Config } from '../config.ts';
import type { Clock, Ports } from '../ports/index.ts';

export interface HeartbeatOptions {
  readonly clock: Clock;
  /** 0: never. */
  readonly intervalMs: number;
  /** True while the loop makes progress: a heartbeat says so, and nothing less. */
  readonly alive: () => boolean;
  readonly beat: () => void;
}

/** How soon a leader that is not yet, or not any more, at work is asked again. */
const ALIVE_CHECK_MS = 5_000;

/** Runs until aborted. */
export async function heartbeats(options: HeartbeatOptions, signal: AbortSignal): Promise<void> {
  const { clock, intervalMs, alive, beat } = options;
  if (intervalMs === 0) return;
  while (!signal.aborted) {
    const beats = alive();
    if (beats) beat();
    await clock.sleep(beats ? intervalMs : Math.min(ALIVE_CHECK_MS, intervalMs), signal);
  }
}

/** A line of the log for each; the platform counts these lines, and alarms when there are none. */
export function logHeartbeats(
  options: {
    readonly ports: Pick<Ports, 'clock' | 'log'>;
    readonly config: Pick<Config, 'environment' | 'heartbeatMs'>;
    readonly epoch: number;
    readonly alive: () => boolean;
  },
  signal: AbortSignal,
): Promise<void> {
  const { ports, config, epoch, alive } = options;
  const line = { heartbeat: 1, environment: config.environment, epoch };
  const beat = () => ports.log.info(line, 'leading and making progress');
  return heartbeats({ clock: ports.clock, intervalMs: config.heartbeatMs, alive, beat }, signal);
}
