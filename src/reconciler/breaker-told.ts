/** Tells of a breaker that opened or closed: to the log, and as an event of the region. */
import type { Ports } from './ports.ts';
import type { BreakerChange } from './repair-governor.ts';

const ACTOR = 'operator';

/** Never rejects: what could not be appended was logged. */
export async function tellBreaker(
  { region, open, message }: BreakerChange,
  { clock, log, history }: Pick<Ports, 'clock' | 'log' | 'history'>,
): Promise<void> {
  if (open)
    log.error({ region, reason: message }, 'repairs are stopped: nobody may mean so many, or they heal so little');
  else log.warn({ region, reason: message }, 'repairs go on');
  const at = new Date(clock.now()).toISOString();
  const reason = open ? 'BreakerOpened' : 'BreakerClosed';
  const type = open ? 'Warning' : 'Normal';
  try {
    await history.append([{ v: 1, minReader: 1, id: region, at, type, reason, message, actor: ACTOR }]);
  } catch (error) {
    log.warn({ region, error: String(error) }, 'the event of a breaker could not be written');
  }
}
