/** Drift: which attributes of an enclave are as they should be. Pure. */
export type { ObservedPart } from './attribute-entry.ts';
export { ATTRIBUTES, type Attribute, ENTRIES, isAttribute } from './attributes.ts';
export { type CompareOptions, compare, ROWS } from './compare.ts';
export { digestKey, digestRole, digestRules, type KeyDocuments, type RoleDocuments } from './digested.ts';
export {
  attemptsKey,
  attributesByReason,
  attributesOfDrift,
  type Drift,
  type DriftItem,
  isRepairKey,
  isSameDrift,
  namesOfDrift,
  readDrift,
  repairNames,
  storedAttemptsKey,
  writeDrift,
} from './drift-item.ts';
export { isDown } from './enclave-attributes.ts';
export {
  type DriftRung,
  type Finding,
  REPAIR_STEPS,
  type RepairStep,
  type Severity,
  severityRank,
  type Verdict,
} from './finding.ts';
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
export { baseOf, interrupts, stepsFrom } from './repair.ts';
export { isLeftToHost, reportFacts } from './report-facts.ts';
