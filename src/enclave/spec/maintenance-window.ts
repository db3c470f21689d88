/** Windows in time: when one is open, and when it opens next. */
import { Cron } from 'croner';

export interface MaintenanceWindow {
  /** Five fields: minute, hour, day, month, weekday. */
  readonly cron: string;
  readonly durationMinutes: number;
  /** IANA name. */
  readonly tz: string;
}

const MINUTE = 60_000;
/** Any day: an expression either comes again within the leap years' cycle from here, or never. */
const REFERENCE = new Date('2024-01-01T00:00:00Z');

/** Given nothing to call, the library sets no timer: it only reckons. */
function schedule(cron: string, tz: string): Cron {
  return new Cron(cron, { timezone: tz, mode: '5-part' });
}

export function isTimeZone(tz: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: tz });
    return true;
  } catch {
    return false;
  }
}

/** False for what is no expression, and for one that never comes (30 February). */
export function isCron(cron: string): boolean {
  try {
    return schedule(cron, 'UTC').nextRun(REFERENCE) !== null;
  } catch {
    return false;
  }
}

/** Assumes a window that was validated. */
export function isWindowOpen(window: MaintenanceWindow, nowMs: number): boolean {
  // Open where it opened within its duration; `nextRun` looks strictly after the time it is given.
  const opened = schedule(window.cron, window.tz).nextRun(new Date(nowMs - window.durationMinutes * MINUTE));
  return opened !== null && opened.getTime() <= nowMs;
}

/** When it opens next, strictly after now; undefined where it never does. */
export function nextOpening(window: MaintenanceWindow, nowMs: number): number | undefined {
  return schedule(window.cron, window.tz).nextRun(new Date(nowMs))?.getTime();
}
