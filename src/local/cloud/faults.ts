/** What a test or a demonstration has ordered to go wrong. Forgotten when the process ends. */
import type { ErrorClass } from '../../enclave/items/run.ts';

export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly summary: string;
  readonly detail: string;
  readonly address?: string;
  /** Set only where a fault names the class itself. */
  readonly class?: ErrorClass;
}

const aws = (operation: string, code: string, message: string) =>
  `${operation}: operation error EC2: RunInstances, https response error StatusCode: 400, ` +
  `RequestID: 8d2f3a51-6c0e-4f1b-9c39-0b7f2a6d4e11, api error ${code}: ${message}`;

/** What Terraform says of each class. A fault that gives no text of its own uses these. */
const TEXTS: Readonly<Record<ErrorClass, string>> = {
  validation: aws('creating EC2 Instance', 'InvalidParameterValue', 'Invalid value for parameter cpuOptions.'),
  quota: aws(
    'creating EC2 Instance',
    'VcpuLimitExceeded',
    'You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the ' +
      'specified instance type belongs to.',
  ),
  capacity: aws(
    'creating EC2 Instance',
    'InsufficientInstanceCapacity',
    'We currently do not have sufficient capacity in the Availability Zone you requested (us-west-2a).',
  ),
  throttled: aws('creating EC2 Instance', 'RequestLimitExceeded', 'Request limit exceeded.'),
  locked: 'Error acquiring the state lock',
  state: 'Error saving state: failed to persist state to backend.',
  permission: aws(
    'creating EC2 Instance',
    'UnauthorizedOperation',
    'You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/runner/i-0abc is ' +
      'not authorized to perform: ec2:RunInstances',
  ),
  bootstrap: 'Failed to install provider: could not find registry.terraform.io/hashicorp/aws in the mirror',
  timeout: "waiting for EC2 Instance (i-0abc) create: timeout while waiting for state to become 'running'",
  cancelled: 'execution halted',
  unknown: 'The provider produced an unexpected new value: root object was absent.',
};

export interface RunFault {
  /** Undefined: of whichever enclave comes first. */
  readonly enclaveId?: string | undefined;
  readonly at: 'plan' | 'apply';
  times: number;
  readonly diagnostic: Diagnostic;
}

export function runFault(options: {
  readonly enclaveId?: string | undefined;
  readonly at?: 'plan' | 'apply' | undefined;
  readonly times?: number | undefined;
  readonly class?: ErrorClass | undefined;
  readonly summary?: string | undefined;
  readonly detail?: string | undefined;
}): RunFault {
  const errorClass = options.class ?? 'unknown';
  const own = options.summary !== undefined && options.class !== undefined;
  return {
    enclaveId: options.enclaveId,
    at: options.at ?? 'apply',
    times: options.times ?? 1,
    diagnostic: {
      severity: 'error',
      summary: options.summary ?? TEXTS[errorClass],
      detail: options.detail ?? '',
      ...(own ? { class: errorClass } : {}),
    },
  };
}

export class Faults {
  readonly runs: RunFault[] = [];
  /** Enclaves whose plans wait before they end. */
  readonly heldPlans = new Set<string>();
  /** Enclaves whose applies wait before their next resource. */
  readonly heldApplies = new Set<string>();
  /** Enclaves whose hosts write no report. */
  readonly frozen = new Set<string>();
  /** Starts of the enclave that still fail on the host. */
  readonly boots = new Map<string, { times: number; message: string }>();
  /** ms at speed 1 that a resource type takes besides its own time. */
  readonly delays = new Map<string, number>();
  /** EC2 calls that still fail, by action; `*`: any. */
  readonly ec2 = new Map<string, { times: number; code: string; message: string }>();
  readonly #waiting: (() => void)[] = [];

  /** Takes one failure off the list, if one is due. */
  takeRun(enclaveId: string, at: 'plan' | 'apply'): Diagnostic | undefined {
    const fault = this.runs.find((each) => each.at === at && (each.enclaveId ?? enclaveId) === enclaveId);
    if (fault === undefined) return undefined;
    fault.times -= 1;
    if (fault.times <= 0) this.runs.splice(this.runs.indexOf(fault), 1);
    return fault.diagnostic;
  }

  takeBoot(enclaveId: string): string | undefined {
    return this.#take(this.boots, enclaveId)?.message;
  }

  takeEc2(action: string): { readonly code: string; readonly message: string } | undefined {
    return this.#take(this.ec2, action) ?? this.#take(this.ec2, '*');
  }

  hold(enclaveId: string, at: 'plan' | 'apply', held: boolean): void {
    const enclaves = this.#held(at);
    if (held) enclaves.add(enclaveId);
    else enclaves.delete(enclaveId);
    this.wake();
  }

  /** Makes all who are held look again. */
  wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when the enclave is not held, the signal aborts, or `enough` says so. */
  async whileHeld(
    enclaveId: string,
    at: 'plan' | 'apply',
    signal: AbortSignal,
    enough: () => boolean = () => false,
  ): Promise<void> {
    while (this.#held(at).has(enclaveId) && !signal.aborted && !enough()) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  reset(): void {
    this.runs.length = 0;
    this.frozen.clear();
    this.boots.clear();
    this.delays.clear();
    this.ec2.clear();
    this.heldPlans.clear();
    this.heldApplies.clear();
    this.wake();
  }

  #held(at: 'plan' | 'apply'): Set<string> {
    return at === 'plan' ? this.heldPlans : this.heldApplies;
  }

  #take<T extends { times: number }>(faults: Map<string, T>, key: string): T | undefined {
    const fault = faults.get(key);
    if (fault === undefined) return undefined;
    fault.times -= 1;
    if (fault.times <= 0) faults.delete(key);
    return fault;
  }
}
