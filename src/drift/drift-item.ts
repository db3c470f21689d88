/**
 * Drift, and its stored form: the only file that reads or writes the names under which a lifecycle stores a drift, the
 * attempts at its repair, and recent repairs.
 *
 * Earlier versions stored a drift as its `fingerprint` alone, and attempts and recent repairs by it: `host:stopped`,
 * `enclave:ProxyDown`, `apply:host.metadata,tags`. The fingerprint is still written, so they can read the item;
 * `of` says the same as a value.
 */
import { ATTRIBUTES, type Attribute, ENTRIES, isAttribute } from './attributes.ts';
import { REPAIR_STEPS, type RepairStep } from './finding.ts';

export type Drift =
  /** The host does not exist, or does not run or stand still as it should. */
  | { readonly kind: 'host'; readonly state: string }
  /** The host reports that its enclave differs. */
  | { readonly kind: 'report'; readonly attribute: Attribute }
  /** Attributes found by comparing, which one repair step puts back together. */
  | { readonly kind: 'attributes'; readonly step: RepairStep; readonly attributes: readonly Attribute[] };

/** A drift as a lifecycle stores it. */
export interface DriftItem {
  readonly fingerprint: string;
  readonly of?: unknown;
}

const STEPS: ReadonlySet<unknown> = new Set(REPAIR_STEPS);
const isStep = (word: unknown): word is RepairStep => STEPS.has(word);

const KEY = 'drift:';

/** Undefined where it was written by a version that knows more attributes than this one. */
export function readDrift(item: DriftItem | undefined): Drift | undefined {
  if (item === undefined) return undefined;
  // An earlier version keeps `of` as it was when it changes the fingerprint.
  const drift = isDrift(item.of) ? item.of : undefined;
  return drift !== undefined && fingerprintOf(drift) === item.fingerprint ? drift : parseFingerprint(item.fingerprint);
}

export function writeDrift(drift: Drift): { readonly fingerprint: string; readonly of: Drift } {
  return { fingerprint: fingerprintOf(drift), of: drift };
}

function fingerprintOf(drift: Drift): string {
  switch (drift.kind) {
    case 'host':
      return `host:${drift.state}`;
    case 'report':
      return `enclave:${ENTRIES[drift.attribute].reason ?? drift.attribute}`;
    case 'attributes':
      return `${drift.step}:${[...drift.attributes].sort().join(',')}`;
  }
}

function parseFingerprint(fingerprint: string): Drift | undefined {
  const [word = '', rest = ''] = fingerprint.split(':', 2);
  if (word === 'host') return { kind: 'host', state: rest };
  if (word === 'enclave') {
    const [attribute] = attributesByReason(rest);
    return attribute === undefined ? undefined : { kind: 'report', attribute };
  }
  const attributes = rest.split(',').filter(isAttribute);
  return isStep(word) && attributes.length > 0 ? { kind: 'attributes', step: word, attributes } : undefined;
}

function isDrift(value: unknown): value is Drift {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, state, attribute, step, attributes } = value as Readonly<Record<string, unknown>>;
  if (kind === 'host') return typeof state === 'string';
  if (kind === 'report') return isKnown(attribute);
  return kind === 'attributes' && isStep(step) && Array.isArray(attributes) && attributes.every(isKnown);
}

const isKnown = (name: unknown): boolean => typeof name === 'string' && isAttribute(name);

/** Two drifts are the same where they are stored under the same name. */
export function isSameDrift(one: Drift | undefined, other: Drift | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return fingerprintOf(one) === fingerprintOf(other);
}

/** What the host reports for this reason; several attributes may share one. */
export function attributesByReason(reason: string): readonly Attribute[] {
  return ATTRIBUTES.filter((attribute) => ENTRIES[attribute].part === 'report' && ENTRIES[attribute].reason === reason);
}

/** Every attribute that a stored drift may be about. */
export function attributesOfDrift(item: DriftItem | undefined): readonly Attribute[] {
  const drift = readDrift(item);
  switch (drift?.kind) {
    case undefined:
      return [];
    case 'host':
      return ATTRIBUTES.filter((attribute) => ENTRIES[attribute].hostState === drift.state);
    case 'report':
      return attributesByReason(ENTRIES[drift.attribute].reason ?? '');
    case 'attributes':
      return drift.attributes;
  }
}

/** The names under which people see it, and policies may override it: `host.gone`, `enclave.ProxyDown`, `tags`. */
export function namesOfDrift(item: DriftItem): readonly string[] {
  const drift = readDrift(item);
  return drift?.kind === 'attributes' ? drift.attributes : [item.fingerprint.replace(':', '.')];
}

/** The key under which a lifecycle counts the attempts at its repair. */
export function attemptsKey(drift: Drift): string {
  return KEY + fingerprintOf(drift);
}

/** The same of a drift that is stored. */
export function storedAttemptsKey(item: DriftItem | undefined): string {
  return KEY + (item?.fingerprint ?? 'unknown');
}

/** Attempts under this key are at a repair, and not at a deployment or a destruction. */
export function isRepairKey(key: string): boolean {
  return key.startsWith(KEY);
}

/** The names under which a lifecycle remembers its recent repairs. */
export function repairNames(drift: Drift): readonly string[] {
  return drift.kind === 'attributes' ? drift.attributes : [fingerprintOf(drift)];
}
