/** What holds enclaves back together, on virtual time: a frozen fleet, and enclaves that depend on others. */
import { describe, expect, it } from 'vitest';
import type { ConditionType } from '../../src/enclave/conditions.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const started = () => {
  const v = virtualOperator();
  return { ...v, ...v.start() };
};
const reason = (v: VirtualOperator, id: string, type: ConditionType = 'Progressing') => v.condition(id, type)?.reason;
const living = (v: VirtualOperator, id: string) => v.world.hosts.living(id).length;

const INCIDENT = { reason: 'incident', actor: 'me' };

describe('a frozen fleet', () => {
  it('begins nothing, says why, and goes on when it is lifted', async () => {
    const v = started();
    await v.clock.advance(5_000);
    v.freeze(INCIDENT);
    await v.clock.advance(5_000);
    v.post('enc_a');
    await v.clock.advance(HOUR);
    expect(v.executions('enc_a')).toHaveLength(0);
    expect(reason(v, 'enc_a')).toBe('FleetFrozen');
    expect(v.lifecycle('enc_a')?.message).toBe('the fleet is frozen by me: incident');
    v.unfreeze();
    await v.until(() => v.status('enc_a') === 'DEPLOYED', 'DEPLOYED', 10 * MINUTE);
  });

  it('ends by itself at the time that was given', async () => {
    const v = started();
    await v.clock.advance(5_000);
    v.freeze({ ...INCIDENT, untilMs: v.clock.now() + HOUR });
    await v.clock.advance(5_000);
    v.post('enc_a');
    await v.clock.advance(HOUR - MINUTE);
    expect(v.executions('enc_a')).toHaveLength(0);
    await v.until(() => v.status('enc_a') === 'DEPLOYED', 'DEPLOYED', 10 * MINUTE);
  });

  it('repairs nothing, and still deletes by command', async () => {
    const v = started();
    await v.deploy(['enc_a', 'enc_b']);
    v.freeze(INCIDENT);
    await v.clock.advance(5_000);
    v.world.hosts.terminate(v.host('enc_a'));
    v.command('enc_b', 'PENDING_DESTROY');
    await v.clock.advance(HOUR);
    expect(v.executions('enc_a')).toHaveLength(1);
    expect(reason(v, 'enc_a', 'InSync')).toBe('HostMissing');
    expect(v.status('enc_b')).toBe('DESTROYED');
    v.unfreeze();
    await v.until(() => living(v, 'enc_a') === 1, 'repaired', 10 * MINUTE);
  });

  it('starts no host that stopped, until it is lifted', async () => {
    const v = started();
    await v.deploy('enc_a');
    v.freeze(INCIDENT);
    await v.clock.advance(5_000);
    await v.world.hosts.stop('us-west-2', v.host('enc_a').instanceId);
    await v.clock.advance(HOUR);
    expect(v.world.hosts.living('enc_a')[0]?.state).toBe('stopped');
    v.unfreeze();
    await v.until(() => v.world.hosts.living('enc_a')[0]?.state === 'running', 'running again', 10 * MINUTE);
  });

  it('stops a repair that was begun before its next step', async () => {
    const v = started();
    await v.deploy('enc_a');
    v.world.runs.script = () => ({ fails: { class: 'unknown', message: 'no luck' } });
    v.world.hosts.terminate(v.host('enc_a'));
    await v.until(() => v.lifecycle('enc_a')?.phase === 'repairing', 'repairing');
    v.freeze(INCIDENT);
    await v.clock.advance(MINUTE);
    const runs = v.executions('enc_a').length;
    await v.clock.advance(2 * HOUR);
    expect(v.executions('enc_a')).toHaveLength(runs);
  });
});

describe('dependencies', () => {
  const needs = (...ids: readonly string[]) => ({ policy: { dependsOn: ids } });

  it('deploys in order, and says what is waited for', async () => {
    const v = started();
    v.post('enc_app', needs('enc_api', 'enc_db'));
    v.post('enc_api', needs('enc_db'));
    await v.clock.advance(HOUR);
    expect(v.world.runs.executions.size).toBe(0);
    expect(reason(v, 'enc_app')).toBe('DependencyNotReady');
    expect(v.lifecycle('enc_app')?.message).toContain('enc_api, enc_db');
    v.post('enc_db');
    await v.until(() => v.status('enc_app') === 'DEPLOYED', 'all DEPLOYED', 30 * MINUTE);
    expect([...v.world.runs.executions.values()].map((each) => each.enclaveId)).toEqual([
      'enc_db',
      'enc_api',
      'enc_app',
    ]);
  });

  it('leaves an enclave alone that exists, whatever becomes of what it needs', async () => {
    const v = started();
    v.post('enc_db');
    v.post('enc_app', needs('enc_db'));
    await v.until(() => v.status('enc_app') === 'DEPLOYED', 'DEPLOYED');
    v.command('enc_db', 'PAUSING');
    await v.until(() => v.status('enc_db') === 'PAUSED', 'PAUSED');
    v.world.hosts.terminate(v.host('enc_app'));
    await v.until(() => living(v, 'enc_app') === 1, 'repaired', 30 * MINUTE);
  });

  it('starts none of a cycle, names it, and starts all once it is broken', async () => {
    const v = started();
    v.post('enc_a', needs('enc_b'));
    v.post('enc_b', needs('enc_c'));
    v.post('enc_c', needs('enc_a'));
    await v.clock.advance(HOUR);
    expect(v.world.runs.executions.size).toBe(0);
    for (const id of ['enc_a', 'enc_b', 'enc_c']) expect(reason(v, id)).toBe('DependencyCycle');
    expect(v.lifecycle('enc_a')?.message).toContain('enc_a → enc_b → enc_c → enc_a');
    v.world.updateRecord('enc_c', { policy: {} });
    await v.until(() => v.status('enc_a') === 'DEPLOYED', 'all DEPLOYED', 30 * MINUTE);
  });

  it('destroys in the reverse order, also across a restart', async () => {
    const v = started();
    v.post('enc_db');
    v.post('enc_app', needs('enc_db'));
    await v.until(() => v.status('enc_app') === 'DEPLOYED', 'DEPLOYED');
    v.command('enc_db', 'PENDING_DESTROY');
    await v.clock.advance(HOUR);
    expect(living(v, 'enc_db')).toBe(1);
    expect(reason(v, 'enc_db', 'DeletionBlocked')).toBe('DependentsExist');
    expect(v.lifecycle('enc_db')?.message).toContain('enc_app');
    v.kill();
    v.start();
    await v.clock.advance(HOUR);
    expect(living(v, 'enc_db')).toBe(1);
    v.command('enc_app', 'PENDING_DESTROY');
    await v.until(() => v.status('enc_app') === 'DESTROYED', 'the dependent DESTROYED');
    expect(living(v, 'enc_db')).toBe(1);
    await v.until(() => v.status('enc_db') === 'DESTROYED', 'DESTROYED', 10 * MINUTE);
    expect(reason(v, 'enc_db', 'DeletionBlocked')).toBe('None');
  });
});
