/** The lifecycle machine's public face. */
export type {
  Admission,
  Assessment,
  EnclaveView,
  HostView,
  Limits,
  RepairPermission,
  RunView,
  SpecView,
  Verdict,
} from './assessment.ts';
export { conflictingUntil } from './contested-drift.ts';
export { type Decision, decide } from './decide.ts';
export { failureText } from './describe-phase.ts';
export { awaitsLook, isConfigurationDrift } from './drift.ts';
export type { Effect, EffectType } from './effects.ts';
export { deletionHeld, holdsRepair } from './guards.ts';
export { type Intent, resolveIntent } from './intent.ts';
export { lifecycleMachine } from './lifecycle.ts';
export { statusToPublish } from './published-status.ts';
export { RUNGS, type Rung } from './rungs.ts';
