/** Conformance suite of the port to what surrounds hosts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestRole, digestRules } from '../../src/drift/index.ts';
import type { Made } from '../../src/enclave/digests.ts';
import { resourceName } from '../../src/enclave/names.ts';
import { collect } from './conformance-harness.ts';
import {
  deployedEnclave,
  intend,
  type MakeServices,
  runToItsEnd,
  type ServicesHarness,
} from './conformance-services.ts';

export function surroundingsConformance(name: string, makeServices: MakeServices): void {
  describe(`surroundings: ${name}`, () => {
    let harness: ServicesHarness;
    let id: string;
    let instanceId: string;
    let made: Made | undefined;
    beforeAll(async () => {
      ({ harness, id, instanceId, made } = await deployedEnclave(makeServices));
    }, 120_000);
    afterAll(() => harness?.close());

    const around = () => harness.ports.surroundings;
    const ours = <T extends { readonly enclaveId: string }>(items: readonly T[]) =>
      items.filter(({ enclaveId }) => enclaveId === id);

    it('shows rules and role as the run has made them', async () => {
      const [group, ...more] = ours(await collect((signal) => around().groups(harness.region, signal)));
      expect(more).toEqual([]);
      expect(group?.groupId).toBe(made?.groupId);
      expect(digestRules(group?.rules ?? []).digest).toBe(made?.rules);
      const [role] = ours(await collect((signal) => around().roles(signal)));
      expect(role?.name).toBe(resourceName('instance-role', id));
      const { trust, attached, inline } = digestRole(role ?? {});
      expect([trust?.digest, attached?.digest, inline?.digest]).toEqual([made?.trust, made?.attached, made?.inline]);
    });

    it('shows volume, log group and agent', async () => {
      const volumes = ours(await collect((signal) => around().volumes(harness.region, signal)));
      expect(volumes).toEqual([
        { enclaveId: id, volumeId: expect.any(String), instanceId, encrypted: true, deleteOnTermination: true },
      ]);
      const logGroups = ours(await collect((signal) => around().logGroups(harness.region, signal)));
      expect(logGroups).toEqual([{ enclaveId: id, retentionDays: expect.any(Number), kmsKeyArn: null }]);
      const agents = await collect((signal) => around().agents(harness.region, signal));
      expect(agents).toContainEqual({ instanceId, online: true });
    });

    it('shows nothing of it in another region', async () => {
      const elsewhere = 'eu-central-1';
      expect(ours(await collect((signal) => around().groups(elsewhere, signal)))).toEqual([]);
      expect(ours(await collect((signal) => around().volumes(elsewhere, signal)))).toEqual([]);
      expect(ours(await collect((signal) => around().logGroups(elsewhere, signal)))).toEqual([]);
      const agents = await collect((signal) => around().agents(elsewhere, signal));
      expect(agents.filter((agent) => agent.instanceId === instanceId)).toEqual([]);
    });

    it('shows nothing of what was destroyed', async () => {
      const { name: run } = await intend(harness, id, 'destroy', 2);
      await runToItsEnd(harness, 'destroy', id, run);
      await harness.until('the group is gone', async () => {
        const groups = await collect((signal) => around().groups(harness.region, signal));
        return ours(groups).length === 0;
      });
      expect(ours(await collect((signal) => around().roles(signal)))).toEqual([]);
      expect(ours(await collect((signal) => around().logGroups(harness.region, signal)))).toEqual([]);
    });
  });
}
