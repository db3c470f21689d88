/** Hosts and their agents on virtual time: boots, reports, crashes, and what survives the process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { control } from '../../../../src/local/cloud/control.ts';
import { DELAYS } from '../../../../src/local/cloud/delays.ts';
import { actionsOf, spec, VirtualCloud } from '../../../support/virtual-cloud.ts';

const isRunning = (report: { readonly enclaves: readonly { readonly state: string }[] }) =>
  report.enclaves[0]?.state === 'RUNNING';

describe('a host agent', () => {
  it('reports first that nothing runs yet, then the enclave of the spec', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    await cloud.untilReport('a', () => true);
    expect(cloud.last('a')).toMatchObject({ sequence: 1, appliedGeneration: 0, enclaves: [] });
    await cloud.untilReport('a', isRunning);
    const report = cloud.last('a');
    expect(report).toMatchObject({
      instanceId: cloud.host('a').instanceId,
      sequence: 2,
      appliedGeneration: 1,
      enclaves: [{ state: 'RUNNING', cpuCount: 2, memoryMiB: 1024, debug: false }],
      health: 'passing',
      completed: false,
    });
    for (const name of ['PCR0', 'PCR1', 'PCR2']) expect(report?.measurements[name]).toMatch(/^[0-9a-f]{96}$/);
  });

  it('reports again every five minutes, with a higher sequence', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    await cloud.untilReport('a', isRunning);
    const { sequence } = cloud.last('a')!;
    await cloud.clock.advance(DELAYS.reportInterval - 1);
    expect(cloud.last('a')?.sequence).toBe(sequence);
    await cloud.clock.advance(1);
    expect(cloud.last('a')?.sequence).toBe(sequence + 1);
  });

  it('lets each report expire 30 days after it was written', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    await cloud.untilReport('a', isRunning);
    const { at, expiresAt } = cloud.last('a')!;
    expect(expiresAt).toBe(Math.floor(Date.parse(at) / 1_000) + 30 * 24 * 60 * 60);
  });

  it('restarts the enclave for a new generation of the spec, without a new boot', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    await cloud.untilReport('a', isRunning);
    const before = cloud.last('a')!;
    await cloud.run('a', { generation: 2, spec: { ...spec, memoryMiB: 2048, dockerImage: 'nginx:1.28' } });
    await cloud.untilReport('a', (report) => !isRunning(report));
    await cloud.untilReport('a', (report) => isRunning(report) && report.appliedGeneration === 2);
    const after = cloud.last('a')!;
    expect(after.bootId).toBe(before.bootId);
    expect(after.enclaves[0]?.memoryMiB).toBe(2048);
    expect(after.measurements.PCR0).not.toBe(before.measurements.PCR0);
  });

  it('applies a new generation of the same spec without a restart', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    await cloud.untilReport('a', isRunning);
    const from = cloud.reports.length;
    await cloud.run('a', { generation: 2 });
    await cloud.untilReport('a', (report) => report.appliedGeneration === 2);
    expect(cloud.reports.slice(from).every(isRunning)).toBe(true);
  });

  it('boots anew after a stop: another boot, sequence from one', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    await cloud.untilReport('a', isRunning);
    const { bootId } = cloud.last('a')!;
    const { instanceId } = cloud.host('a');
    cloud.core.hosts.stop(instanceId);
    const from = cloud.reports.length;
    await cloud.clock.advance(3 * DELAYS.reportInterval);
    expect(cloud.reports).toHaveLength(from);
    cloud.core.hosts.start(instanceId);
    await cloud.untilReport('a', (report) => report.bootId !== bootId);
    expect(cloud.last('a')?.sequence).toBe(1);
    await cloud.untilReport('a', isRunning);
  });

  it('picks up at its next boot what changed while it was stopped', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    await cloud.untilReport('a', isRunning);
    const { instanceId } = cloud.host('a');
    cloud.core.hosts.stop(instanceId);
    await cloud.run('a', { generation: 2, spec: { ...spec, cpuCount: 4 } });
    await cloud.clock.advance(DELAYS.reportInterval);
    expect(cloud.last('a')?.appliedGeneration).toBe(1);
    cloud.core.hosts.start(instanceId);
    await cloud.untilReport('a', (report) => isRunning(report) && report.appliedGeneration === 2);
  });

  it('says that the enclave crashed, and runs it again when told to', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    await cloud.untilReport('a', isRunning);
    control(cloud.core, { op: 'crashEnclave', enclaveId: 'a' });
    await cloud.clock.flush();
    expect(cloud.last('a')).toMatchObject({ enclaves: [], health: 'failing' });
    await cloud.clock.advance(DELAYS.reportInterval);
    expect(isRunning(cloud.last('a')!)).toBe(false);
    cloud.core.agents.restartEnclave(cloud.host('a').instanceId);
    await cloud.untilReport('a', isRunning);
  });

  it('completes a batch workload once, also over a restart of the host', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a', { spec: { ...spec, workloadType: 'batch' } });
    await cloud.untilReport('a', isRunning);
    await cloud.untilReport('a', (report) => report.completed);
    expect(cloud.last('a')).toMatchObject({ enclaves: [], health: 'none' });
    cloud.core.hosts.stop(cloud.host('a').instanceId);
    await cloud.clock.advance(DELAYS.hostStops);
    cloud.core.hosts.start(cloud.host('a').instanceId);
    const from = cloud.reports.length;
    await cloud.clock.advance(DELAYS.reportInterval);
    expect(cloud.reports.length).toBeGreaterThan(from);
    expect(cloud.reports.slice(from).every((report) => report.completed)).toBe(true);
  });

  it('says why the enclave could not be started', async () => {
    const cloud = new VirtualCloud();
    control(cloud.core, { op: 'failBoots', enclaveId: 'a', times: 1, message: 'E39' });
    await cloud.run('a');
    await cloud.untilReport('a', (report) => report.error !== undefined);
    expect(cloud.last('a')?.error).toEqual({ class: 'bootstrap', message: 'E39' });
    cloud.core.agents.restartEnclave(cloud.host('a').instanceId);
    await cloud.untilReport('a', (report) => isRunning(report) && report.error === undefined);
  });

  it('keeps its last report while frozen', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    await cloud.untilReport('a', isRunning);
    control(cloud.core, { op: 'freezeReports', enclaveId: 'a', frozen: true });
    const from = cloud.reports.length;
    control(cloud.core, { op: 'crashEnclave', enclaveId: 'a' });
    await cloud.clock.advance(3 * DELAYS.reportInterval);
    expect(cloud.reports).toHaveLength(from);
    control(cloud.core, { op: 'reset' });
    await cloud.untilReport('a', (report) => !isRunning(report));
  });

  it('delivers the newest report when the table can be reached again', async () => {
    const cloud = new VirtualCloud();
    cloud.reportError = new Error('unreachable');
    await cloud.run('a');
    await cloud.clock.advance(2 * DELAYS.reportInterval);
    cloud.reportError = undefined;
    await cloud.untilReport('a', isRunning);
    expect(cloud.reports).toHaveLength(1);
  });

  it('delivers nothing of a host that has stopped meanwhile', async () => {
    const cloud = new VirtualCloud();
    cloud.reportError = new Error('unreachable');
    await cloud.run('a');
    await cloud.clock.advance(2 * DELAYS.reportInterval);
    cloud.core.hosts.stop(cloud.host('a').instanceId);
    cloud.reportError = undefined;
    await cloud.clock.advance(2 * DELAYS.reportInterval);
    expect(cloud.reports).toEqual([]);
  });

  it('delivers in order what comes while a report is on its way', async () => {
    const cloud = new VirtualCloud();
    cloud.deliveryMs = 20_000;
    await cloud.run('a');
    await cloud.clock.advance(DELAYS.agentBoots + DELAYS.enclaveStarts + 2 * cloud.deliveryMs);
    expect(cloud.reports.map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  it('cannot be reached by SSM on a host that is stopped or has no agent', async () => {
    const cloud = new VirtualCloud();
    control(cloud.core, { op: 'adoptable', enclaveId: 'old', count: 1, instanceType: 'm6i.xlarge', agent: false });
    expect(() => cloud.core.agents.restartEnclave(cloud.host('old').instanceId)).toThrow('not in a valid state');
    await cloud.clock.advance(DELAYS.reportInterval);
    expect(cloud.reports).toEqual([]);
  });
});

describe('the cloud as a whole', () => {
  let folder = '';
  afterEach(() => {
    if (folder !== '') rmSync(folder, { recursive: true });
    folder = '';
  });

  it('goes on where it stopped', async () => {
    folder = mkdtempSync(join(tmpdir(), 'cloud-'));
    const journalFile = join(folder, 'cloud.journal');
    const first = new VirtualCloud({ journalFile });
    await first.run('a');
    await first.untilReport('a', isRunning);
    const { instanceId } = first.host('a');
    const { bootId } = first.last('a')!;
    await first.run('b');
    first.core.hosts.stop(instanceId);
    first.core.stop();

    const second = new VirtualCloud({ journalFile, clock: first.clock });
    expect(second.host('a')).toMatchObject({ instanceId, state: 'stopping' });
    await second.clock.advance(DELAYS.hostStops);
    expect(second.host('a').state).toBe('stopped');
    await second.untilReport('b', isRunning);
    expect(actionsOf(await second.plan('b'))).toEqual({});
    second.core.hosts.start(instanceId);
    await second.untilReport('a', (report) => isRunning(report) && report.bootId !== bootId);
    second.core.stop();
  });

  it('stands still when stopped', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    cloud.core.stop();
    await cloud.clock.advance(DELAYS.reportInterval);
    expect(cloud.reports).toEqual([]);
    expect(cloud.clock.pending).toBe(0);
  });

  it('forgets a terminated host after an hour', async () => {
    const cloud = new VirtualCloud();
    await cloud.run('a');
    cloud.core.hosts.terminate(cloud.host('a').instanceId);
    await cloud.clock.advance(DELAYS.hostTerminates);
    expect(cloud.hosts('a').map(({ state }) => state)).toEqual(['terminated']);
    await cloud.clock.advance(DELAYS.hostForgotten - 1);
    expect(cloud.hosts('a')).toHaveLength(1);
    await cloud.clock.advance(1);
    expect(cloud.hosts('a')).toEqual([]);
  });

  it('is as much faster as it is told', async () => {
    const durations = [];
    for (const speed of [1, 10]) {
      const cloud = new VirtualCloud({ speed });
      const startedAt = cloud.clock.now();
      await cloud.run('a');
      await cloud.untilReport('a', isRunning);
      durations.push(cloud.clock.now() - startedAt);
    }
    expect(durations[0]! / durations[1]!).toBeCloseTo(10, 1);
  });
});
