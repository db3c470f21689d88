/** Measurements: computed beforehand, and compared with what is expected. */
import { describe, expect, it } from 'vitest';
import {
  compareMeasurements,
  computedMeasurements,
  hostRoleArn,
  isAllZero,
  pcr3OfRole,
  pcr4OfInstance,
} from '../../../src/enclave/measurements.ts';

const a = 'a'.repeat(96);
const b = 'b'.repeat(96);

describe('computed registers', () => {
  it('PCR3 is that of the published example', () => {
    expect(pcr3OfRole('arn:aws:iam::919437049909:role/USD8TeeInstanceRole')).toBe(
      '1dc0aeefd8ca0b888ba8ed140ea3a1793eafd569a833d8b19a176e2a2cf8e95919561e4369d635546f97e1107c981c6b',
    );
  });

  it('follow from account, region, enclave and host', () => {
    const deployment = {
      accountId: '111122223333',
      region: 'us-west-2',
      enclaveId: 'enc_1',
      rolePath: '/treza-dev-enclaves/',
    };
    expect(hostRoleArn(deployment)).toBe(
      'arn:aws:iam::111122223333:role/treza-dev-enclaves/treza-enclave-instance-role-enc_1',
    );
    expect(computedMeasurements(deployment)).toEqual({ pcr3: pcr3OfRole(hostRoleArn(deployment)) });
    expect(computedMeasurements({ ...deployment, instanceId: 'i-1' })).toHaveProperty('pcr4', pcr4OfInstance('i-1'));
  });

  it.each([
    ['cn-north-1', 'arn:aws-cn:'],
    ['us-gov-west-1', 'arn:aws-us-gov:'],
  ])('know the partition of %s', (region, prefix) => {
    expect(hostRoleArn({ accountId: '1', region, enclaveId: 'a', rolePath: '/' })).toMatch(prefix);
  });
});

describe('compareMeasurements', () => {
  it.each([
    ['nothing is expected', [], { PCR0: a }, 'unexpected'],
    ['the only set is shown', [{ pcr0: a }], { PCR0: a }, 'match'],
    ['case does not matter', [{ pcr0: a }], { pcr0: a.toUpperCase() }, 'match'],
    ['one of several sets is enough', [{ pcr0: b }, { pcr0: a }], { PCR0: a }, 'match'],
    ['what no set names does not matter', [{ pcr0: a }], { PCR0: a, PCR1: b }, 'match'],
    ['every register of a set counts', [{ pcr0: a, pcr1: a }], { PCR0: a, PCR1: b }, 'mismatch'],
    ['no set is shown', [{ pcr0: a }, { pcr0: a }], { PCR0: b }, 'mismatch'],
    ['a register is not reported', [{ pcr0: a, pcr8: a }], { PCR0: a }, 'unknown'],
    ['a register is not reported, another differs', [{ pcr0: a, pcr8: a }], { PCR0: b }, 'mismatch'],
    ['one set is unknown, another shown', [{ pcr8: a }, { pcr0: a }], { PCR0: a }, 'match'],
    ['nothing is reported', [{ pcr0: a }], {}, 'unknown'],
  ])('%s', (_, expected, reported, verdict) => {
    expect(compareMeasurements(expected, reported as Record<string, string>)).toBe(verdict);
  });
});

it('zeros are zeros of any length', () => {
  expect([isAllZero('0'.repeat(96)), isAllZero(`${'0'.repeat(95)}1`), isAllZero(undefined), isAllZero('')]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
