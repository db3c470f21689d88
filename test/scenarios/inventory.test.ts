/** What surrounds hosts, on virtual time: told within an interval, never guessed, and each list on its own. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/reconciler/config.ts';
import { OperatorError } from '../../src/reconciler/ports/index.ts';
import type { Connection, MemoryWorldOptions } from '../support/memory-world.ts';
import { HOUR, MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';
const PCR0 = 'a1'.repeat(48);
/** Nothing is repaired. */
const TOLD = { drift: { mode: 'alert' } };
const OPEN = JSON.stringify({ Statement: [{ Effect: 'Allow', Action: 'kms:Decrypt', Principal: '*', Resource: '*' }] });

let v: VirtualOperator;
let connection: Connection;

const inSync = (id = ID) => v.condition(id, 'InSync');
const isStatus = (status: string) => () => inSync()?.status === status;
const around = (id = ID) => v.around(id);
const denied = (operation: string) => new OperatorError('Blocked', operation, 'AccessDenied');

async function deployed(
  config: Partial<Config> = {},
  ids: readonly string[] = [ID],
  fields: object = {},
  world: Partial<MemoryWorldOptions> = {},
) {
  v = virtualOperator(config, world);
  ({ connection } = v.start());
  await v.clock.advance(5_000);
  await v.deploy(ids, { policy: TOLD, ...fields }, 30 * MINUTE);
  await v.clock.advance(40 * MINUTE);
}

const ownKey = {
  providerConfig: {
    dockerImage: 'ghcr.io/acme/signer:1.4.2',
    instanceType: 'm6i.xlarge',
    cpuCount: 2,
    memoryMiB: 1_024,
    awsServices: ['kms'],
    attestation: { expectedMeasurements: [{ pcr0: PCR0 }] },
  },
};

describe('what surrounds a host', () => {
  beforeEach(() => deployed());

  it('is as it was made, as far as it was made', () => {
    expect(inSync()).toMatchObject({ status: 'True', reason: 'None' });
    expect(v.lifecycle(ID)?.made).toMatchObject({ groupId: `sg-${ID}`, rules: expect.any(String) });
    expect(JSON.stringify(v.lifecycle(ID)?.made).length).toBeLessThanOrEqual(400);
  });

  it.each([
    [
      'network.rules',
      'one more',
      () => (around().rules = [...around().rules, { ...around().rules[0], peer: '0.0.0.0/0' } as never]),
    ],
    ['network.rules', 'none', () => (around().rules = [])],
    [
      'role.policies',
      'one attached',
      () => (around().role = { ...around().role, attachedArns: ['arn:aws:iam::aws:policy/Admin'] }),
    ],
    ['role.policies', 'trusts another', () => (around().role = { ...around().role, trust: OPEN })],
    [
      'role.policies',
      'one added',
      () => (around().role = { ...around().role, inline: { ...around().role.inline, more: OPEN } }),
    ],
    ['host.volume', 'in the clear', () => (around().volume = { encrypted: false, deleteOnTermination: true })],
    ['logs.group', 'kept for a day', () => (around().logGroup = { retentionDays: 1, kmsKeyArn: null })],
    ['logs.group', 'gone', () => (around().logGroup = undefined)],
  ])('is told where it was changed: %s, %s', async (attribute, _what, change) => {
    change();
    await v.until(isStatus('False'), 'told', 17 * MINUTE);
    expect(inSync()?.message).toBe(`${attribute}: told, and not repaired`);
  });

  it('is written down for people who ask, and since when, until it is over; a look that fails takes nothing back', async () => {
    const { rules } = around();
    around().rules = [];
    await v.until(isStatus('False'), 'told', 17 * MINUTE);
    const found = { attribute: 'network.rules', severity: 'critical', repair: 'alert', since: expect.any(String) };
    expect(v.lifecycle(ID)?.findings).toEqual([found]);
    const before = v.lifecycle(ID)?.findings;
    await v.clock.advance(HOUR);
    expect(v.lifecycle(ID)?.findings).toEqual(before);
    const heal = connection.faults.before('surroundings.groups', () => {
      throw denied('ec2:DescribeSecurityGroups');
    });
    await v.clock.advance(3 * HOUR);
    expect(v.lifecycle(ID)?.findings).toEqual(before);
    around().rules = rules;
    heal();
    await v.until(() => v.lifecycle(ID)?.findings === undefined, 'over', 17 * MINUTE);
  });

  it('is in sync again once it is changed back', async () => {
    const { rules } = around();
    around().rules = [];
    await v.until(isStatus('False'), 'told', 17 * MINUTE);
    around().rules = rules;
    await v.until(isStatus('True'), 'healed', 17 * MINUTE);
  });

  it('is unknown, and no drift, where it is not listed', async () => {
    around().rules = [];
    around().role = { ...around().role, trust: OPEN };
    for (const list of ['groups', 'roles'] as const) {
      v.world.surroundings[list] = async function* () {
        yield [];
      };
    }
    connection.kill();
    v.start();
    await v.clock.advance(2 * HOUR);
    expect(inSync()?.status).toBe('True');
  });

  it('that can no longer be seen is unknown before long, and nothing else with it', async () => {
    around().rules = [];
    around().logGroup = undefined;
    await v.until(() => inSync()?.message?.startsWith('network.rules, logs.group') === true, 'told', 17 * MINUTE);
    connection.faults.before('surroundings.groups', () => {
      throw denied('ec2:DescribeSecurityGroups');
    });
    await v.clock.advance(17 * MINUTE);
    expect(inSync()?.message).toContain('network.rules');
    await v.until(() => inSync()?.message === 'logs.group: told, and not repaired', 'unknown', 2 * HOUR);
  });

  it('that is told in part is not told at all', async () => {
    const { groups } = v.world.surroundings;
    v.world.surroundings.groups = async function* (region, signal) {
      for await (const page of groups.call(v.world.surroundings, region, signal)) {
        yield page.map((group) => ({ ...group, rules: [] }));
        throw new OperatorError('Transient', 'ec2:DescribeSecurityGroups', 'half of it');
      }
    };
    connection.kill();
    v.start();
    await v.clock.advance(2 * HOUR);
    expect(inSync()?.status).toBe('True');
  });

  it('is not compared with what another runner has made and not said', async () => {
    around().rules = [];
    await v.until(isStatus('False'), 'told', 17 * MINUTE);
    const { made: _unsaid, ...lifecycle } = v.lifecycle(ID) ?? {};
    v.world.tables.state.put({ ...lifecycle, pk: `enclave#${ID}`, sk: 'lifecycle' });
    await v.until(isStatus('True'), 'unknown', 2 * HOUR);
  });
});

it('is looked at once an interval, by lists that do not grow with enclaves, and not at once by all', async () => {
  const ids = Array.from({ length: 20 }, (_, n) => `enc_${n}`);
  await deployed({}, ids);
  const kinds = ['groups', 'volumes', 'logGroups', 'agents', 'roles', 'key'];
  const calls = () => kinds.map((kind) => connection.faults.calls(`surroundings.${kind}`));
  const before = calls();
  await v.clock.advance(5 * HOUR);
  const looks = calls().map((count, n) => count - (before[n] ?? 0));
  for (const count of looks.slice(0, 5)) {
    expect(count).toBeGreaterThanOrEqual(18);
    expect(count).toBeLessThanOrEqual(23);
  }
  expect(looks[5]).toBe(0);
});

it('is not looked at where the interval is 0', async () => {
  await deployed({ postureMs: 0 });
  around().logGroup = undefined;
  await v.clock.advance(3 * HOUR);
  expect(connection.faults.calls('surroundings.groups')).toBe(0);
  expect(inSync()?.status).toBe('True');
});

describe('a key of the enclave’s own', () => {
  beforeEach(() => deployed({}, [ID], ownKey));
  const key = () => {
    const { key: own } = around();
    if (own === undefined) throw new Error('no key of its own');
    return own;
  };

  it('is looked at once an interval, and is as it was made', async () => {
    const calls = () => connection.faults.calls('surroundings.key');
    const before = calls();
    await v.clock.advance(HOUR);
    expect(calls() - before).toBeGreaterThanOrEqual(3);
    expect(calls() - before).toBeLessThanOrEqual(5);
    expect(inSync()).toMatchObject({ status: 'True', reason: 'None' });
  });

  it.each([
    ['key.policy', 'another', { policy: OPEN }],
    ['key.policy', 'a grant', { grantIds: ['g-1'] }],
    ['key.state', 'to be deleted', { state: 'PendingDeletion' }],
  ])('is told where it was changed: %s, %s', async (attribute, _what, change) => {
    around().key = { ...key(), ...change };
    await v.until(isStatus('False'), 'told', 17 * MINUTE);
    expect(inSync()?.message).toBe(`${attribute}: told, and not repaired`);
  });

  it('of which a part is hidden is compared in the others', async () => {
    around().key = { ...key(), policy: undefined, grantIds: undefined, state: 'Disabled' };
    await v.until(isStatus('False'), 'told', 17 * MINUTE);
    expect(inSync()?.message).toBe('key.state: told, and not repaired');
  });
});

describe('what differs around a host', () => {
  beforeEach(() => deployed({}, [ID], { policy: {} }));
  const runs = () => v.executions(ID).length;

  it.each([
    ['a rule', () => (around().rules = [])],
    ['a role', () => (around().role = { ...around().role, attachedArns: ['arn:aws:iam::aws:policy/Admin'] })],
    ['a log group', () => (around().logGroup = undefined)],
  ])('is put back by one run within minutes of being seen: %s', async (_what, change) => {
    const { rules, role, logGroup } = around();
    const before = runs();
    change();
    await v.until(() => v.lifecycle(ID)?.drift !== undefined, 'seen', 17 * MINUTE);
    await v.until(() => v.lifecycle(ID)?.drift === undefined, 'healed', 6 * MINUTE);
    expect(around()).toMatchObject({ rules, role, logGroup });
    expect(runs()).toBe(before + 1);
    expect(inSync()?.status).toBe('True');
    expect(v.status(ID)).toBe('DEPLOYED');
    await v.clock.advance(2 * HOUR);
    expect(runs()).toBe(before + 1);
  });

  it('is looked at once a minute while it is awaited, and no more once it is given up', async () => {
    const { apply } = v.world.surroundings;
    v.world.surroundings.apply = (run) => {
      const made = apply.call(v.world.surroundings, run);
      around().rules = [];
      return made;
    };
    around().rules = [];
    const calls = () => connection.faults.calls('surroundings.groups');
    await v.until(() => v.lifecycle(ID)?.drift !== undefined, 'seen', 17 * MINUTE);
    const before = calls();
    await v.clock.advance(10 * MINUTE);
    expect(calls() - before).toBeLessThanOrEqual(11);
    await v.clock.advance(6 * HOUR);
    const later = calls();
    await v.clock.advance(3 * HOUR);
    expect(calls() - later).toBeLessThanOrEqual(40);
    expect(inSync()?.status).toBe('False');
  });

  it('is repaired by nothing that could not be seen again', async () => {
    const before = runs();
    around().rules = [];
    connection.faults.after('surroundings.groups', () => {
      if (v.lifecycle(ID)?.drift !== undefined) throw denied('ec2:DescribeSecurityGroups');
    });
    await v.until(() => v.lifecycle(ID)?.drift !== undefined, 'seen', 17 * MINUTE);
    await v.clock.advance(3 * HOUR);
    expect(runs()).toBe(before);
  });
});

describe('a rule of the policy to ignore', () => {
  it('keeps a difference from being told or repaired, until it expires', async () => {
    v = virtualOperator({});
    const expires = new Date(v.clock.now() + 4 * HOUR).toISOString();
    ({ connection } = v.start());
    await v.clock.advance(5_000);
    v.post(ID, { policy: { drift: { ignore: [{ path: 'network', reason: 'a trial', expires }] } } });
    await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED', 30 * MINUTE);
    around().rules = [];
    await v.clock.advance(3 * HOUR);
    expect(inSync()?.status).toBe('True');
    expect(around().rules).toEqual([]);
    await v.until(() => around().rules.length > 0, 'put back', 3 * HOUR);
  });
});

describe('what KMS saw an enclave attest', () => {
  const instanceId = () => v.lifecycle(ID)?.pinned.instanceId ?? '';
  const attest = (pcr0: string) =>
    v.world.surroundings.attested.push({ instanceId: instanceId(), at: v.clock.now(), measurements: { pcr0 } });
  const OTHER = 'b2'.repeat(48);

  it('is not looked up unless the configuration asks for it', async () => {
    await deployed({}, [ID], ownKey);
    attest(OTHER);
    await v.clock.advance(3 * HOUR);
    expect(connection.faults.calls('surroundings.attestations')).toBe(0);
    expect(inSync()?.status).toBe('True');
  });

  describe('where it does', () => {
    beforeEach(() => deployed({ attestationTrail: true }, [ID], ownKey));
    const secure = () => v.condition(ID, 'Secure')?.status;
    const alarms = () => v.events(ID).filter(({ reason }) => reason === 'SecurityFinding');
    /** Nothing takes it back, and nothing tells it a second time. */
    const expectTold = () => {
      expect(v.lifecycle(ID)?.weakened).toEqual(['enclave.attested']);
      expect(v.lifecycle(ID)?.findings).toMatchObject([{ attribute: 'enclave.attested', repair: 'alert' }]);
      expect(secure()).toBe('False');
      expect(alarms()).toMatchObject([{ message: 'enclave.attested' }]);
      expect(alarms()[0]?.count ?? 1).toBe(1);
    };
    const toldOfAnother = async () => {
      attest(OTHER);
      await v.until(isStatus('False'), 'told', 18 * MINUTE);
      expectTold();
    };
    const update = (providerConfig: object) =>
      v.world.updateRecord(ID, {
        providerConfig: { ...(v.world.record(ID)?.providerConfig as object), ...providerConfig },
        updatedAt: v.clock.iso(),
      });

    it('is told where it is another image, and over once the right one attests', async () => {
      attest(PCR0);
      await v.clock.advance(2 * HOUR);
      expect(inSync()?.status).toBe('True');
      attest(OTHER);
      await v.until(isStatus('False'), 'told', 18 * MINUTE);
      expect(inSync()?.message).toBe('enclave.attested: told, and not repaired');
      expectTold();
      expect(v.status(ID)).toBe('DEPLOYED');
      attest(PCR0);
      await v.until(isStatus('True'), 'over', 34 * MINUTE);
      expect(secure()).toBe('True');
      expect(v.lifecycle(ID)?.findings).toBeUndefined();
    });

    it('is told where the right one attests a moment later, and over once that one alone does', async () => {
      attest(OTHER);
      await v.clock.advance(10_000);
      attest(PCR0);
      await v.until(isStatus('False'), 'told', 18 * MINUTE);
      await v.clock.advance(2 * HOUR);
      expectTold();
      attest(PCR0);
      await v.until(isStatus('True'), 'over', 18 * MINUTE);
      expect(secure()).toBe('True');
    });

    it('is told as soon as it is looked up', async () => {
      let lookedUpAt = 0;
      connection.faults.after('surroundings.attestations', () => {
        lookedUpAt = v.clock.now();
      });
      await toldOfAnother();
      expect(v.clock.now() - lookedUpAt).toBeLessThan(3_000);
    });

    it('stays told where it can no longer be looked up, and is told no second time when it can', async () => {
      await toldOfAnother();
      const heal = connection.faults.before('surroundings.attestations', () => {
        throw denied('cloudtrail:LookupEvents');
      });
      await v.clock.advance(3 * HOUR);
      expectTold();
      heal();
      await v.clock.advance(HOUR);
      expectTold();
    });

    it('stays told under another leader, who has not seen it', async () => {
      await toldOfAnother();
      await v.clock.advance(2 * HOUR);
      connection.kill();
      v.start();
      await v.clock.advance(3 * HOUR);
      expectTold();
    });

    it('stays told where nobody attests any more for a day', async () => {
      await toldOfAnother();
      await v.clock.advance(26 * HOUR);
      expectTold();
    });

    it('stays told when a run ends, until the right one attests', async () => {
      await toldOfAnother();
      const before = v.executions(ID).length;
      update({ memoryMiB: 2_048 });
      await v.until(() => v.executions(ID).length > before && v.status(ID) === 'DEPLOYED', 'the run', HOUR);
      await v.clock.advance(2 * HOUR);
      expectTold();
      attest(PCR0);
      await v.until(() => secure() === 'True', 'over', 18 * MINUTE);
    });

    it.each([
      ['nothing is expected any more', { attestation: {} }],
      ['it is not enforced any more', { attestation: { expectedMeasurements: [{ pcr0: PCR0 }], enforce: 'off' } }],
    ])('is over where %s', async (_what, changed) => {
      await toldOfAnother();
      update(changed);
      await v.until(() => secure() === 'True', 'over', HOUR);
      expect(v.lifecycle(ID)?.weakened).toBeUndefined();
    });

    it('says nothing where nobody attests, and where it cannot be looked up', async () => {
      expect(connection.faults.calls('surroundings.attestations')).toBeGreaterThan(0);
      connection.faults.before('surroundings.attestations', () => {
        throw denied('cloudtrail:LookupEvents');
      });
      attest(OTHER);
      await v.clock.advance(3 * HOUR);
      expect(inSync()?.status).toBe('True');
      expect(secure()).toBe('True');
    });

    it('is looked up once an interval, for all enclaves of a region at once', async () => {
      const before = connection.faults.calls('surroundings.attestations');
      await v.clock.advance(5 * HOUR);
      const calls = connection.faults.calls('surroundings.attestations') - before;
      expect(calls).toBeGreaterThanOrEqual(18);
      expect(calls).toBeLessThanOrEqual(23);
    });
  });

  describe('during an update in place', () => {
    const building = { hostTimings: { applyMs: 8 * MINUTE } };
    beforeEach(() => deployed({ attestationTrail: true }, [ID], ownKey, building));
    const updated = async () => {
      await v.clock.advance(MINUTE);
      v.world.updateRecord(ID, {
        providerConfig: { ...ownKey.providerConfig, attestation: { expectedMeasurements: [{ pcr0: OTHER }] } },
        updatedAt: v.clock.iso(),
      });
      await v.until(() => v.lifecycle(ID)?.phase === 'verifying', 'the run has ended', HOUR);
      await v.clock.advance(MINUTE);
    };
    const ready = () => v.until(() => v.lifecycle(ID)?.phase === 'ready', 'the new enclave', HOUR);

    it('is not told of the enclave of before, which runs on while the host builds the new one', async () => {
      await updated();
      attest(PCR0);
      await ready();
      await v.clock.advance(2 * HOUR);
      expect(inSync()?.status).toBe('True');
      expect(v.lifecycle(ID)?.weakened).toBeUndefined();
      attest(PCR0);
      await v.until(isStatus('False'), 'told', 18 * MINUTE);
    });

    it('is over with the first attestation of the new one, though that is made before it is ready', async () => {
      attest(OTHER);
      await v.until(isStatus('False'), 'told', 18 * MINUTE);
      await updated();
      attest(OTHER);
      await ready();
      await v.until(() => v.lifecycle(ID)?.weakened === undefined, 'over', 34 * MINUTE);
    });
  });
});
