/** `npm run bench`: makes the measurements, prints a table, and fails where a bar is missed or a measurement fails. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { type Bar, isMet, MEASUREMENTS, type Outcome } from './measurement.ts';
import { rounded } from './statistics.ts';

const USAGE = `npm run bench -- [--only NAME[,NAME]] [--json FILE]

  --only  these measurements or figures; all by default
  --json  writes a flat object: each figure, its bar beside it as <figure>_bar, and as <figure>_load the load average
          of the last minute when its measurement began; if a measurement fails, <figure>_error holds the reason;
          figures measured before the failure are kept

${Object.entries(MEASUREMENTS)
  .map(([name, { bars, about }]) => `${name.padEnd(10)} ${Object.keys(bars).join(', ')}\n           ${about}`)
  .join('\n')}
`;

interface Line {
  readonly name: string;
  readonly bar: Bar;
  readonly outcome: Outcome;
  readonly load: number;
}

/** In a process of its own: what one measurement leaves behind in memory must not colour the next. */
function measureAlone(name: string): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'enclave-bench-'));
  const file = join(folder, 'result.json');
  const program = fileURLToPath(new URL('measure.ts', import.meta.url));
  const flags = ['--disable-warning=ExperimentalWarning', '--expose-gc'];
  const child = spawn(process.execPath, [...flags, program, name, file], { stdio: ['ignore', 2, 2] });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ figures: {}, failed: error.message }));
    child.once('exit', (code, signal) => {
      const known: Outcome = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { figures: {}, failed: '' };
      const end = `the measurement ended with ${signal ?? `exit code ${code}`}`;
      resolve(known.failed === '' ? { ...known, failed: end } : known);
      rmSync(folder, { recursive: true, force: true });
    });
  });
}

function chosen(only: string | undefined): readonly string[] {
  const all = Object.keys(MEASUREMENTS);
  if (only === undefined) return all;
  const wanted = only.split(',').map((name) => name.trim());
  const known = (name: string) => all.find((each) => each === name || name in (MEASUREMENTS[each]?.bars ?? {}));
  const unknown = wanted.filter((name) => known(name) === undefined);
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}`);
  return [...new Set(wanted.map((name) => known(name) as string))];
}

function barText(bar: Bar): string {
  return bar.kind === 'reported' ? '' : `${bar.kind === 'atLeast' ? '≥' : '≤'} ${bar.value.toLocaleString('en')}`;
}

interface Verdict {
  readonly value: number | undefined;
  /** Why there is no value, or why its measurement failed later. */
  readonly error: string | undefined;
  readonly isMet: boolean;
}

function verdict({ name, bar, outcome }: Line): Verdict {
  const measured = outcome.figures[name];
  const value = Number.isFinite(measured) ? measured : undefined;
  const missing = value === undefined && outcome.skipped === undefined ? 'the measurement gave no value' : undefined;
  return { value, error: outcome.failed ?? missing, isMet: value === undefined || isMet(value, bar) };
}

/** Value, and whether it meets its bar. */
function cells(line: Line): readonly [string, string] {
  const { value, error, isMet } = verdict(line);
  if (value === undefined)
    return error === undefined ? [`skipped: ${line.outcome.skipped}`, ''] : [`failed: ${error}`, 'no'];
  const met = line.bar.kind === 'reported' ? '' : isMet ? 'yes' : 'NO';
  const text = value.toLocaleString('en');
  return [error === undefined ? text : `${text} (failed: ${error})`, met];
}

function isGood(line: Line): boolean {
  const { error, isMet } = verdict(line);
  return error === undefined && isMet;
}

function flat(lines: readonly Line[]): Readonly<Record<string, number | string>> {
  const figures: Record<string, number | string> = {};
  for (const line of lines) {
    const { name, bar, load } = line;
    const { value, error } = verdict(line);
    if (value === undefined && error === undefined) continue;
    if (value !== undefined) figures[name] = value;
    if (error !== undefined) figures[`${name}_error`] = error;
    if (bar.kind !== 'reported') figures[`${name}_bar`] = bar.value;
    figures[`${name}_load`] = load;
  }
  return figures;
}

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, json: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}

const lines: Line[] = [];
for (const name of chosen(options.only)) {
  const measurement = MEASUREMENTS[name];
  if (measurement === undefined) continue;
  console.error(`${name}: ${measurement.about} …`);
  const load = rounded(loadavg()[0] ?? 0, 2);
  const outcome = await measureAlone(name);
  for (const [figure, bar] of Object.entries(measurement.bars)) lines.push({ name: figure, bar, outcome, load });
}

const table = new Table({
  head: ['figure', 'value', 'bar', 'met', 'load'],
  colAligns: ['left', 'right', 'right', 'left', 'right'],
  style: { head: [], border: [] },
});
for (const line of lines) {
  const [value, met] = cells(line);
  table.push([line.name, value, barText(line.bar), met, line.load]);
}
console.log(table.toString());
console.log(`Node ${process.version}, ${availableParallelism()} cores; load: 1-minute average before the measurement`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(flat(lines), undefined, 2)}\n`);
process.exitCode = lines.every(isGood) ? 0 : 1;
