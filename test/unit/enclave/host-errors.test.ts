/** Which errors of a host's report end an attempt at once. */
import { describe, expect, it } from 'vitest';
import { isPermanentHostError, PERMANENT_HOST_ERRORS } from '../../../src/enclave/host-errors.ts';

const error = (fields: object = {}) => ({
  class: 'spec',
  code: 'E26',
  message: 'too little',
  generation: 3,
  ...fields,
});

describe('isPermanentHostError', () => {
  it.each(Object.keys(PERMANENT_HOST_ERRORS))('treats code %s as permanent', (code) => {
    expect(isPermanentHostError(error({ code }), 3)).toBe(true);
    expect(isPermanentHostError(error({ code, class: 'image' }), 3)).toBe(true);
  });

  it.each([
    ['another generation failed', error({ generation: 2 })],
    ['it names no generation', error({ generation: undefined })],
    ['its class is retried', error({ class: 'transient' })],
    ['its code is no verdict', error({ code: 'E48' })],
    ['its code is the name of a property of every object', error({ code: 'toString' })],
    ['it has no code', error({ code: undefined })],
    ['the report has no error', undefined],
  ])('treats an error as not permanent when %s', (_, reported) => {
    expect(isPermanentHostError(reported, 3)).toBe(false);
  });
});
