/** Judgement: how one attribute is compared, facet by facet. */
import { canonicalJson, equalJson } from '../enclave/json.ts';
import type { DriftRung, Finding, Severity, Verdict } from './finding.ts';
import type { Digested, Wanted } from './observed.ts';

/** One thing an attribute consists of. */
export interface Facet {
  readonly name: string;
  readonly desired: unknown;
  readonly observed: unknown;
  readonly verdict: Verdict;
}

/** What an entry concludes from an observation, and where this observation overrides the entry. */
export interface Judgement {
  readonly facets: readonly Facet[];
  readonly severity?: Severity;
  readonly rung?: DriftRung;
  readonly owned?: Finding['owned'];
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

/** Compares by digest, and shows as much as was kept of what was observed. */
export function digestFacet(name: string, wanted: string | undefined, seen: Digested | undefined): Facet {
  return judged(name, wanted, seen?.says ?? seen?.digest, seen && wanted === seen.digest);
}

export const judgement = (...facets: Facet[]): Judgement => ({ facets });

/** The operator leaves this attribute of an adopted host as it found it. */
export const unlessLegacy = ({ legacy }: Wanted, ...facets: Facet[]): Judgement =>
  legacy === undefined ? { facets } : { facets, owned: 'foreign', rung: 'alert' };

/** Without repetitions, for sets that AWS lists in any order. */
export const sorted = (list: readonly string[] | undefined) =>
  list === undefined ? undefined : [...new Set(list)].sort();

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
