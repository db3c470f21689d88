/** How long nobody leads when the leader dies, and when it is asked to go. */
import { join } from 'node:path';
import { type OperatorProcess, operatorProcess } from '../../src/local/operator-process.ts';
import type { HealthView } from '../../src/reconciler/health/health.ts';
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';
import { type Embedded, eventually, startEmbedded } from '../support/embedded.ts';
import { memoryLog } from '../support/memory-world.ts';
import type { Figures, Keep } from './measurement.ts';
import { rounded } from './statistics.ts';

const KILLS = 2;
const HANDOVERS = 4;
const GRACE_MS = 30_000;

async function view({ url }: OperatorProcess): Promise<HealthView | undefined> {
  const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  return (await answer?.json()) as HealthView | undefined;
}

const leads = async (operator: OperatorProcess) => {
  const seen = await view(operator);
  return seen?.role === 'leader' && seen.synced;
};
const standsBy = async (operator: OperatorProcess) => (await view(operator))?.role === 'standby';

function secondOperator({ dataDir, stack }: Embedded): OperatorProcess {
  return operatorProcess({
    clock: systemClock,
    log: memoryLog(),
    dataDir: join(dataDir, 'second'),
    port: 0,
    callerEnv: { PATH: process.env.PATH },
    env: stack.env,
  });
}

export async function benchFailover(keep: Keep): Promise<Figures> {
  const embedded = await startEmbedded();
  const second = secondOperator(embedded);
  let leader: OperatorProcess = embedded.stack.operator;
  let standby = second;

  /** Seconds until the standby leads with everything listed; the other one then stands by. */
  const takeover = async (signal: NodeJS.Signals) => {
    const began = performance.now();
    const gone = leader.stop(GRACE_MS, signal);
    await eventually('the standby leads', () => leads(standby), 60_000);
    const seconds = (performance.now() - began) / 1_000;
    await gone;
    [leader, standby] = [standby, leader];
    await standby.start();
    await eventually('the other stands by', () => standsBy(standby), 30_000);
    return seconds;
  };

  try {
    await eventually('the first operator leads', () => leads(leader), 60_000);
    await standby.start();
    await eventually('the second stands by', () => standsBy(standby), 30_000);
    const handovers: number[] = [];
    while (handovers.length < HANDOVERS) handovers.push(await takeover('SIGTERM'));
    keep({ handover_seconds: rounded(Math.max(...handovers), 2) });
    const kills: number[] = [];
    while (kills.length < KILLS) kills.push(await takeover('SIGKILL'));
    return keep({ failover_kill_seconds: rounded(Math.max(...kills), 2) });
  } catch (error) {
    throw new Error(`${String(error)}\n${embedded.logs(20)}`, { cause: error });
  } finally {
    await second.stop(GRACE_MS);
    await embedded.stop();
  }
}
