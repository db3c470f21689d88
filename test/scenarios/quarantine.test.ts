/** Enforced measurements on virtual time: an enclave without evidence is not Ready, and nothing is repaired for that. */
import { describe, expect, it } from 'vitest';
import type { Report } from '../../src/enclave/items/report.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';
const PCR = 'ab'.repeat(48);
const WRONG = 'cd'.repeat(48);
const RUNNING = { name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 1024, debug: false };
const REPAIRS = ['restartEnclave', 'restartAllocator', 'stop'];
const ENFORCED = { attestation: { enforce: 'quarantine', expectedMeasurements: [{ pcr0: PCR, pcr8: PCR }] } };

/** The host reports this now, over what it reported before, and nothing after it by itself. */
function says(v: VirtualOperator, report: Partial<Report>): void {
  v.world.hosts.freezeReports(v.host(ID));
  v.report(ID, report);
}

async function deployed(providerConfig: object = ENFORCED) {
  const v = virtualOperator();
  const { calls } = v.start();
  await v.clock.advance(5_000);
  await v.deploy(ID, { providerConfig });
  return { v, repairs: () => REPAIRS.map((each) => calls(`hosts.${each}`)) };
}

describe('a record that enforces measurements', () => {
  it('is Ready and Secure with the expected measurements', async () => {
    const { v } = await deployed();
    expect(v.conditionText(ID, 'Ready')).toBe('True Running');
    expect(v.conditionText(ID, 'Secure')).toBe('True None');
  });

  it.each<[string, Partial<Report>, string, RegExp]>([
    ['no measurements', { measurements: {} }, 'MeasurementsUnverified', /lacks PCR0, PCR8\b/],
    ['a part of the expected set', { measurements: { PCR0: PCR } }, 'MeasurementsUnverified', /lacks PCR8\b/],
    [
      'other measurements of a generation that was not applied',
      { measurements: { PCR0: WRONG, PCR8: PCR }, appliedGeneration: 99 },
      'MeasurementMismatch',
      /none of the sets/,
    ],
    [
      'a generation that was not applied',
      { appliedGeneration: 99 },
      'GenerationMismatch',
      /reports generation 99, and generation 1 was applied/,
    ],
    ['a generation before the applied one', { appliedGeneration: 0 }, 'GenerationPending', /not yet applied/],
    ['that it cannot see its enclaves', { observed: false, enclaves: [] }, 'EnclavesUnobserved', /hypervisor/],
  ])('is not Ready while the host reports %s, and nothing is repaired', async (_, report, reason, message) => {
    const { v, repairs } = await deployed();
    says(v, report);
    await v.until(() => v.conditionText(ID, 'Ready') === `False ${reason}`, 'not Ready', 5 * MINUTE);
    expect(v.condition(ID, 'Ready')?.message).toMatch(message);
    await v.clock.advance(10 * MINUTE);
    expect(v.conditionText(ID, 'Secure')).not.toMatch(/^True/);
    expect(repairs()).toEqual([0, 0, 0]);
    expect(v.executions(ID)).toHaveLength(1);
    says(v, { measurements: { PCR0: PCR, PCR8: PCR }, appliedGeneration: 1, observed: true, enclaves: [RUNNING] });
    await v.until(() => v.conditionText(ID, 'Ready') === 'True Running', 'Ready again', 5 * MINUTE);
  });

  it.each<[string, Partial<Report>, string]>([
    ['other measurements', { measurements: { PCR0: WRONG } }, 'MeasurementMismatch'],
    ['debug mode', { enclaves: [{ ...RUNNING, debug: true }] }, 'DebugEnclave'],
  ])('is not Ready where a service claims to have completed with %s', async (_, report, reason) => {
    const { v } = await deployed();
    says(v, { ...report, completed: true });
    await v.until(() => v.conditionText(ID, 'Ready').startsWith('False'), 'not Ready', 5 * MINUTE);
    expect(v.conditionText(ID, 'Secure')).toBe(`False ${reason}`);
    await v.until(() => v.conditionText(ID, 'InSync') === `False ${reason}`, 'the difference', 5 * MINUTE);
  });

  it('is not Ready without measurements where other differences are reported only', async () => {
    const { v } = await deployed();
    v.world.updateRecord(ID, { policy: { drift: { mode: 'alert' } } });
    await v.clock.advance(MINUTE);
    says(v, { measurements: {}, enclaves: [{ ...RUNNING, cpuCount: 1 }] });
    await v.until(() => v.conditionText(ID, 'Ready') === 'False MeasurementsUnverified', 'not Ready', 5 * MINUTE);
  });

  it('fails at its deadline, and names what is missing, where the host never reports measurements', async () => {
    const v = virtualOperator();
    const { connection } = v.start();
    const { report } = v.world.hosts;
    v.world.hosts.report = (host) => {
      host.illness = { says: { measurements: {} }, cure: 'boot' };
      report.call(v.world.hosts, host);
    };
    await v.clock.advance(5_000);
    v.post(ID, { providerConfig: ENFORCED });
    await v.until(() => v.lifecycle(ID)?.failure !== undefined || v.status(ID) === 'DEPLOYED', 'a result');
    expect(v.status(ID)).toBe('DEPLOYING');
    expect(v.world.record(ID)?.error_message).toMatch(/could not be verified in time .*lacks PCR0, PCR8\b/);
    expect(v.conditionText(ID, 'Ready')).toBe('False NotReady');
    expect(REPAIRS.map((each) => connection.faults.calls(`hosts.${each}`))).toEqual([0, 0, 0]);
  });
});

it('a record that only alerts is Ready without measurements', async () => {
  const { v } = await deployed({ attestation: { ...ENFORCED.attestation, enforce: 'alert' } });
  says(v, { measurements: {} });
  await v.clock.advance(5 * MINUTE);
  expect(v.conditionText(ID, 'Ready')).toBe('True Running');
});
