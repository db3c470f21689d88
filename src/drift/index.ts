/** Drift: which attributes of an enclave are as they should be. Pure. */
export { type CompareOptions, compare, type IgnoreRule, ROWS } from './compare.ts';
export { ATTRIBUTES, type Attribute, type DriftRung, type Finding, type Severity, type Verdict } from './finding.ts';
export type {
  EnclaveFacts,
  GroupRule,
  Observed,
  Posture,
  ReportFacts,
  Role,
  ScheduledEvent,
  StatusChecks,
  Wanted,
} from './observed.ts';
