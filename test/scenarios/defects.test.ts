/** Defects of the pipeline this one replaces, which docs/incumbent-defects.md numbers: what an enclave must never go through. */
import { describe, expect, it } from 'vitest';
import { HOUR, MINUTE } from '../support/time.ts';
import {
  deployedOperator,
  startedOperator,
  type VirtualOperator,
  virtualOperator,
} from '../support/virtual-operator.ts';

const ID = 'enc_1';

/** Every status the record shows from now on, each time it changes. */
function watch(v: VirtualOperator): { readonly seen: unknown[]; look(): void } {
  const seen: unknown[] = [];
  return {
    seen,
    look() {
      if (seen.at(-1) !== v.status(ID)) seen.push(v.status(ID));
    },
  };
}

const deployed = (...options: Parameters<typeof virtualOperator>) => deployedOperator(ID, ...options);

describe('a command for what is there already', () => {
  it.each(['PENDING_DEPLOY', 'RESUMING'])(
    '%s on a serving enclave starts nothing and never makes it FAILED',
    async (status) => {
      const v = await deployed();
      const host = v.world.hosts.living(ID)[0];
      const { seen, look } = watch(v);
      v.command(ID, status);
      await v.until(
        () => {
          look();
          return v.status(ID) === 'DEPLOYED';
        },
        'DEPLOYED again',
        MINUTE,
      );
      await v.clock.advance(HOUR);
      look();
      expect(seen).toEqual([status, 'DEPLOYED']);
      expect(v.executions(ID)).toHaveLength(1);
      expect(v.world.hosts.living(ID)).toEqual([host]);
    },
  );
});

describe('a command that comes while a deploy is under way', () => {
  it.each([
    ['PAUSING', 'PAUSED'],
    ['PENDING_DESTROY', 'DESTROYED'],
  ])('%s: DEPLOYED is never written over it', async (command, end) => {
    const v = await startedOperator({}, { runTimings: { workMs: 10 * MINUTE } });
    v.post(ID);
    await v.until(() => v.status(ID) === 'DEPLOYING', 'DEPLOYING');
    await v.clock.advance(MINUTE);
    v.command(ID, command);
    const { seen, look } = watch(v);
    await v.until(() => {
      look();
      return v.status(ID) === end;
    }, end);
    await v.clock.advance(HOUR);
    look();
    expect(seen).not.toContain('DEPLOYED');
    expect(seen.at(-1)).toBe(end);
  });
});

describe('a command that ends serving', () => {
  it.each([
    ['PAUSING', 'PAUSED'],
    ['PENDING_DESTROY', 'DESTROYED'],
  ])('%s: DEPLOYED is never written over it, while the host still runs', async (command, end) => {
    const v = await deployed({}, { hostTimings: { stopMs: 3 * MINUTE } });
    v.command(ID, command);
    const { seen, look } = watch(v);
    await v.until(() => {
      look();
      return v.status(ID) === end;
    }, end);
    expect(seen).not.toContain('DEPLOYED');
  });
});

describe('DESTROYED', () => {
  it('is not said while the host is shutting down, though the run that destroys has succeeded', async () => {
    const v = await deployed({}, { hostTimings: { stopMs: 20 * MINUTE } });
    const host = v.host(ID);
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.lifecycle(ID)?.teardown !== undefined, 'the end of the run');
    await v.clock.advance(10 * MINUTE);
    expect(host.state).toBe('shutting-down');
    expect(v.status(ID)).not.toBe('DESTROYED');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED', 3 * HOUR);
    expect(host.state).toBe('terminated');
  });

  it('is not said while the run that destroys finds what it could not remove', async () => {
    const v = await deployed();
    let left = 3;
    v.world.runs.script = (run) =>
      run.action === 'destroy' && left-- > 0 ? { remaining: ['aws_security_group/sg-1'] } : {};
    v.command(ID, 'PENDING_DESTROY');
    await v.until(() => v.condition(ID, 'DeletionBlocked')?.reason === 'ResourcesRemain', 'ResourcesRemain');
    expect(v.status(ID)).not.toBe('DESTROYED');
    await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED', 10 * HOUR);
    expect(v.executions(ID).filter((name) => name.endsWith('-destroy'))).toHaveLength(4);
  });
});

describe('no status is for ever', () => {
  /** From these the application offers neither terminate nor retry. */
  const WITHOUT_EXIT = ['PENDING_DEPLOY', 'DEPLOYING', 'PAUSING', 'RESUMING', 'DESTROYING', 'PENDING_DESTROY'];

  it.each(['PAUSING', 'RESUMING', 'DEPLOYING', 'DESTROYING', 'PENDING_DESTROY'])(
    '%s without a host, met for the first time, comes to one with a way out',
    async (status) => {
      const v = virtualOperator();
      v.post(ID, { status });
      v.start();
      await v.until(() => !WITHOUT_EXIT.includes(String(v.status(ID))), 'a way out', 2 * HOUR);
      const before = v.status(ID);
      await v.clock.advance(2 * HOUR);
      expect(v.status(ID)).toBe(before);
    },
  );

  it.each(['PAUSING', 'RESUMING'])(
    '%s of an enclave whose host is gone comes to one with a way out',
    async (status) => {
      const v = await deployed();
      if (status === 'RESUMING') {
        v.command(ID, 'PAUSING');
        await v.until(() => v.status(ID) === 'PAUSED', 'PAUSED');
      }
      v.world.hosts.terminate(v.host(ID));
      v.command(ID, status);
      await v.until(() => !WITHOUT_EXIT.includes(String(v.status(ID))), 'a way out', 2 * HOUR);
      v.command(ID, 'PENDING_DESTROY');
      await v.until(() => v.status(ID) === 'DESTROYED', 'DESTROYED', 2 * HOUR);
    },
  );

  it('terminate is carried out from every one of them', async () => {
    for (const status of WITHOUT_EXIT.filter((each) => !each.startsWith('PENDING'))) {
      const v = await deployed({}, { hostTimings: { stopMs: 30 * MINUTE } });
      v.command(ID, status);
      await v.clock.advance(MINUTE);
      v.command(ID, 'PENDING_DESTROY');
      await v.until(() => v.status(ID) === 'DESTROYED', `DESTROYED after ${status}`, 5 * HOUR);
      expect(v.world.hosts.living(ID)).toEqual([]);
    }
  });
});

describe('a record that is deleted', () => {
  it('while FAILED leaves nothing of what its deploy had made', async () => {
    const v = await startedOperator({ attemptsPerGeneration: 1 });
    v.world.runs.script = (run) =>
      run.action === 'deploy' ? { applied: true, fails: { class: 'permission', message: 'halfway' } } : {};
    v.post(ID);
    await v.until(() => v.status(ID) === 'FAILED', 'FAILED');
    expect(v.world.hosts.living(ID)).toHaveLength(1);
    v.world.deleteRecord(ID);
    await v.until(() => v.world.hosts.living(ID).length === 0, 'the host gone', HOUR);
    await v.until(() => v.lifecycle(ID) === undefined, 'forgotten', HOUR);
    expect(v.world.record(ID)).toBeUndefined();
  });
});

describe('an edit', () => {
  it('that wipes what the pipeline wrote into providerConfig has it written again', async () => {
    const v = await deployed();
    const instanceId = v.world.hosts.living(ID)[0]?.instanceId;
    const config = { dockerImage: 'nginx:1.27', cpuCount: '2', memoryMiB: '1024', instanceType: 'm6i.xlarge' };
    v.world.updateRecord(ID, { name: 'renamed', providerConfig: config, updatedAt: v.clock.iso() });
    const written = () => (v.world.record(ID)?.providerConfig as { instanceId?: string } | undefined)?.instanceId;
    expect(written()).toBeUndefined();
    await v.until(() => written() === instanceId, 'the instance id', MINUTE);
    expect(v.executions(ID)).toHaveLength(1);
  });

  it('of times: both attributes carry one time, spelled as the application spells it', async () => {
    const v = await deployed();
    const record = v.world.record(ID);
    expect(record?.updatedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(record?.updated_at).toBe(record?.updatedAt);
  });
});
