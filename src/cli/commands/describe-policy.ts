/** The policy of an enclave, where it is not the default. */
import { stringify } from 'yaml';
import { canonicalJson } from '../../enclave/json.ts';
import { omit } from '../../enclave/omit.ts';
import { nextOpening } from '../../enclave/spec/maintenance-window.ts';
import { DEFAULT_POLICY, type EnclavePolicy, inMaintenanceWindow, parsePolicy } from '../../enclave/spec/policy.ts';
import { indent, nameLines, printableLines } from '../output.ts';

/** Empty for the default policy. What cannot be read shows as what it counts as; why, the spec's errors say. */
export function policySection(id: string, raw: unknown, nowMs: number): string {
  const { policy } = parsePolicy(raw, id);
  const others = Object.entries(omit(policy, 'suspend', 'deletionPolicy', 'maintenanceWindow')).filter(
    ([key, value]) => canonicalJson(value) !== canonicalJson(DEFAULT_POLICY[key as keyof EnclavePolicy]),
  );
  const text =
    nameLines([
      ['Suspended', suspendedText(policy, nowMs)],
      ['Deletion', policy.deletionPolicy === 'Retain' ? 'Retain: deleting leaves the resources in AWS' : undefined],
      ['Window', windowText(policy, nowMs)],
    ]) + (others.length === 0 ? '' : printableLines(stringify(Object.fromEntries(others))));
  return text === '' ? '' : `\nPolicy:\n${indent(text)}`;
}

function suspendedText({ suspend }: EnclavePolicy, nowMs: number): string | undefined {
  if (suspend === undefined) return undefined;
  const { actor, until } = suspend;
  const reason = actor === undefined ? suspend.reason : `${suspend.reason} (by ${actor})`;
  if (until === undefined) return `${reason}; until it is lifted`;
  return Date.parse(until) <= nowMs ? `no more, since ${until} (${reason})` : `${reason}; until ${until}`;
}

function windowText(policy: EnclavePolicy, nowMs: number): string | undefined {
  const window = policy.maintenanceWindow;
  if (window === undefined) return undefined;
  const { cron, durationMinutes, tz } = window;
  const next = nextOpening(window, nowMs);
  const opens = next === undefined ? 'closed for good' : `closed; opens ${new Date(next).toISOString()}`;
  return `${cron} (${tz}) for ${durationMinutes} min; ${inMaintenanceWindow(policy, nowMs) ? 'open' : opens}`;
}
