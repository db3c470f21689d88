/** Drift: which attributes of an enclave are as they should be. Pure. */
export { type CompareOptions, compare, ROWS } from './compare.ts';
export { digestKey, digestRole, digestRules, type KeyDocuments, type RoleDocuments } from './digested.ts';
export { isDown } from './enclave-rows.ts';
export { ATTRIBUTES, type Attribute, type DriftRung, type Finding, type Severity, type Verdict } from './finding.ts';
export { type IgnoreRule, ignoredBy } from './ignore.ts';
export type {
  Digested,
  EnclaveFacts,
  Key,
  Observed,
  Posture,
  ReportFacts,
  Role,
  ScheduledEvent,
  StatusChecks,
  Wanted,
} from './observed.ts';
export { reportedAttributes } from './reported.ts';
