/** API rate limits: the share of AWS' rate limits that this operator uses. */
import type { Config } from '../config.ts';
import { type Hosts, OperatorError, type Ports, type Tasks, type Workflows } from '../ports/index.ts';
import type { Surroundings } from '../ports/inventory.ts';
import { AdaptiveRateLimit } from './adaptive-rate.ts';
import { budgetedInspector } from './inspection-budget.ts';
import { withErrorHook } from './on-error.ts';
import { type BucketLimits, TokenBucket } from './token-bucket.ts';

/**
 * AWS' own limits by family of calls, an account and a region: those of EC2 and ECS everywhere, of Step Functions
 * outside its three large regions. Those of SSM and IAM are not published: careful guesses. Of KMS, that of ListGrants.
 */
export const AWS_LIMITS = {
  'ec2:Describe': { burst: 100, perSecond: 20 },
  'ec2:StartInstances': { burst: 5, perSecond: 2 },
  'ec2:StopInstances': { burst: 50, perSecond: 5 },
  'ssm:DescribeInstanceInformation': { burst: 10, perSecond: 5 },
  'ssm:SendCommand': { burst: 10, perSecond: 5 },
  'logs:DescribeLogGroups': { burst: 10, perSecond: 10 },
  'iam:Get': { burst: 10, perSecond: 5 },
  'cloudtrail:LookupEvents': { burst: 2, perSecond: 2 },
  'kms:Get': { burst: 100, perSecond: 100 },
  'states:StartExecution': { burst: 800, perSecond: 150 },
  'states:StopExecution': { burst: 500, perSecond: 25 },
  'states:DescribeExecution': { burst: 250, perSecond: 10 },
  'states:ListExecutions': { burst: 100, perSecond: 2 },
  'states:GetExecutionHistory': { burst: 400, perSecond: 20 },
  'ecs:StopTask': { burst: 100, perSecond: 40 },
  'ecs:DescribeTasks': { burst: 100, perSecond: 20 },
} as const satisfies Record<string, BucketLimits>;
export type ApiFamily = keyof typeof AWS_LIMITS;

/** Two calls a second that the whole account shares, consoles among them: a throttled one says nothing of other limits. */
const APART: ReadonlySet<string> = new Set<ApiFamily>(['cloudtrail:LookupEvents']);

/** What the budgets say of themselves, for metrics. */
export interface BudgetState {
  /** In (0, 1]: the share of the refill that is used; below 1 after AWS has throttled anything but LookupEvents. */
  readonly pace: number;
  /** Throttled answers so far. */
  readonly throttled: number;
  /** Calls that waited for their turn, and how long they did all together. */
  readonly waits: number;
  readonly waitedMs: number;
  /** Calls that are waiting now. */
  readonly waiting: number;
  /** Calls that were given up because their turn did not come in time. */
  readonly refused: number;
}

/**
 * Puts a token bucket before every call of EC2, SSM, ECS and Step Functions, and listens to all ports for throttling.
 *
 * *Guarantees*: a call waits for its turn, never longer than `awsBudgetWaitMs`, then fails as `Throttled`; what destroys
 * or stops a run goes first; after a throttled answer of any port every refill is halved, and regained within minutes:
 * after one of LookupEvents its own alone.
 * *Caveats*: a listing counts as one call, of which more than a page is asked for above 1,000 running executions.
 */
export class ApiRateLimits {
  /** The ports to use instead. */
  readonly ports: Ports;
  readonly #inner: Ports;
  readonly #config: Pick<Config, 'awsBudgetShare' | 'awsBudgetWaitMs' | 'region'>;
  readonly #slowDown: AdaptiveRateLimit;
  readonly #slowDownApart: AdaptiveRateLimit;
  readonly #buckets = new Map<string, TokenBucket>();
  #waits = 0;
  #waitedMs = 0;
  #refused = 0;

  constructor(inner: Ports, config: Pick<Config, 'awsBudgetShare' | 'awsBudgetWaitMs' | 'region'>) {
    this.#inner = inner;
    this.#config = config;
    this.#slowDown = new AdaptiveRateLimit(inner.clock);
    this.#slowDownApart = new AdaptiveRateLimit(inner.clock);
    const heard = <T extends object>(port: T) => withErrorHook(port, (error) => this.#heard(error));
    this.ports = {
      ...inner,
      records: heard(inner.records),
      state: heard(inner.state),
      leases: heard(inner.leases),
      history: heard(inner.history),
      fleetRuns: heard(inner.fleetRuns),
      workflows: this.#workflows(heard(inner.workflows)),
      tasks: this.#tasks(heard(inner.tasks)),
      hosts: this.#hosts(heard(inner.hosts)),
      surroundings: this.#surroundings(heard(inner.surroundings)),
      inspector: budgetedInspector(heard(inner.inspector), config.region, (family, region) =>
        this.#turn(family, region),
      ),
      streams: {
        records: heard(inner.streams.records),
        state: heard(inner.streams.state),
        history: heard(inner.streams.history),
      },
    };
  }

  state(): BudgetState {
    let waiting = 0;
    for (const bucket of this.#buckets.values()) waiting += bucket.waiting;
    return {
      pace: this.#slowDown.pace(this.#inner.clock.monotonic()),
      throttled: this.#slowDown.count + this.#slowDownApart.count,
      waits: this.#waits,
      waitedMs: this.#waitedMs,
      waiting,
      refused: this.#refused,
    };
  }

  /** Calls of each family that could be made at once: in the region where they are fewest, all where none was made yet. */
  tokens(): ReadonlyMap<ApiFamily, number> {
    const fewest = new Map<ApiFamily, number>();
    for (const family of Object.keys(AWS_LIMITS) as ApiFamily[]) {
      fewest.set(family, Math.max(1, AWS_LIMITS[family].burst * this.#config.awsBudgetShare));
    }
    for (const [key, bucket] of this.#buckets) {
      const family = key.slice(0, key.indexOf(' ')) as ApiFamily;
      fewest.set(family, Math.min(fewest.get(family) ?? Number.POSITIVE_INFINITY, bucket.tokens));
    }
    return fewest;
  }

  #heard(error: unknown): void {
    if (!(error instanceof OperatorError) || error.class !== 'Throttled') return;
    // What came in until now came in at the old pace.
    for (const bucket of this.#buckets.values()) bucket.refill();
    const { operation } = error;
    const isApart = APART.has(operation);
    const slowDown = isApart ? this.#slowDownApart : this.#slowDown;
    if (!slowDown.throttled()) return;
    for (const bucket of this.#buckets.values()) bucket.refill();
    const pace = slowDown.pace(this.#inner.clock.monotonic());
    const what = isApart ? 'its budget is' : 'all budgets are';
    this.#inner.log.warn({ operation, pace }, `AWS throttles: ${what} halved for a while`);
  }

  async #turn(family: ApiFamily, region: string, urgent = false): Promise<void> {
    const { awsBudgetShare: share, awsBudgetWaitMs } = this.#config;
    if (share === 0) return;
    const { clock } = this.#inner;
    const began = clock.monotonic();
    const admitted = await this.#bucket(family, region, share).take(awsBudgetWaitMs, urgent);
    const waitedMs = clock.monotonic() - began;
    if (waitedMs > 0) this.#waits += 1;
    this.#waitedMs += waitedMs;
    if (admitted) return;
    this.#refused += 1;
    throw new OperatorError(
      'Throttled',
      family,
      `its turn in ${region} did not come within ${awsBudgetWaitMs} ms; tried again (awsBudgetShare is the operator's part of the account's limit)`,
    );
  }

  #bucket(family: ApiFamily, region: string, share: number): TokenBucket {
    const key = `${family} ${region}`;
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    const { burst, perSecond } = AWS_LIMITS[family];
    const limits = { burst: Math.max(1, burst * share), perSecond: perSecond * share };
    const { pace } = APART.has(family) ? this.#slowDownApart : this.#slowDown;
    const bucket = new TokenBucket(this.#inner.clock, limits, pace);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #workflows(inner: Workflows): Workflows {
    const { region } = this.#config;
    const turn = (family: ApiFamily, urgent: boolean) => this.#turn(family, region, urgent);
    return {
      async start(name, action, enclaveId) {
        await turn('states:StartExecution', action === 'destroy');
        return inner.start(name, action, enclaveId);
      },
      async startFleetRun(name, action) {
        await turn('states:StartExecution', false);
        return inner.startFleetRun(name, action);
      },
      async running(action) {
        await turn('states:ListExecutions', action === 'destroy');
        return inner.running(action);
      },
      async describe(name, action) {
        await turn('states:DescribeExecution', action === 'destroy');
        return inner.describe(name, action);
      },
      async tasks(name, action) {
        await turn('states:GetExecutionHistory', action === 'destroy');
        return inner.tasks(name, action);
      },
      async abort(name, action, cause) {
        await turn('states:StopExecution', true);
        return inner.abort(name, action, cause);
      },
    };
  }

  #tasks(inner: Tasks): Tasks {
    const { region } = this.#config;
    const turn = (family: ApiFamily, urgent: boolean) => this.#turn(family, region, urgent);
    return {
      async describe(arns) {
        await turn('ecs:DescribeTasks', false);
        return inner.describe(arns);
      },
      async stop(arn, reason) {
        await turn('ecs:StopTask', true);
        return inner.stop(arn, reason);
      },
    };
  }

  #surroundings(inner: Surroundings): Surroundings {
    const { region: home } = this.#config;
    const turn = (family: ApiFamily, region: string) => () => this.#turn(family, region);
    return {
      groups: (region, signal) => paced(inner.groups(region, signal), turn('ec2:Describe', region)),
      volumes: (region, signal) => paced(inner.volumes(region, signal), turn('ec2:Describe', region)),
      logGroups: (region, signal) => paced(inner.logGroups(region, signal), turn('logs:DescribeLogGroups', region)),
      agents: (region, signal) => paced(inner.agents(region, signal), turn('ssm:DescribeInstanceInformation', region)),
      attestations: (region, time, signal) =>
        paced(inner.attestations(region, time, signal), turn('cloudtrail:LookupEvents', region)),
      roles: (signal) => paced(inner.roles(signal), turn('iam:Get', home)),
      key: async (keyArn, withGrants, signal) => {
        await turn('kms:Get', keyArn.split(':')[3] ?? home)();
        return inner.key(keyArn, withGrants, signal);
      },
    };
  }

  #hosts(inner: Hosts): Hosts {
    const turn = (family: ApiFamily, region: string) => this.#turn(family, region);
    return {
      // One turn a page: the next is asked for when it is pulled.
      sweep: (region, signal) => paced(inner.sweep(region, signal), () => turn('ec2:Describe', region)),
      status: (region, instanceIds, signal) =>
        paced(inner.status(region, instanceIds, signal), () => turn('ec2:Describe', region)),
      async find(region, enclaveId) {
        await turn('ec2:Describe', region);
        return inner.find(region, enclaveId);
      },
      async byInstanceId(region, instanceId) {
        await turn('ec2:Describe', region);
        return inner.byInstanceId(region, instanceId);
      },
      async start(region, instanceId) {
        await turn('ec2:StartInstances', region);
        return inner.start(region, instanceId);
      },
      async stop(region, instanceId) {
        await turn('ec2:StopInstances', region);
        return inner.stop(region, instanceId);
      },
      async askToReport(region, instanceId) {
        await turn('ssm:DescribeInstanceInformation', region);
        await turn('ssm:SendCommand', region);
        return inner.askToReport(region, instanceId);
      },
      async restartEnclave(region, instanceId) {
        await turn('ssm:SendCommand', region);
        return inner.restartEnclave(region, instanceId);
      },
      async restartAllocator(region, instanceId) {
        await turn('ssm:SendCommand', region);
        return inner.restartAllocator(region, instanceId);
      },
    };
  }
}

async function* paced<T>(pages: AsyncIterable<T>, turn: () => Promise<void>): AsyncIterable<T> {
  const iterator = pages[Symbol.asyncIterator]();
  try {
    for (;;) {
      await turn();
      const page = await iterator.next();
      if (page.done) return;
      yield page.value;
    }
  } finally {
    await iterator.return?.();
  }
}
