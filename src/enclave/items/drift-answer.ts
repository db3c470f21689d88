/** The operator's answer to one `enclavectl drift ID`: every attribute, compared with what was observed for it. */
import { z } from 'zod';
import { Versioned } from './items.ts';

/** Who asks waits for a minute or so; an answer that nobody has read is of no use later. */
export const DRIFT_ANSWER_KEPT_SECONDS = 60 * 60;

/** Longest text of a row, in characters. Desired and observed values may be written by others. */
export const LONGEST_ROW_TEXT = 400;

export const DriftRowSchema = z.looseObject({
  attribute: z.string(),
  verdict: z.enum(['Match', 'Drift', 'Unknown']),
  severity: z.enum(['critical', 'high', 'medium', 'low']),
  /** The first repair step; `alert`, `off` or `ignored until …` where the operator repairs nothing. */
  repair: z.string(),
  owned: z.enum(['operator', 'foreign']),
  security: z.boolean(),
  desired: z.string().nullable(),
  observed: z.string().nullable(),
  /** When it was observed; null: it was not, or nobody stored when. Of what a host reports, by the host's own clock. */
  observedAt: z.string().nullable(),
  /** Since when the operator has known that it drifts. */
  since: z.string().optional(),
  /** Where it was not observed: who has observed it, or might. */
  why: z.string().optional(),
});
/** One attribute, for a person. */
export type DriftRow = Readonly<z.infer<typeof DriftRowSchema>>;

/**
 * `drift#<id>` / `<key of the request>` of the history table. No part of the lifecycle, and never published: only who
 * may read the table sees the values.
 */
export const DriftAnswerSchema = z.looseObject({
  ...Versioned,
  id: z.string(),
  /** The key of the request that it answers. */
  key: z.string(),
  at: z.string(),
  /** Why nothing was compared; then there are no rows. */
  refused: z.string().optional(),
  /** The host was adopted and not imported: the operator compares its existence and state alone. */
  unmanaged: z.boolean().optional(),
  rows: z.array(DriftRowSchema),
  /** Parts that could not be read. */
  unseen: z.array(z.looseObject({ what: z.string(), why: z.string() })),
  /** Seconds since 1970; DynamoDB deletes the item then. */
  expiresAt: z.number().int(),
});
export type DriftAnswer = Readonly<z.infer<typeof DriftAnswerSchema>>;
