/** Conformance suite of the port to the resources of one enclave. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestRole, digestRules } from '../../src/drift/index.ts';
import type { Made } from '../../src/enclave/digests.ts';
import { deployedEnclave, type MakeServices, type ServicesHarness } from './conformance-services.ts';

const { signal } = new AbortController();

export function inspectorConformance(name: string, makeServices: MakeServices): void {
  describe(`inspector: ${name}`, () => {
    let harness: ServicesHarness;
    let id: string;
    let instanceId: string;
    let made: Made | undefined;
    beforeAll(async () => {
      ({ harness, id, instanceId, made } = await deployedEnclave(makeServices));
    }, 120_000);
    afterAll(() => harness?.close());

    const inspector = () => harness.ports.inspector;

    it('reads rules and role as the run has made them', async () => {
      const rules = await inspector().rules(harness.region, made?.groupId ?? '', signal);
      expect(digestRules(rules ?? []).digest).toBe(made?.rules);
      const { trust, attached, inline } = digestRole(await inspector().role(id, signal));
      expect([trust?.digest, attached?.digest, inline?.digest]).toEqual([made?.trust, made?.attached, made?.inline]);
    });

    it('reads volume, agent and log group', async () => {
      const { region } = harness;
      const volume = await inspector().rootVolume(region, instanceId, signal);
      expect(volume).toMatchObject({ encrypted: true, deleteOnTermination: true });
      expect(await inspector().agentOnline(region, instanceId, signal)).toBe(true);
      expect(await inspector().logGroup(region, id, signal)).toEqual({
        exists: true,
        retentionDays: expect.any(Number),
        kmsKeyArn: null,
      });
    });

    it('reads attributes of a host, and of user data no more than a digest', async () => {
      const { userData, terminationProtection } = await inspector().instanceAttributes(
        harness.region,
        instanceId,
        signal,
      );
      expect([false, undefined]).toContain(terminationProtection);
      expect(userData ?? '0'.repeat(40)).toMatch(/^[0-9a-f]{40}$/);
    });

    it('knows nothing of a resource that does not exist', async () => {
      const { region } = harness;
      const [host, group] = ['i-00000000000000000', 'sg-00000000000000000'];
      await expect(inspector().instanceAttributes(region, host, signal)).rejects.toThrow(/InvalidInstanceID/);
      await expect(inspector().rules(region, group, signal)).rejects.toThrow(/InvalidGroup/);
      await expect(inspector().role('nobody', signal)).rejects.toThrow(/NoSuchEntity/);
      expect(await inspector().rootVolume(region, host, signal)).toBeUndefined();
      expect(await inspector().agentOnline(region, host, signal)).toBeUndefined();
      expect(await inspector().logGroup(region, 'nobody', signal)).toEqual({ exists: false });
    });
  });
}
