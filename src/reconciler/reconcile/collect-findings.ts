/** Collect findings: joins everything that is known to differ at one enclave. */
import { type Attribute, attributesOfDrift, type Finding } from '../../drift/index.ts';
import { stateFinding, withPlanned } from '../../drift/planned.ts';
import type { Lifecycle } from '../../enclave/items/lifecycle.ts';
import { regionOf } from '../../enclave/items/region-of.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';
import type { HostView } from '../../machines/index.ts';
import { findingsOf, type Looks } from '../observers/compare.ts';
import { attestedBy } from '../observers/current-attestations.ts';
import type { ReconcileContext } from './context.ts';

/** What looks and plans say; what the policy makes of it is another question. */
export function findingsIn(lifecycle: Lifecycle, host: HostView, context: ReconcileContext): readonly Finding[] {
  const observed = findingsOf(lifecycle, looksAround(lifecycle, host, context), context.config.environment);
  // A look that could not be compared says nothing of what only a plan shows either: it may be over.
  if (observed.length === 0 && lifecycle.pinned.legacy === undefined) return [];
  const { id } = lifecycle;
  const { states } = context.observers;
  const state = { isMissing: states.isMissing(id), isLockStale: states.isLockStale(id) };
  const found = [...observed, ...stateFinding(state, host.observedAt)];
  if (lifecycle.planned?.verdict !== 'Drift') return found;
  const decided = new Map(
    observed
      .filter(({ verdict }) => verdict !== 'Unknown')
      .map(({ attribute, observedAt }) => [attribute, observedAt] as const),
  );
  const all = withPlanned(found, lifecycle, (attribute) => decided.get(attribute));
  // What a plan found stands until a look says otherwise; a run that repairs it plans anew.
  return all.map((each) => (found.includes(each) ? each : { ...each, observedAt: host.observedAt }));
}

function looksAround(lifecycle: Lifecycle, host: HostView, context: ReconcileContext): Looks {
  const { id, made, applied, ranAt } = lifecycle;
  const { instanceId } = host;
  const region = regionOf(lifecycle, context.config.region);
  // Written by this schema, of a spec that was valid.
  const foreign = (applied as EnclaveSpec | undefined)?.attestation.kmsKeyArn;
  const keyArn = foreign ?? made?.keyArn;
  const key = keyArn === undefined ? undefined : { arn: keyArn, own: foreign === undefined };
  const subject = { id, region, instanceId, groupId: made?.groupId, key };
  const { attestations, statuses, surroundings } = context.observers;
  const attested = attestations.of(region, instanceId, ranAt === undefined ? 0 : Date.parse(ranAt));
  return {
    host,
    status: statuses.of(region, instanceId),
    around: surroundings.of(subject, waitsFor(lifecycle)),
    attested: attested && {
      observedAt: attested.observedAt,
      sets: attestedBy(attested.seen, lifecycle, context.config.verifyDeadlineMs),
    },
  };
}

/** A look that has to be repeated before anything follows, or shows whether a repair has helped, is not put off. */
function waitsFor({
  drift,
  phase,
  ranAt,
}: Lifecycle): { readonly what: readonly Attribute[]; readonly after: number } | undefined {
  if (drift === undefined || (drift.seen >= 2 && phase !== 'repairing')) return undefined;
  const ran = ranAt === undefined ? 0 : Date.parse(ranAt);
  return { what: attributesOfDrift(drift), after: Math.max(drift.observedAt, ran) };
}
