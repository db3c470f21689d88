/** Plays a row of docs/drift.md on a stage of its own, and says where the operator or enclavectl departs from it. */
import { isDeepStrictEqual } from 'node:util';
import type { Attribute } from '../../src/drift/index.ts';
import { conditionOf } from '../../src/enclave/conditions.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { FAULTS_BY_ATTRIBUTE } from '../simulation/faults.ts';
import { answerProblems, listProblems, restProblems, STORED } from './drift-answers.ts';
import { type Asked, enclavectlDrift } from './drift-command.ts';
import { type Case, expectedSeverity, expectedSteps, ROWS, type Row, VARIANTS } from './drift-page.ts';
import { Stage } from './drift-stage.ts';
import { valuesOf } from './drift-values.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Rows of which the world shows nothing to the operator's own observations, and why. */
export const ONLY_ANSWERED: Readonly<Partial<Record<Attribute, string>>> = {
  'host.userData': 'no list shows it, and Terraform repairs the object it follows by an apply, not by another host',
};
/** Rows that nothing here can show, and why. */
export const NOT_PRODUCED: Readonly<Partial<Record<Attribute, string>>> = {
  orphans: 'no enclave has this finding: an event reports it',
};
/** Under `alert` it is left as it is. The pausing phase stops a paused enclave's host whatever the policy says. */
const isLeft = ({ attribute }: Row) => ONLY_ANSWERED[attribute] === undefined && attribute !== 'host.paused';

export const PLAYED = ROWS.filter(({ attribute }) => NOT_PRODUCED[attribute] === undefined);

/** Rows that are also played under `alert` beside a difference of another, less grave attribute. */
const BESIDE: Readonly<Partial<Record<Attribute, Attribute>>> = { 'enclave.extra': 'tags' };

/** What was seen of one enclave in the course of time. */
interface Seen {
  severity: string | undefined;
  readonly reasons: Set<string>;
}

function casesOf(row: Row): readonly Case[] {
  const name = row.attribute.replace('.', '_');
  const cases: Case[] = VARIANTS.map((variant) => ({ id: `enc_${name}_${variant}`, row, variant, value: 0 }));
  for (let value = 1; value < valuesOf(row.attribute); value += 1)
    cases.push({ id: `enc_${name}_value_${value}`, row, variant: 'default', value });
  const beside = BESIDE[row.attribute];
  if (beside !== undefined) cases.push({ id: `enc_${name}_beside`, row, variant: 'alert', value: 0, beside });
  return cases;
}

/** Answers what is not as the row says; nothing: all is. */
export async function play(row: Row): Promise<readonly string[]> {
  const cases = casesOf(row);
  const stage = new Stage();
  await stage.deploy(cases);
  const { v } = stage;
  const problems: string[] = [];
  const [first] = cases;
  if (first === undefined) return problems;
  const atRest = await askAll(stage, [first]);
  problems.push(...restProblems(first, atRest.get(first.id)));

  const began = v.clock.now();
  for (const each of cases) stage.put(each);
  const seen = watch(stage, cases);
  // Long enough for EC2 to show a host as stopped, too short for a repair.
  await v.clock.advance(12_000);
  const askable = cases.filter(({ variant }) => variant !== 'window');
  const isStored = STORED.has(row.attribute);
  const early = isStored ? new Map<string, Asked>() : await askAll(stage, askable);
  await untilDone(stage, cases, seen);
  const answers = isStored ? await askAll(stage, askable) : early;
  await v.clock.advance(20 * MINUTE);
  const listed = await enclavectlDrift(v);

  for (const each of cases) problems.push(...operatorProblems(stage, each, seenOf(seen, each.id), began));
  for (const each of askable) problems.push(...answerProblems(each, answers.get(each.id), began));
  const left = isLeft(row) ? cases.filter(({ variant }) => variant === 'alert') : [];
  for (const each of left) problems.push(...listProblems(each, listed.lines));
  return problems;
}

function seenOf(seen: ReadonlyMap<string, Seen>, id: string): Seen {
  const found = seen.get(id);
  if (found === undefined) throw new Error(`${id} is not watched`);
  return found;
}

function watch({ v }: Stage, cases: readonly Case[]): ReadonlyMap<string, Seen> {
  const seen = new Map<string, Seen>(cases.map(({ id }) => [id, { severity: undefined, reasons: new Set() }]));
  const attributes = new Map<string, Attribute>(cases.map(({ id, row }) => [id, row.attribute]));
  v.world.tables.state.watch((_before, after) => {
    if (after?.sk !== 'lifecycle') return;
    const { id, conditions, findings = [] } = after as unknown as Lifecycle;
    const entry = seenOf(seen, id);
    const inSync = conditionOf(conditions, 'InSync');
    const finding = findings.find((each) => each.attribute === attributes.get(id));
    if (finding !== undefined) entry.severity = finding.severity;
    if (inSync?.status === 'False') entry.reasons.add(inSync.reason);
  });
  return seen;
}

/** Until every step of every case is taken; what is missing after the last of them is said in full afterwards. */
async function untilDone(stage: Stage, cases: readonly Case[], seen: ReadonlyMap<string, Seen>): Promise<void> {
  const { clock } = stage.v;
  const isDone = (each: Case) => {
    if (ONLY_ANSWERED[each.row.attribute] !== undefined) return true;
    const { severity, reasons } = seenOf(seen, each.id);
    const isReported = severity !== undefined || reasons.size > 0;
    const [steps, expected] = [stage.steps(each.id), expectedSteps(each)];
    // What follows upon a wrong step would only be more of it.
    const isWrong = steps.some(({ step }, n) => step !== expected[n]);
    return isWrong || (isReported && steps.length >= expected.length);
  };
  let open = cases;
  const until = clock.now() + 6 * HOUR;
  while (open.length > 0 && clock.now() < until) {
    await clock.advance(15_000);
    open = open.filter((each) => !isDone(each));
  }
}

async function askAll({ v }: Stage, cases: readonly Case[]): Promise<ReadonlyMap<string, Asked>> {
  const answers = new Map<string, Asked>();
  const failures: unknown[] = [];
  for (const { id } of cases) {
    enclavectlDrift(v, id).then(
      (asked) => answers.set(id, asked),
      (error: unknown) => failures.push(error),
    );
  }
  await v.until(() => answers.size + failures.length === cases.length, 'every command has ended', 5 * MINUTE);
  if (failures.length > 0) throw failures[0];
  return answers;
}

function operatorProblems(stage: Stage, each: Case, { severity, reasons }: Seen, began: number): readonly string[] {
  const { id, row } = each;
  const { attribute, patienceMs, kind } = row;
  if (ONLY_ANSWERED[attribute] !== undefined) return [];
  const problems: string[] = [];
  const hold = (what: string, found: unknown, expected: unknown) => {
    if (!isDeepStrictEqual(found, expected))
      problems.push(`${id}: ${what}: ${JSON.stringify(found)}, and not ${JSON.stringify(expected)}`);
  };
  const steps = stage.steps(id);
  hold(
    'steps',
    steps.map(({ step }) => step),
    expectedSteps(each),
  );
  if (kind === 'foreign') hold('reasons of InSync', [...reasons], []);
  else {
    const reason = FAULTS_BY_ATTRIBUTE[attribute].reason ?? 'Drifted';
    if (!reasons.has(reason)) problems.push(`${id}: InSync was False for ${[...reasons]}, and never for ${reason}`);
  }
  // The state of the host is a drift of its own, and no finding.
  if (!/^host\.(exists|running|paused)$/.test(attribute))
    hold('severity of the finding', severity, expectedSeverity(each));
  const [first] = steps;
  if (first !== undefined && first.at - began < patienceMs)
    problems.push(`${id}: first step after ${first.at - began} ms, and not after ${patienceMs}`);
  return problems;
}
