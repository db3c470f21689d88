/** Tables of findings: one record that has a finding, and the nearest one that has not. */
import { describe, expect, it } from 'vitest';
import type { IssueCode } from '../../../../src/enclave/spec/spec.ts';
import { findings, record } from './spec-records.ts';

export interface Row {
  readonly reason: string;
  readonly code: IssueCode;
  readonly field: string;
  readonly bad: Record<string, unknown>;
  readonly good: Record<string, unknown>;
  /** Part of the message or the fix. */
  readonly says?: string;
  readonly environment?: string;
  readonly allowedReferences?: readonly string[];
}

/** A record whose `providerConfig` holds these. */
export const pc = (config: object) => record(config);
export const ports = (count: number) => Array.from({ length: count }, (_, index) => 7_000 + index);
export const cidrs = (count: number) => Array.from({ length: count }, (_, index) => `10.${index}.0.0/16`);
export const pcr = 'ab'.repeat(48);
export const zero = '0'.repeat(96);
export const kmsKeyArn = 'arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab';

/** Every row in both directions: an error makes the record invalid, a warning does not. */
export function describeFindings(kind: 'errors' | 'warnings', about: string, rows: readonly Row[]): void {
  describe(`${kind}: ${about}`, () => {
    it.each(rows)('$code: $reason ($field)', (row) => {
      const { environment = 'dev', allowedReferences = [] } = row;
      const context = { environment, allowedReferences };
      const [bad, good] = [findings(row.bad, context), findings(row.good, context)];
      const same = { code: row.code, field: row.field };
      const issue = bad[kind].find(({ code, field }) => code === row.code && field === row.field);
      expect(bad[kind]).toContainEqual(expect.objectContaining(same));
      expect(bad.spec === undefined).toBe(kind === 'errors');
      expect(`${issue?.message} ${issue?.fix}`).toContain(row.says ?? '');
      expect(good.errors).toEqual([]);
      expect(good[kind]).not.toContainEqual(expect.objectContaining(same));
    });
  });
}
