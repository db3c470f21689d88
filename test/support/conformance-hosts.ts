/** Conformance suite of the hosts' port. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resourceName } from '../../src/enclave/names.ts';
import type { HostState } from '../../src/reconciler/ports/index.ts';
import { collect, freshId } from './conformance-harness.ts';
import {
  deployedEnclave,
  becomes as hostBecomes,
  intend,
  type MakeServices,
  runToItsEnd,
  type ServicesHarness,
} from './conformance-services.ts';
import { HOST_FACTS } from './host-facts.ts';

const UNKNOWN = 'i-0123456789abcdef0';

export function hostsConformance(name: string, makeServices: MakeServices): void {
  describe(`hosts: ${name}`, () => {
    let harness: ServicesHarness;
    let id: string;
    let instanceId: string;
    beforeAll(async () => {
      ({ harness, id, instanceId } = await deployedEnclave(makeServices));
    }, 120_000);
    afterAll(() => harness?.close());

    const becomes = (state: HostState) => hostBecomes(harness, instanceId, state);

    it('finds a host by enclave, by id and in the sweep of its region, and nowhere else', async () => {
      const { hosts } = harness.ports;
      const { region, environment } = harness;
      const expected = expect.objectContaining({ instanceId, enclaveId: id, environment, state: 'running' });
      expect(await hosts.find(region, id)).toEqual([expected]);
      expect(await hosts.byInstanceId(region, instanceId)).toEqual(expected);
      expect(await collect((signal) => hosts.sweep(region, signal))).toContainEqual(expected);
      expect(await hosts.find('eu-central-1', id)).toEqual([]);
      expect(await hosts.byInstanceId('eu-central-1', instanceId)).toBeUndefined();
      expect(await collect((signal) => hosts.sweep('eu-central-1', signal))).not.toContainEqual(expected);
    });

    it('shows of a host what the enclave stack made it', async () => {
      const { hosts } = harness.ports;
      const expected = {
        instanceType: 'm6i.xlarge',
        amiId: expect.stringMatching(/^ami-/),
        enclavesEnabled: true,
        profile: resourceName('instance-profile', id),
        groups: [{ id: expect.stringMatching(/^sg-/), name: resourceName('sg', id) }],
        tags: expect.objectContaining({ EnclaveId: id, Environment: harness.environment, ManagedBy: 'terraform' }),
        metadata: expect.objectContaining({ endpoint: 'enabled', tokens: 'required' }),
        publicIp: null,
      };
      const swept = await collect((signal) => hosts.sweep(harness.region, signal));
      const shown = swept.find((host) => host.instanceId === instanceId)?.posture;
      expect(shown).toMatchObject(expected);
      // A fact that is not listed above is either not shown, or the same for every host.
      expect({ ...HOST_FACTS, ...shown }).toEqual({ ...HOST_FACTS, ...expected });
      expect((await hosts.byInstanceId(harness.region, instanceId))?.posture).toEqual(shown);
    });

    it('shows the checks of the hosts it is asked about, and of no other', async () => {
      const { hosts } = harness.ports;
      const status = (region: string, ids: readonly string[]) => collect((signal) => hosts.status(region, ids, signal));
      const checks = expect.objectContaining({ system: 'ok', instance: 'ok' });
      expect(await status(harness.region, [instanceId])).toEqual([{ instanceId, checks, events: [] }]);
      expect(await status(harness.region, [])).toEqual([]);
    });

    it('knows nothing of what does not exist', async () => {
      const { hosts } = harness.ports;
      expect(await hosts.find(harness.region, freshId())).toEqual([]);
      expect(await hosts.byInstanceId(harness.region, UNKNOWN)).toBeUndefined();
      await expect(hosts.stop(harness.region, UNKNOWN)).rejects.toMatchObject({ class: 'Conflict' });
      await expect(hosts.start(harness.region, UNKNOWN)).rejects.toMatchObject({ class: 'Conflict' });
      expect(await hosts.askToReport(harness.region, UNKNOWN)).toBe('unreachable');
    });

    it('stops and starts, however often it is asked to; of a stopped one nobody hears, nor is its enclave restarted', async () => {
      const { hosts } = harness.ports;
      const { region } = harness;
      expect(await hosts.askToReport(region, instanceId)).toBe('asked');
      await hosts.stop(region, instanceId);
      await becomes('stopped');
      expect(await hosts.askToReport(region, instanceId)).toBe('unreachable');
      await hosts.stop(region, instanceId);
      await expect(hosts.restartEnclave(region, instanceId)).rejects.toMatchObject({ class: 'Transient' });
      await hosts.start(region, instanceId);
      await becomes('running');
      await hosts.start(region, instanceId);
    });

    it('a host that was destroyed is told of no more', async () => {
      const { hosts } = harness.ports;
      const { name: run } = await intend(harness, id, 'destroy', 2);
      expect(await runToItsEnd(harness, 'destroy', id, run)).toMatchObject({ state: 'succeeded' });
      await harness.until('it is gone', async () => (await hosts.find(harness.region, id)).length === 0);
      const swept = await collect((signal) => hosts.sweep(harness.region, signal));
      expect(swept.filter((host) => host.instanceId === instanceId)).toEqual([]);
    });
  });
}
