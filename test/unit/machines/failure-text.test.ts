/** How a failure is told in one line. */
import { describe, expect, it } from 'vitest';
import { failureText } from '../../../src/machines/index.ts';

const at = '2026-01-02T03:04:05.678Z';

describe('the text of a failure', () => {
  it('has one mark between message and fix', () => {
    const text = failureText({ class: 'capacity', message: 'There is none left.', fix: 'Wait.', at });
    expect(text).toBe('capacity: There is none left; Wait.');
  });

  it('leaves a message without a fix as it is', () => {
    const text = failureText({ class: 'cancelled', message: 'The run was cancelled.', at });
    expect(text).toBe('cancelled: The run was cancelled.');
  });

  it('is nothing where nothing failed', () => {
    expect(failureText(undefined)).toBe('');
  });
});
