/** The repair step that is next for a drift: the cheapest first, then ever more drastic ones. */
import { ENTRIES, type RepairStep, readDrift, stepsFrom } from '../drift/index.ts';
import { attemptsOf, type Context } from './context.ts';
import { driftKey, reportedAttribute } from './drift.ts';
import { isRung, type Rung } from './rungs.ts';

function stepsOf({ lifecycle, assessment: { host, enclave } }: Context): readonly RepairStep[] {
  if (host.state === 'gone') return ENTRIES['host.exists'].steps;
  if (host.state === 'stopped') return ENTRIES['host.running'].steps;
  const drift = readDrift(lifecycle.drift);
  if (drift?.kind !== 'attributes') return ENTRIES[reportedAttribute(enclave)].steps;
  const [lead] = drift.attributes;
  return lead === undefined ? [drift.step] : stepsFrom(lead, drift.step);
}

/** Only another host may cure it, and the policy allows that. Of compared attributes, the table says what cures them. */
function withReplacement(steps: readonly RepairStep[], { lifecycle, assessment }: Context): readonly RepairStep[] {
  const isThere = assessment.host.state !== 'gone' && lifecycle.pinned.instanceId !== undefined;
  const may = assessment.replaceable === true && isThere && readDrift(lifecycle.drift)?.kind !== 'attributes';
  return may ? [...steps, 'replace'] : steps;
}

/** The next step comes after as many failed attempts as the limit allows. `exhausted`: so many failed of every step. */
export function repairStep(context: Context): Rung | 'exhausted' {
  const { lifecycle, assessment } = context;
  const place = Math.floor(attemptsOf(lifecycle, driftKey(context)) / assessment.limits.repairAttempts);
  const step = withReplacement(stepsOf(context), context)[place];
  return step === undefined || !isRung(step) ? 'exhausted' : step;
}
