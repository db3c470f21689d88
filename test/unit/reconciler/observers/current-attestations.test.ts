/** Which attestations speak of the enclave that should run, by when they were made and what the lifecycle says. */
import { expect, it } from 'vitest';
import type { Phase } from '../../../../src/enclave/items/lifecycle.ts';
import { attestedBy } from '../../../../src/reconciler/observers/current-attestations.ts';
import { record, specOf } from '../../enclave/spec/spec-records.ts';

const MINUTE = 60_000;
const RAN_AT = Date.parse('2030-01-01T12:00:00.000Z');
const VERIFY_MS = 20 * MINUTE;
const RIGHT = { pcr0: 'a1'.repeat(48) };
const OTHER = { pcr0: 'b2'.repeat(48) };
const applied = { ...specOf(record({ attestation: { expectedMeasurements: [RIGHT] } })) };

/** All times in minutes after the last run. */
const counting = (measurements: Record<string, string>, at: number, phase: Phase, since: number, ranAt = true) =>
  attestedBy(
    [{ at: RAN_AT + at * MINUTE, measurements }],
    {
      applied,
      phase,
      phaseSince: new Date(RAN_AT + since * MINUTE).toISOString(),
      ...(ranAt ? { ranAt: new Date(RAN_AT).toISOString() } : {}),
    },
    VERIFY_MS,
  ).length === 1;

it.each<[string, boolean, Parameters<typeof counting>]>([
  ['another, before the enclave was proven', false, [OTHER, 3, 'ready', 8]],
  ['another, since', true, [OTHER, 9, 'ready', 8]],
  ['the right one, before', true, [RIGHT, 3, 'ready', 8]],
  ['another, while the new one is waited for', false, [OTHER, 3, 'verifying', 0]],
  ['the right one, while the new one is waited for', true, [RIGHT, 3, 'verifying', 0]],
  ['one that nobody can compare', true, [{}, 3, 'verifying', 0]],
  ['another, hours before a repair that is under way', true, [OTHER, 60, 'repairing', 120]],
  ['another, hours before a repair that has ended', true, [OTHER, 60, 'ready', 120]],
  ['another, of an enclave that was never deployed by a run', true, [OTHER, 3, 'ready', 8, false]],
])('%s: %s', (_what, counts, args) => {
  expect(counting(...args)).toBe(counts);
});
