/** What `enclavectl drift` has to say: the answer item and what is printed of it, held against the rows of the page. */
import { isDeepStrictEqual } from 'node:util';
import type { Attribute } from '../../src/drift/index.ts';
import type { DriftAnswer, DriftRow } from '../../src/enclave/items/drift-answer.ts';
import type { Asked, Line } from './drift-command.ts';
import { type Case, expectedRepair, expectedSeverity, ROWS, TOGETHER } from './drift-page.ts';

/** Rows that no inspection shows: the answer gives what the operator has stored, and where to look before that. */
export const STORED: ReadonlyMap<Attribute, string> = new Map([
  ['enclave.attested', 'the operator has stored no finding (attestationTrail)'],
  ['terraform.state', 'the operator has stored no finding (stateBucket, plans)'],
  ['orphans', 'see enclavectl orphans'],
]);
/** What the hosts here say nothing of while all is well: the answer calls it Unknown. */
const UNSAID: ReadonlySet<Attribute> = new Set(['enclave.health', 'enclave.allocator', 'enclave.proxies']);
/** What differs as well, because the same report shows it. */
const ALSO: Readonly<Partial<Record<Attribute, readonly Attribute[]>>> = {
  ...TOGETHER,
  'enclave.debug': ['enclave.extra'],
  'enclave.allocator': ['enclave.running'],
};
/** `clip` of the command. */
const WIDEST = 60;

class Problems {
  readonly found: string[] = [];
  readonly #of: string;

  constructor(of: string) {
    this.#of = of;
  }

  hold(what: string, found: unknown, expected: unknown): void {
    if (isDeepStrictEqual(found, expected)) return;
    this.found.push(`${this.#of}: ${what}: ${JSON.stringify(found)}, and not ${JSON.stringify(expected)}`);
  }
}

/** Of an enclave at rest every attribute is shown as its row has it, and none differs. */
export function restProblems(each: Case, asked: Asked | undefined): readonly string[] {
  const problems = new Problems(`${each.id} at rest`);
  const { hold } = problemsOf(problems);
  if (asked?.answer === undefined) return [`${each.id} at rest: no answer: ${asked?.err}`];
  const isPaused = each.row.attribute === 'host.paused';
  const shown = ROWS.filter(({ attribute, seenBy }) => {
    if (isPaused) return attribute !== 'host.running' && seenBy !== 'host report' && attribute !== 'enclave.attested';
    return attribute !== 'host.paused';
  });
  hold(
    'attributes',
    asked.answer.rows.map(({ attribute }) => attribute),
    shown.map(({ attribute }) => attribute),
  );
  hold('exit code', asked.code, 0);
  for (const row of shown) {
    const { attribute } = row;
    const base = { row, variant: 'default', value: 0, id: each.id } as const;
    const isUnknown = STORED.has(attribute) || UNSAID.has(attribute) || (isPaused && OF_RUNNING.has(attribute));
    const found = rowOf(asked.answer, attribute);
    hold(attribute, summaryOf(found), { verdict: isUnknown ? 'Unknown' : 'Match', ...expectedRow(base) });
    if (STORED.has(attribute)) hold(`${attribute}: why`, found?.why, STORED.get(attribute));
  }
  printed(problems, asked, asked.answer);
  return problems.found;
}

const OF_RUNNING: ReadonlySet<Attribute> = new Set(['host.statusChecks', 'host.agent']);

const problemsOf = (problems: Problems) => ({ hold: problems.hold.bind(problems) });
const rowOf = ({ rows }: DriftAnswer, name: Attribute) => rows.find(({ attribute }) => attribute === name);

function summaryOf(row: DriftRow | undefined) {
  if (row === undefined) return undefined;
  const { verdict, severity, repair, owned, security } = row;
  return { verdict, severity, repair, owned, security };
}

function expectedRow(each: Case) {
  const { kind } = each.row;
  return {
    severity: expectedSeverity(each),
    repair: expectedRepair(each),
    owned: kind === 'foreign' ? 'foreign' : 'operator',
    security: kind === 'security',
  };
}

/** Of an enclave that differs: the row, nothing else, and when it was seen. `began`: since when it differs, ms. */
export function answerProblems(each: Case, asked: Asked | undefined, began: number): readonly string[] {
  const { attribute, seenBy } = each.row;
  const problems = new Problems(`${each.id} asked`);
  const { hold } = problemsOf(problems);
  if (asked?.answer === undefined) return [`${each.id}: no answer: ${asked?.err}`];
  const { answer } = asked;
  const found = rowOf(answer, attribute);
  // Nobody knows since when it has been terminating.
  const isUnknown = attribute === 'enclave.terminating' && each.value === 1;
  hold(attribute, summaryOf(found), { verdict: isUnknown ? 'Unknown' : 'Drift', ...expectedRow(each) });
  hold('exit code', asked.code, isUnknown ? 0 : 1);
  hold('parts not seen', answer.unseen, []);
  const also = [attribute, each.beside, ...(ALSO[attribute] ?? [])];
  const drifted = answer.rows.filter(({ verdict }) => verdict === 'Drift').map((row) => row.attribute);
  hold(
    'differs without cause',
    drifted.filter((name) => !also.includes(name as Attribute)),
    [],
  );
  printed(problems, asked, answer);
  if (found === undefined) return problems.found;
  if (STORED.has(attribute)) {
    hold('observed at', found.observedAt, null);
    hold('why', found.why, 'noted by the operator');
    return problems.found;
  }
  hold('desired and observed are the same', found.desired === found.observed, false);
  const [from, until] = [seenBy === 'host report' ? Math.floor(began) : asked.askedAt, Date.parse(answer.at)];
  const at = Date.parse(found.observedAt ?? '');
  hold(`observed at ${found.observedAt}, in time`, at >= from && at <= until, true);
  return problems.found;
}

/** By what name `enclavectl drift` lists the state of a host. */
const LISTED_AS: Readonly<Partial<Record<Attribute, string>>> = {
  'host.exists': 'host.gone',
  'host.running': 'host.stopped',
};

/** `enclavectl drift` lists what is reported and left, as grave as its row. */
export function listProblems(each: Case, lines: readonly Line[]): readonly string[] {
  const { attribute } = each.row;
  const problems = new Problems(`${each.id} listed`);
  const name = LISTED_AS[attribute] ?? attribute;
  const own = lines.filter((line) => line.ENCLAVE === each.id);
  const found = own.find((line) => line.ATTRIBUTE === name);
  problems.hold(name, [found?.SEVERITY, found?.REPAIR], [expectedSeverity(each), 'alert']);
  return problems.found;
}

/** The table that the command prints says what the item says. */
function printed(problems: Problems, asked: Asked, { rows }: DriftAnswer): void {
  problems.hold(
    'printed',
    asked.lines.map((line) => [line.ATTRIBUTE, line.VERDICT, line.SEVERITY, line.REPAIR, line.DESIRED]),
    rows.map(({ attribute, verdict, severity, repair, desired }) => {
      const isDrift = verdict === 'Drift';
      return [attribute, verdict, isDrift ? severity : '', isDrift ? repair : '', clipped(desired ?? '')];
    }),
  );
}

const clipped = (text: string) => (text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text).trim();
