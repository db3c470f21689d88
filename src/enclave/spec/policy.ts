/** Reads `policy`, and answers what it asks of the moment. */
import { isPlainMap, type JsonMap } from '../json.ts';
import { at, error, type Findings, type SpecIssue, show, unknownField, warn } from './issues.ts';
import { isCron, isTimeZone, isWindowOpen } from './maintenance-window.ts';
import { type EnclavePolicy, PolicySchema } from './policy-schema.ts';
import { readerOf } from './read.ts';

export type { EnclavePolicy };

export interface PolicyResult {
  /** Never absent: what could not be read counts as its safest value. */
  readonly policy: EnclavePolicy;
  readonly errors: readonly SpecIssue[];
  readonly warnings: readonly SpecIssue[];
}

/** Whole fields or nothing: of a half-read `drift` the missing `mode` would come out as its default, repair. */
const read = readerOf(PolicySchema, 'policy', 'fields');
const KEYS = Object.keys(PolicySchema.shape);
export const DEFAULT_POLICY: EnclavePolicy = PolicySchema.parse({});

/** The policy that a lifecycle stores: written by this schema, and absent where it is the default. */
export function policyOf({
  policy,
}: {
  readonly policy?: Readonly<Record<string, unknown>> | undefined;
}): EnclavePolicy {
  return policy === undefined ? DEFAULT_POLICY : (policy as unknown as EnclavePolicy);
}

/**
 * Reads the `policy` of the record `id`. Total.
 *
 * *Guarantees*: a policy that cannot be read permits nothing a readable one would forbid: an unreadable
 * `deletionPolicy` is Retain, an unreadable `drift` repairs nothing, and anything else suspends the enclave.
 */
export function parsePolicy(raw: unknown, id?: string, refusesUnknownFields = false): PolicyResult {
  if (raw === undefined || raw === null) return { policy: DEFAULT_POLICY, errors: [], warnings: [] };
  const to: Findings = { errors: [], warnings: [], refusesUnknownFields };
  let known: Partial<EnclavePolicy> = {};
  if (isPlainMap(raw)) {
    known = checked(read(plainSuspend(raw, to), to), id, to);
    for (const key of Object.keys(raw)) {
      if (!KEYS.includes(key)) unknownField(to, at('policy', key), key, KEYS, `Known: ${KEYS.join(', ')}.`);
    }
  } else error(to, 'policy', 'TYPE', `policy is ${show(raw)}, not a map`, 'Make it a map, or remove it.');
  return { policy: safe(known), errors: to.errors, warnings: to.warnings };
}

/** `suspend: true` says what is meant, if not why. */
function plainSuspend(raw: JsonMap, to: Findings): JsonMap {
  if (typeof raw.suspend !== 'boolean') return raw;
  const { suspend, ...rest } = raw;
  const message = `policy.suspend is ${suspend}, read as ${suspend ? 'a suspension without a reason' : 'absent'}`;
  warn(to, 'policy.suspend', 'COERCED', message, suspend ? 'Give it a reason.' : 'Remove it.');
  return suspend ? { ...rest, suspend: { reason: 'no reason given' } } : rest;
}

/** The policy without the fields that make no sense. */
function checked(policy: Partial<EnclavePolicy>, id: string | undefined, to: Findings): Partial<EnclavePolicy> {
  const sound = { ...policy };
  const window = policy.maintenanceWindow;
  if (window !== undefined && !isTimeZone(window.tz)) {
    const message = `policy.maintenanceWindow.tz is ${show(window.tz)}, which is no time zone`;
    error(to, 'policy.maintenanceWindow.tz', 'FORMAT', message, 'Use a name such as UTC or Europe/Berlin.');
    delete sound.maintenanceWindow;
  } else if (window !== undefined && !isCron(window.cron)) {
    const message = `policy.maintenanceWindow.cron is ${show(window.cron)}, which never comes or is not understood`;
    error(to, 'policy.maintenanceWindow.cron', 'FORMAT', message, 'Five fields, e.g. 0 3 * * 6: Saturdays at 3.');
    delete sound.maintenanceWindow;
  }
  if (id !== undefined && policy.dependsOn?.includes(id)) {
    const message = `policy.dependsOn names ${show(id)} itself`;
    error(to, 'policy.dependsOn', 'DEPENDENCY_SELF', message, 'Remove it.');
    delete sound.dependsOn;
  }
  if (policy.upgrade?.strategy === 'BlueGreen') {
    const message = 'blue-green upgrades are not built yet: the host is recreated';
    warn(to, 'policy.upgrade.strategy', 'UPGRADE_WARN', message, 'Use Recreate.');
  }
  return sound;
}

/** Fills what could not be read with what does least harm. */
function safe(known: Partial<EnclavePolicy>): EnclavePolicy {
  // `suspend` and `maintenanceWindow` are optional: absent after reading means refused, undefined means not set.
  const unreadable = KEYS.filter((key) => !(key in known) && key !== 'deletionPolicy' && key !== 'drift');
  const policy: EnclavePolicy = {
    ...DEFAULT_POLICY,
    deletionPolicy: 'Retain',
    drift: { ...DEFAULT_POLICY.drift, mode: 'alert', approval: 'manual' },
    ...known,
  };
  if (unreadable.length === 0) return policy;
  return { ...policy, suspend: { reason: `policy.${unreadable.join(', policy.')} cannot be read` } };
}

/** Why nothing may be started for the enclave at this time; undefined where it may. */
export function suspension(policy: EnclavePolicy, nowMs: number): string | undefined {
  const { suspend } = policy;
  if (suspend === undefined) return undefined;
  return suspend.until !== undefined && Date.parse(suspend.until) <= nowMs ? undefined : suspend.reason;
}

export type DriftMode = EnclavePolicy['drift']['mode'] | 'replace';

/** How one drift is treated: by its whole name (`host.gone`), else by its class (`host`), else as all are. */
export function driftModeOf({ drift }: EnclavePolicy, name: string): DriftMode {
  const [kind = name] = name.split('.');
  return drift.overrides[name] ?? drift.overrides[kind] ?? drift.mode;
}

/** Whether a change that interrupts the enclave may begin at this time. */
export function inMaintenanceWindow(policy: EnclavePolicy, nowMs: number): boolean {
  return policy.maintenanceWindow === undefined || isWindowOpen(policy.maintenanceWindow, nowMs);
}
