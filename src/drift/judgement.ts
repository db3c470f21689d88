/** Row: how one attribute is compared, facet by facet. */
import { canonicalJson, equalJson } from '../enclave/json.ts';
import type { Attribute } from './attributes.ts';
import type { DriftRung, Finding, Severity, Verdict } from './finding.ts';
import type { Observed, Wanted } from './observed.ts';

/** One thing an attribute consists of. */
export interface Facet {
  readonly name: string;
  readonly desired: unknown;
  readonly observed: unknown;
  readonly verdict: Verdict;
}

/** What a row makes of an observation, and what of it this observation decides otherwise than the entry. */
export interface Judgement {
  readonly facets: readonly Facet[];
  readonly severity?: Severity;
  readonly rung?: DriftRung;
  readonly owned?: Finding['owned'];
}

/** How one attribute is judged; everything else about it is its entry's. */
export interface Row {
  readonly attribute: Attribute;
  /** Undefined: nothing of the kind is wanted or watched, and nothing is said. */
  judge(wanted: Wanted, observed: Observed): Judgement | undefined;
}

/** Compares two values by their meaning as JSON. */
export function facet(name: string, desired: unknown, observed: unknown): Facet {
  return judged(name, desired, observed, equalJson(desired, observed));
}

/**
 * One thing that has been compared; `same` undefined: it could not be. What is not known on either side never
 * differs: this is the only place where a verdict is made.
 */
export function judged(name: string, desired: unknown, observed: unknown, same: boolean | undefined): Facet {
  const known = desired !== undefined && observed !== undefined && same !== undefined;
  return { name, desired, observed, verdict: known ? (same ? 'Match' : 'Drift') : 'Unknown' };
}

const LONGEST_VALUE = 120;
const LONGEST_TEXT = 300;

/** Escaped and short: it may hold whatever somebody wrote into a tag. */
function printable(value: unknown): string {
  const text = typeof value === 'string' && /^[\w.:/@-]{1,120}$/.test(value) ? value : canonicalJson(value);
  const short = text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE).toWellFormed()}…` : text;
  // What JSON leaves as it is and a terminal may not.
  return short.replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '?');
}

/** All facets, or those that `verdict` is about. */
export function describe(facets: readonly Facet[], side: 'desired' | 'observed'): string | undefined {
  const known = facets.filter((each) => each[side] !== undefined);
  if (known.length === 0) return undefined;
  const parts = known.map((each) =>
    each.name === '' ? printable(each[side]) : `${printable(each.name)}=${printable(each[side])}`,
  );
  const text = parts.join(', ');
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT).toWellFormed()}…` : text;
}

/** One facet that differs is enough; without one, all must be known to match. */
export function verdictOf(facets: readonly Facet[]): Verdict {
  if (facets.some(({ verdict }) => verdict === 'Drift')) return 'Drift';
  return facets.length === 0 || facets.some(({ verdict }) => verdict === 'Unknown') ? 'Unknown' : 'Match';
}
