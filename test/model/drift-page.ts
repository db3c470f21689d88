/** The table of docs/drift.md, row by row, and what it makes a reader expect of the operator and of enclavectl. */
import { readFileSync } from 'node:fs';
import type { Attribute } from '../../src/drift/index.ts';

const MINUTE = 60_000;

export interface Row {
  readonly attribute: Attribute;
  readonly seenBy: string;
  readonly severity: string;
  readonly steps: readonly string[];
  readonly patienceMs: number;
  readonly interrupts: boolean;
  readonly kind: string;
}

const PAGE = readFileSync(new URL('../../docs/drift.md', import.meta.url), 'utf8');

export const ROWS: readonly Row[] = PAGE.split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, name = '', seenBy = '', severity = '', steps = '', patience = '', interrupts = '', kind = '']) => ({
    attribute: name.replaceAll('`', '') as Attribute,
    seenBy,
    severity,
    steps: steps === 'alert' ? [] : steps.split(', '),
    patienceMs: Number.parseInt(patience || '0', 10) * MINUTE,
    interrupts: interrupts === 'yes',
    kind,
  }));

export const VARIANTS = ['default', 'alert', 'replace', 'window'] as const;
export type Variant = (typeof VARIANTS)[number];

/** One enclave to which one value of an attribute is given, under one policy. */
export interface Case {
  readonly id: string;
  readonly row: Row;
  readonly variant: Variant;
  readonly value: number;
  /** Differs as well; the policy says nothing of it. */
  readonly beside?: Attribute;
}

/** A host whose check fails and that SSM does not hear from differs in both. */
const DEAD = ['host.statusChecks', 'host.agent'] as const;
/** Attributes that differ together with another. */
export const TOGETHER: Readonly<Partial<Record<Attribute, readonly Attribute[]>>> = {
  'host.statusChecks': DEAD,
  'host.agent': DEAD,
};

export function policyOf({ variant, row: { attribute } }: Case): object | undefined {
  if (variant === 'default') return undefined;
  // A window that stays closed for as long as a test lasts.
  if (variant === 'window') return { maintenanceWindow: { cron: '0 0 29 2 *', durationMinutes: 60 } };
  const overrides = (TOGETHER[attribute] ?? [attribute]).map((each) => [each, variant]);
  return { drift: { overrides: Object.fromEntries(overrides) } };
}

/** The second value of `tags` takes away all of them, those by which the operator finds the host among them. */
export function expectedSeverity({ row: { attribute, severity }, value }: Case): string {
  return attribute === 'tags' && value === 1 ? 'medium' : severity;
}

/** What the page says the operator does. */
export function expectedSteps({ row, variant, beside }: Case): readonly string[] {
  // What is only reported keeps nothing else from being repaired.
  if (beside !== undefined) return ROWS.find((each) => each.attribute === beside)?.steps ?? [];
  const { attribute, steps, interrupts, kind, severity } = row;
  // The pausing phase stops the host, as the record's command says: no policy of drift keeps it from that.
  if (attribute === 'host.paused') return steps;
  const isUrgent = kind === 'security' && severity === 'critical';
  if (variant === 'alert' || (variant === 'window' && interrupts && !isUrgent)) return [];
  const isLast = attribute.startsWith('enclave.') || attribute === 'host.running';
  if (variant === 'replace') return isLast && steps.length > 0 ? [...steps, 'replace'] : steps;
  return steps[0] === 'replace' ? [] : steps;
}

/** The repair that `enclavectl drift` has to name: the first step, whether or not it waits for a window. */
export function expectedRepair({ row: { steps, kind }, variant }: Case): string {
  const [first = 'alert'] = steps;
  const isReported = variant === 'alert' || kind === 'foreign' || (first === 'replace' && variant !== 'replace');
  return isReported ? 'alert' : first;
}
