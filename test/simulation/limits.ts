/** AWS' request limits: token buckets an account shares, as its documentation gives them. */

interface Limit {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * EC2: ec2-api-throttling.html. Step Functions: limits-overview.md, us-west-2. ECS: request-throttling.md.
 * DescribeStream: Streams.md. What no page gives a limit for (SSM) has none here.
 */
const LIMITS = {
  'ec2:Describe*': { burst: 100, perSecond: 20 },
  'ec2:StartInstances': { burst: 5, perSecond: 2 },
  'ec2:mutating': { burst: 50, perSecond: 5 },
  'ec2:RunInstances': { burst: 5, perSecond: 2 },
  'states:StartExecution': { burst: 1_300, perSecond: 300 },
  'states:DescribeExecution': { burst: 300, perSecond: 15 },
  'states:ListExecutions': { burst: 200, perSecond: 5 },
  'states:StopExecution': { burst: 1_000, perSecond: 200 },
  'states:GetExecutionHistory': { burst: 400, perSecond: 20 },
  'ecs:modify': { burst: 100, perSecond: 40 },
  'ecs:read': { burst: 100, perSecond: 20 },
  'dynamodb:DescribeStream': { burst: 10, perSecond: 10 },
} as const satisfies Record<string, Limit>;
export type Family = keyof typeof LIMITS;
export const FAMILIES = Object.keys(LIMITS) as readonly Family[];

const FAMILY_OF: Readonly<Record<string, Family>> = {
  'hosts.sweep': 'ec2:Describe*',
  'hosts.status': 'ec2:Describe*',
  'hosts.find': 'ec2:Describe*',
  'hosts.byInstanceId': 'ec2:Describe*',
  'surroundings.groups': 'ec2:Describe*',
  'surroundings.volumes': 'ec2:Describe*',
  'inspector.instanceAttributes': 'ec2:Describe*',
  'inspector.rootVolume': 'ec2:Describe*',
  'inspector.rules': 'ec2:Describe*',
  'hosts.start': 'ec2:StartInstances',
  'hosts.stop': 'ec2:mutating',
  'workflows.start': 'states:StartExecution',
  'workflows.running': 'states:ListExecutions',
  'workflows.describe': 'states:DescribeExecution',
  'workflows.tasks': 'states:GetExecutionHistory',
  'workflows.abort': 'states:StopExecution',
  'tasks.describe': 'ecs:read',
  'tasks.stop': 'ecs:modify',
  'streams.records.shards': 'dynamodb:DescribeStream',
  'streams.state.shards': 'dynamodb:DescribeStream',
  'streams.history.shards': 'dynamodb:DescribeStream',
};

interface Bucket {
  tokens: number;
  atMs: number;
  /** Somebody else takes whatever is refilled until then. */
  drainedUntilMs: number;
}

/** One account's buckets. */
export class Limits {
  readonly #now: () => number;
  readonly #buckets = new Map<Family, Bucket>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The family an operation is limited in; undefined: none. */
  familyOf(operation: string): Family | undefined {
    return FAMILY_OF[operation];
  }

  /** Takes a token; false where there is none. */
  take(family: Family): boolean {
    const bucket = this.#filled(family);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Another tool of the account uses the family up. */
  drain(family: Family, forMs: number): void {
    const bucket = this.#filled(family);
    bucket.tokens = 0;
    bucket.drainedUntilMs = this.#now() + forMs;
  }

  /** Somebody uses some family up now. */
  get drained(): boolean {
    const now = this.#now();
    return [...this.#buckets.values()].some(({ drainedUntilMs }) => drainedUntilMs > now);
  }

  undrain(): void {
    for (const bucket of this.#buckets.values()) bucket.drainedUntilMs = 0;
  }

  #filled(family: Family): Bucket {
    const now = this.#now();
    const { burst, perSecond } = LIMITS[family];
    const bucket = this.#buckets.get(family) ?? { tokens: burst, atMs: now, drainedUntilMs: 0 };
    const since = Math.max(bucket.atMs, Math.min(now, bucket.drainedUntilMs));
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - since) / 1_000) * perSecond);
    bucket.atMs = now;
    this.#buckets.set(family, bucket);
    return bucket;
  }
}
