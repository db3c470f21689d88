/** Records as the application really writes them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonMap } from '../../../src/enclave/json.ts';
import {
  COMMAND_STATUSES,
  isManaged,
  OBSERVED_STATUSES,
  readRecord,
  sameIdentity,
} from '../../../src/enclave/record.ts';
import { appRecord } from './spec/spec-records.ts';

describe('readRecord', () => {
  it('reads what the application writes', () => {
    expect(readRecord(appRecord)).toEqual({
      id: appRecord.id,
      status: 'PENDING_DEPLOY',
      providerId: 'aws-nitro',
      identity: { createdAt: appRecord.createdAt, walletAddress: appRecord.walletAddress },
      updatedAt: appRecord.updatedAt,
      raw: appRecord,
      problems: [],
    });
  });

  it('reads what is missing as absent, and names what is of another type', () => {
    const { status, providerId, problems } = readRecord({
      id: 'a',
      status: 5,
      providerConfig: 'x',
      walletAddress: null,
    });
    expect([status, providerId]).toEqual(['', 'aws-nitro']);
    expect(problems).toEqual(['status is not a string', 'providerConfig is not a map']);
  });

  it('reads any map with an id', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (fields, id) => {
        expect(readRecord({ ...(fields as JsonMap), id }).id).toBe(id);
      }),
    );
  });
});

describe('isManaged', () => {
  it.each([...COMMAND_STATUSES, ...OBSERVED_STATUSES])('%s is', (status) => {
    expect(isManaged(readRecord({ id: 'a', status }))).toBe(true);
  });

  it.each(['PENDING_BUILD', 'BUILDING', 'BUILD_FAILED', 'ACTIVE', 'deployed', ''])('"%s" is not', (status) => {
    expect(isManaged(readRecord({ id: 'a', status }))).toBe(false);
  });

  it('another provider is not', () => {
    expect(isManaged(readRecord({ id: 'a', status: 'DEPLOYED', providerId: 'azure' }))).toBe(false);
  });
});

it('an id created anew, or by another owner, is another enclave', () => {
  const identity = { createdAt: 't', walletAddress: 'w' };
  expect(sameIdentity(identity, { ...identity })).toBe(true);
  expect(sameIdentity(identity, { ...identity, createdAt: 'u' })).toBe(false);
  expect(sameIdentity(identity, { ...identity, walletAddress: 'x' })).toBe(false);
});
