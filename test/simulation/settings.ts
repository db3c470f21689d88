/** What a seed decides before anything happens: the fleet, the configuration, which faults there are. */
import { type Config, ConfigSchema } from '../../src/reconciler/config.ts';
import type { SeededRandom } from './random.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/**
 * Kinds of faults. A seed has about half of them: with all of them at once, one hides what another does.
 */
export const FAULTS = [
  /** Calls that fail without effect. */
  'errors',
  /** Calls that have their effect, and fail. */
  'lostReplies',
  /** Requests that arrive twice, as an SDK's retry makes them. */
  'duplicates',
  /** Calls that take up to half a minute. */
  'slowCalls',
  /** Another tool of the account uses an API's rate up. */
  'throttling',
  /** A whole service fails for minutes. */
  'outages',
  /** DescribeInstances and ListExecutions lag behind. */
  'lag',
  /** Hosts are stopped, started and terminated behind our back. */
  'hosts',
  /** Enclaves crash, agents freeze. */
  'agents',
  /** What runs is changed behind our back, attribute by attribute. */
  'intruders',
  /** The same is done to all at once. */
  'massDrift',
  /** Sweeps that break off, regions that describe nothing. */
  'sweeps',
  /** Runs fail, hang, and leave things behind. */
  'runs',
  /** Tasks are killed, workflows die. */
  'tasks',
  /** Shards split, records come twice or late. */
  'shards',
  /** Iterators expire, streams are trimmed. */
  'gaps',
  /** Streams are disabled, and enabled with another ARN. */
  'streams',
  /** Operators are killed at any moment. */
  'crashes',
  /** Operators are stopped and continued (SIGSTOP), for longer than the lease. */
  'freezes',
  /** Operators are cut off: what they have sent arrives when the network is back, long after it was sent. */
  'partitions',
  /** Operators are restarted again and again. */
  'storms',
  /** Operators' clocks differ. */
  'skew',
  /** An enclave that dies again whenever it is repaired. */
  'sick',
  /** Commands the application's gates would not let through, and late ones. */
  'lateCommands',
  /** Records are deleted, brought back, and made anew by somebody else. */
  'deletions',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Settings {
  readonly seed: number;
  readonly config: Config;
  readonly faults: ReadonlySet<Fault>;
  /** Enclaves the application owns at most. */
  readonly fleet: number;
  /** Operators that compete. */
  readonly operators: number;
  /** How long faults last. */
  readonly chaosMs: number;
  /** Mean time between two things the application does. */
  readonly appEveryMs: number;
  /** Mean time between two incidents. */
  readonly incidentEveryMs: number;
  /** Mean time from request to answer, where a call takes time at all. */
  readonly latencyMs: number;
}

/** Durations are shorter than those of production, so that an hour meets every deadline several times. */
function configOf(random: SeededRandom): Config {
  return ConfigSchema.parse({
    workers: random.pick([2, 4, 16]),
    maxRuns: random.pick([2, 3, 6, 16]),
    attemptsPerGeneration: random.pick([2, 3, 5]),
    repairAttempts: random.pick([2, 3]),
    observeMs: random.pick([5, 8]) * SECOND,
    relistMs: random.pick([90, 120, 180]) * SECOND,
    sweepMs: random.pick([30, 60]) * SECOND,
    settleMs: random.pick([20, 30]) * SECOND,
    retryBaseMs: 5 * SECOND,
    retryMaxMs: 2 * MINUTE,
    stalledRetryMs: 8 * MINUTE,
    errorBackoffMaxMs: MINUTE,
    deletionGraceMs: random.pick([1, 3]) * MINUTE,
    // Nobody here confirms deletions: what holds them has scenarios of its own.
    deletionHoldMin: 1_000,
    reportSilenceMs: 6 * MINUTE,
    deployDeadlineMs: 7 * MINUTE,
    destroyDeadlineMs: 7 * MINUTE,
    verifyDeadlineMs: 3 * MINUTE,
    pauseDeadlineMs: 4 * MINUTE,
    resumeDeadlineMs: 4 * MINUTE,
    breakerRestMs: 2 * MINUTE,
    driftEveryMs: 30 * MINUTE,
    logLevel: 'warn',
  });
}

export interface Options {
  /** Instead of what the seed says. */
  readonly hours?: number | undefined;
}

export function settingsOf(seed: number, random: SeededRandom, { hours }: Options = {}): Settings {
  const appEveryMs = random.pick([15, 30, 60]) * SECOND;
  return {
    seed,
    config: configOf(random),
    faults: new Set(FAULTS.filter(() => random.chance(0.45))),
    fleet: random.weighted([
      [4, random.between(1, 4)],
      [4, random.between(5, 10)],
      [1, random.between(11, 24)],
    ]),
    operators: random.pick([1, 2, 2, 3]),
    chaosMs: hours === undefined ? random.pick([8, 12, 20, 30]) * MINUTE : hours * 60 * MINUTE,
    appEveryMs,
    incidentEveryMs: random.pick([20, 40, 90]) * SECOND,
    latencyMs: random.pick([20, 60, 200]),
  };
}
