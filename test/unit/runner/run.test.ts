/** A run's decisions, with a scripted engine and a store in memory. */
import { describe, expect, it } from 'vitest';
import { type ApplyResult, type Engine, EngineFailure, type TerraformPlan } from '../../../runner/src/engine/port.ts';
import { readSettings } from '../../../runner/src/environment.ts';
import { createLog } from '../../../runner/src/log.ts';
import { digestOf } from '../../../runner/src/plan-digest.ts';
import { carryOutRun, type RunParts } from '../../../runner/src/run.ts';
import { Stop } from '../../../runner/src/stop.ts';
import type { RunStore } from '../../../runner/src/store.ts';
import type { Lock } from '../../../src/enclave/items/items.ts';
import type { Outcome, RunItem } from '../../../src/enclave/items/run.ts';
import { omit } from '../../../src/enclave/omit.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const ENVIRONMENT = {
  ENCLAVE_ID: 'a',
  RUN: 'e-a-1-deploy',
  ACTION: 'deploy',
  STATE_TABLE: 'state',
  HISTORY_TABLE: 'history',
  ENCLAVE_ENVIRONMENT: 'dev',
  AWS_REGION: 'us-west-2',
  RUNNER_ENGINE: 'simulated',
  SIMULATED_CLOUD_URL: 'http://127.0.0.1:1',
  ECS_CONTAINER_METADATA_URI_V4: 'http://127.0.0.1:1/v4/x',
  EXECUTION_ARN: 'execution',
};

const creation: TerraformPlan = {
  resource_changes: [
    { address: 'aws_instance.enclave_instance', type: 'aws_instance', change: { actions: ['create'], before: null } },
  ],
  resource_drift: [],
};

const base = { region: 'r', environment: 'dev', stateKey: 'k', stackVersion: 1, walletAddress: '', generation: 1 };

interface Script {
  readonly item?: Partial<RunItem>;
  readonly lock?: Lock | undefined;
  readonly plan?: (stop: Stop) => Promise<TerraformPlan>;
  readonly apply?: (stop: Stop, interrupted: Promise<void>) => Promise<ApplyResult>;
  readonly hostIsGone?: boolean;
  readonly advance?: 'goOn' | 'cancelled' | 'lost';
  /** Failures of the outcome's write before it succeeds. */
  readonly settleFailures?: number;
}

function setUp(script: Script = {}) {
  const clock = new VirtualClock();
  const stop = new Stop();
  const did: string[] = [];
  const lines: string[] = [];
  const outcomes: Outcome[] = [];
  const claims: string[] = [];
  let interruptedNow = () => {};
  const interrupted = new Promise<void>((resolve) => {
    interruptedNow = resolve;
  });
  let settleFailures = script.settleFailures ?? 0;
  const item: RunItem = {
    v: 1,
    minReader: 1,
    id: 'a',
    name: ENVIRONMENT.RUN,
    action: 'deploy',
    reason: 'create',
    generation: 1,
    requestedAt: clock.iso(),
    variables: {
      region: 'us-west-2',
      environment: 'dev',
      stateKey: 'k',
      stackVersion: 1,
      walletAddress: '',
      generation: 1,
      spec: {},
      pinned: {},
    },
    ...script.item,
  };
  const held: Lock = { run: ENVIRONMENT.RUN, state: 'claimed', executionArn: 'execution' };
  const store: RunStore = {
    claim: async ({ taskArn }) => {
      claims.push(taskArn);
      return { kind: 'claimed', item };
    },
    lock: async () => ('lock' in script ? script.lock : held),
    advance: async () => script.advance ?? 'goOn',
    async settle(_, outcome) {
      if (settleFailures > 0) {
        settleFailures -= 1;
        throw new Error('the table is away');
      }
      outcomes.push(outcome);
      return 'settled';
    },
  };
  const engine: Engine = {
    async init() {
      did.push('init');
    },
    async plan() {
      did.push('plan');
      return script.plan?.(stop) ?? creation;
    },
    async apply() {
      did.push('apply');
      return script.apply?.(stop, interrupted) ?? { ok: true };
    },
    async interrupt() {
      did.push('interrupt');
      interruptedNow();
    },
    look: async () => creation,
    async dropEmptyState() {
      did.push('dropEmptyState');
    },
    state: async () => ({ resources: [], outputs: { instance_id: 'i-1', ami_id: 'ami-1' } }),
    remaining: async () => [],
    async hostIsGone() {
      did.push('hostIsGone');
      return script.hostIsGone ?? false;
    },
    close() {},
  };
  const settings = readSettings({ ...ENVIRONMENT, ACTION: script.item?.action ?? 'deploy' });
  if (settings.action === 'drift') throw new Error('not the run of one enclave');
  const parts: RunParts = {
    settings,
    clock,
    log: createLog({ enclaveId: 'a', run: settings.run }, clock.now.bind(clock), (line) => lines.push(line)),
    store,
    stop,
    hostName: 'host',
    taskArn: async () => 'task',
    engineFor: () => engine,
  };
  return { parts, clock, stop, did, outcomes, claims, lines, run: () => carryOutRun(parts) };
}

describe('an adopt run', () => {
  const planned = (...actions: string[]): TerraformPlan => ({
    resource_changes: [
      { address: 'aws_security_group.enclave_sg', type: 'aws_security_group', change: { actions, before: null } },
    ],
    resource_drift: [],
  });

  it.each([['no-op'], ['update']])('looks at what exists, records it, and applies nothing: %s', async (action) => {
    const { run, did, outcomes } = setUp({ item: { reason: 'adopt' }, plan: async () => planned(action) });
    expect(await run()).toBe('succeeded');
    expect(did).toEqual(['init', 'plan']);
    expect(outcomes).toMatchObject([{ result: 'succeeded', instanceId: 'i-1' }]);
  });

  it('fails where something would have to be made', async () => {
    const { run, did, outcomes } = setUp({ item: { reason: 'adopt' }, plan: async () => planned('create') });
    expect(await run()).toBe('failed');
    expect(did).toEqual(['init', 'plan']);
    expect(outcomes).toMatchObject([{ class: 'state', message: expect.stringContaining('aws_security_group') }]);
  });
});

describe('a run', () => {
  it('plans, applies and records what was made', async () => {
    const { run, did, outcomes, clock } = setUp();
    expect(await run()).toBe('succeeded');
    expect(did).toEqual(['init', 'plan', 'apply']);
    expect(outcomes).toEqual([
      { result: 'succeeded', instanceId: 'i-1', amiId: 'ami-1', at: clock.iso(), by: 'runner' },
    ]);
    expect(clock.pending).toBe(0);
  });

  it.each([
    ['there is none', undefined],
    ['it names another run', { run: 'e-a-2-deploy', state: 'claimed' as const }],
  ])('does not touch Terraform without the lock: %s', async (_, lock) => {
    const { run, did, outcomes } = setUp({ lock });
    expect(await run()).toBe('failed');
    expect(did).toEqual([]);
    expect(outcomes).toMatchObject([{ class: 'locked' }]);
  });

  it.each([
    ['another execution claimed it', { executionArn: 'other' }, 'another execution holds the lock'],
    ['no execution claimed it', { executionArn: undefined }, 'no execution has claimed the lock'],
    [
      'it is for a run of another action',
      { action: 'destroy' as const },
      'the lock is for a destroy run, but this task executes deploy runs',
    ],
  ])('does not even take the run where its lock is not for this task: %s', async (_, more, why) => {
    const lock: Lock = { run: ENVIRONMENT.RUN, state: 'claimed', executionArn: 'execution', ...more };
    const { run, did, outcomes, claims, lines } = setUp({ lock });
    expect(await run()).toBe('unusable');
    expect({ did, outcomes, claims }).toEqual({ did: [], outcomes: [], claims: [] });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'error', message: expect.stringContaining(why) },
    ]);
  });

  it.each([
    ['an operator of an earlier version wrote the lock', {}],
    ['the lock is for this action', { action: 'deploy' as const, intendedExecution: 'execution' }],
  ])('works where %s', async (_, more) => {
    const { run } = setUp({ lock: { run: ENVIRONMENT.RUN, state: 'claimed', executionArn: 'execution', ...more } });
    expect(await run()).toBe('succeeded');
  });

  it('does not apply over a newer stack', async () => {
    const variables = { ...base, stackVersion: 2, pinned: {} };
    const { run, did, outcomes } = setUp({ item: { variables } });
    expect(await run()).toBe('failed');
    expect(did).toEqual([]);
    expect(outcomes).toMatchObject([{ class: 'state' }]);
  });

  it('asks AWS about the pinned host before it makes another, and refuses while it may exist', async () => {
    const item = { reason: 'repair', variables: { ...base, pinned: { instanceId: 'i-0' } } };
    const there = setUp({ item });
    expect(await there.run()).toBe('failed');
    expect(there.did).toEqual(['init', 'plan', 'hostIsGone']);
    expect(there.outcomes[0]?.message).toContain('i-0 is not known to be gone');
    const gone = setUp({ item, hostIsGone: true });
    expect(await gone.run()).toBe('succeeded');
    expect(gone.did).toEqual(['init', 'plan', 'hostIsGone', 'apply']);
  });

  it.each([['cancelled', 'cancelled'] as const, ['lost', 'failed'] as const])(
    'does not apply when its item says %s after the plan',
    async (advance, ending) => {
      const { run, did } = setUp({ advance });
      expect(await run()).toBe(ending);
      expect(did).toEqual(['init', 'plan']);
    },
  );

  it('interrupts a plan that is at work when it is stopped, and does not apply', async () => {
    const { run, did, outcomes } = setUp({
      plan: async (stop) => {
        stop.request('cancelled');
        throw new Error('aborted');
      },
    });
    expect(await run()).toBe('cancelled');
    expect(did).toEqual(['init', 'plan', 'interrupt']);
    expect(outcomes).toMatchObject([{ result: 'cancelled', class: 'cancelled' }]);
  });

  it('interrupts nothing when it is stopped between two operations', async () => {
    const { parts, did, run, stop } = setUp();
    const { advance } = parts.store;
    parts.store.advance = async (...args) => {
      stop.request('cancelled');
      return advance(...args);
    };
    expect(await run()).toBe('cancelled');
    expect(did).toEqual(['init', 'plan']);
  });

  it('asks Terraform to stop once at the deadline, and not again for a signal', async () => {
    const { run, clock, did, outcomes, parts } = setUp({
      apply: async (stopAgain, interrupted) => {
        await interrupted;
        stopAgain.request('cancelled');
        return { ok: false, interrupted: true, diagnostics: [] };
      },
    });
    const running = run();
    await clock.advance(parts.settings.deadlineMs);
    expect(await running).toBe('failed');
    expect(did.filter((each) => each === 'interrupt')).toHaveLength(1);
    expect(outcomes).toMatchObject([{ class: 'timeout' }]);
  });

  describe('that is cut off', () => {
    const error = (summary: string) => ({ severity: 'error', summary, detail: '' });
    const shortage = error('api error InsufficientInstanceCapacity: no m6i.xlarge in us-west-2a of arn:aws:ec2:x:1:y');
    const complaints = [
      error('operation error EC2: RunInstances, request canceled, context canceled'),
      error('execution halted'),
    ];
    const cutOff = async (cause: 'timeout' | 'cancelled', diagnostics: readonly ReturnType<typeof error>[]) => {
      const { run, outcomes, lines } = setUp({
        apply: async (stop) => {
          stop.request(cause);
          return { ok: false, interrupted: true, diagnostics };
        },
      });
      await run();
      return { outcome: outcomes[0], log: lines.join('') };
    };

    it('keeps the class and the text of the error that came before its deadline, without what the stop caused', async () => {
      const { outcome, log } = await cutOff('timeout', [...complaints, shortage]);
      expect(outcome).toMatchObject({
        result: 'failed',
        class: 'capacity',
        fix: expect.stringMatching(/instance type/),
      });
      expect(outcome?.message).toBe(
        'The runner interrupted the run after 1500 s (deadline). Last error: ' +
          'api error InsufficientInstanceCapacity: no m6i.xlarge in us-west-2a of <arn>',
      );
      expect(log).toContain('context canceled');
    });

    it('keeps the text of an error that no rule knows, and the class timeout', async () => {
      const { outcome } = await cutOff('timeout', [error('reticulating splines'), ...complaints]);
      expect(outcome).toMatchObject({ class: 'timeout', message: expect.stringMatching(/reticulating splines$/) });
    });

    it('says that no error was reported where the stop alone caused what was printed', async () => {
      const { outcome } = await cutOff('timeout', complaints);
      expect(outcome).toMatchObject({
        class: 'timeout',
        message: 'The runner interrupted the run after 1500 s (deadline). No error was reported before that.',
      });
    });

    it('stays cancelled where it was cancelled, and names the error that came before', async () => {
      const { outcome } = await cutOff('cancelled', [shortage, ...complaints]);
      expect(outcome).toMatchObject({ result: 'cancelled', class: 'cancelled' });
      expect(outcome?.message).toMatch(/^The run was cancelled\. Last error: .*InsufficientInstanceCapacity/);
      expect((await cutOff('cancelled', complaints)).outcome?.message).toBe('The run was cancelled.');
    });

    it('keeps the error of a plan that was interrupted', async () => {
      const { run, outcomes } = setUp({
        plan: async (stop) => {
          stop.request('timeout');
          throw new EngineFailure([shortage]);
        },
      });
      expect(await run()).toBe('failed');
      expect(outcomes).toMatchObject([{ class: 'capacity' }]);
    });
  });

  it('has succeeded when Terraform was done before it heard of the stop', async () => {
    const { run } = setUp({
      apply: async (stop) => {
        stop.request('cancelled');
        return { ok: true };
      },
    });
    expect(await run()).toBe('succeeded');
  });

  it('reports the real error, scrubbed, and logs it with the enclave on every line', async () => {
    const diagnostics = [
      { severity: 'error', summary: 'api error AccessDenied: arn:aws:iam::123456789012:role/x', detail: '' },
    ];
    const { run, outcomes, lines } = setUp({
      plan: async () => {
        throw new EngineFailure(diagnostics);
      },
    });
    expect(await run()).toBe('failed');
    expect(outcomes).toMatchObject([{ class: 'permission', message: 'api error AccessDenied: <arn>' }]);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ enclaveId: 'a' });
    expect(lines.join('')).not.toContain('123456789012');
  });

  it('takes a broken connection for a failure that may pass', async () => {
    const { run, outcomes } = setUp({
      apply: async () => {
        throw new Error('connect ECONNREFUSED 127.0.0.1:80');
      },
    });
    expect(await run()).toBe('failed');
    expect(outcomes).toMatchObject([{ class: 'unknown', message: 'connect ECONNREFUSED <ip>' }]);
  });

  it('writes its outcome again until it arrives', async () => {
    const { run, clock, outcomes } = setUp({ settleFailures: 20 });
    const running = run();
    await clock.advance(60_000);
    expect(await running).toBe('succeeded');
    expect(outcomes).toHaveLength(1);
  });

  it('gives up writing before ECS would kill it', async () => {
    const { run, clock } = setUp({ settleFailures: 10_000 });
    const running = run();
    running.catch(() => undefined);
    await clock.advance(100_000);
    await expect(running).rejects.toThrow('the table is away');
  });
});

describe('settings', () => {
  it('names every problem at once, and no value', () => {
    const read = () => readSettings({ ...ENVIRONMENT, RUN: '', ACTION: 'a-secret', RUN_DEADLINE_SECONDS: '-1' });
    expect(read).toThrow(/RUN is not set/);
    expect(read).toThrow(/ACTION is neither/);
    expect(read).toThrow(/RUN_DEADLINE_SECONDS/);
    expect(() => readSettings({ ...ENVIRONMENT, EXECUTION_ARN: '' })).toThrow('EXECUTION_ARN is not set');
    expect(read).not.toThrow(/a-secret/);
  });

  it('needs no enclave for a drift run', () => {
    const rest = omit(ENVIRONMENT, 'ENCLAVE_ID');
    expect(readSettings({ ...rest, ACTION: 'drift' })).toMatchObject({ action: 'drift' });
    expect(() => readSettings(rest)).toThrow('ENCLAVE_ID is not set');
  });

  it('reads what Terraform must know of the platform, and names what is wrong with it', () => {
    const terraform = { ...ENVIRONMENT, RUNNER_ENGINE: 'terraform', SIMULATED_CLOUD_URL: '' };
    const facts = {
      environment: 'dev',
      prefix: 'treza-dev',
      accountId: '123456789012',
      stateTable: 'state',
      stateTableRegion: 'us-west-2',
      terraformState: { bucket: 'states', region: 'us-west-2' },
      plans: { bucket: 'plans', region: 'us-west-2', prefix: 'plans/' },
      rolePath: '/enclaves/',
      keyAdministratorArns: [],
      agent: { key: 'agent.tar.gz', sha256: 'x', version: '1' },
      regions: {},
    };
    const settings = readSettings({ ...terraform, PLATFORM_FACTS: JSON.stringify(facts) });
    expect(settings.engine).toMatchObject({ kind: 'terraform', facts: { partition: 'aws' }, emulatorUrl: undefined });
    expect(() => readSettings(terraform)).toThrow('PLATFORM_FACTS is not set');
    expect(() => readSettings({ ...terraform, PLATFORM_FACTS: '{a-secret' })).toThrow(
      /malformed in the whole(?!.*a-secret)/,
    );
    const wrong = { ...facts, plans: 'a-secret', agent: undefined };
    expect(() => readSettings({ ...terraform, PLATFORM_FACTS: JSON.stringify(wrong) })).toThrow(
      /malformed in plans \(invalid_type\), agent \(invalid_type\)(?!.*a-secret)/,
    );
  });
});

describe('a policy that wants approval', () => {
  const policy = { drift: { approval: 'manual' } };
  const update = (ingress: string): TerraformPlan => ({
    resource_changes: [
      {
        address: 'aws_security_group.enclave_sg',
        type: 'aws_security_group',
        change: { actions: ['update'], before: { ingress: [] }, after: { ingress: [ingress] } },
      },
    ],
    resource_drift: [],
  });
  const approvedRun = async (reason: string, approved: string | undefined, plan = update('10.0.0.0/8')) => {
    const variables = { ...base, spec: {}, pinned: {}, policy, ...(approved === undefined ? {} : { approved }) };
    const { run, did, outcomes } = setUp({ item: { reason, variables }, plan: async () => plan });
    await run();
    return { applied: did.includes('apply'), outcome: outcomes[0] };
  };

  it.each(['update', 'repair'])('applies the plan that was approved (%s)', async (reason) => {
    const { applied, outcome } = await approvedRun(reason, digestOf(update('10.0.0.0/8')));
    expect(outcome).toMatchObject({ result: 'succeeded' });
    expect(applied).toBe(true);
  });

  it.each([
    { why: 'another was approved', approved: digestOf(update('0.0.0.0/0')) },
    { why: 'none was', approved: undefined },
  ])('applies nothing where $why, and says what it planned', async ({ approved }) => {
    const { applied, outcome } = await approvedRun('update', approved);
    expect(outcome).toMatchObject({ result: 'cancelled', unapproved: digestOf(update('10.0.0.0/8')) });
    expect(applied).toBe(false);
  });

  it('asks nobody for a first deployment, nor to change nothing', async () => {
    expect(await approvedRun('create', undefined)).toMatchObject({ applied: true });
    const nothing = { resource_changes: [], resource_drift: [] };
    expect(await approvedRun('update', undefined, nothing)).toMatchObject({ outcome: { result: 'succeeded' } });
  });
});
