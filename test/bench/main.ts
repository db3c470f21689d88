/** `npm run bench`: makes the measurements, prints a table, and fails where a bar is missed. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { type Bar, type Figures, isMet, MEASUREMENTS } from './measurement.ts';
import { rounded } from './statistics.ts';

const USAGE = `npm run bench -- [--only NAME[,NAME]] [--json FILE]

  --only  these measurements or figures; all by default
  --json  writes a flat object: each figure, its bar beside it as <figure>_bar, and as <figure>_load the load average
          of the last minute when its measurement began

${Object.entries(MEASUREMENTS)
  .map(([name, { bars, about }]) => `${name.padEnd(10)} ${Object.keys(bars).join(', ')}\n           ${about}`)
  .join('\n')}
`;

type Result = { readonly figures: Figures } | { readonly skipped: string } | { readonly failed: string };

interface Line {
  readonly name: string;
  readonly bar: Bar;
  readonly result: Result;
  readonly load: number;
}

/** In a process of its own: what one measurement leaves behind in memory must not colour the next. */
function measureAlone(name: string): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'enclave-bench-'));
  const file = join(folder, 'result.json');
  const program = fileURLToPath(new URL('measure.ts', import.meta.url));
  const flags = ['--disable-warning=ExperimentalWarning', '--expose-gc'];
  const child = spawn(process.execPath, [...flags, program, name, file], { stdio: ['ignore', 2, 2] });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ failed: error.message }));
    child.once('exit', (code, signal) => {
      if (existsSync(file)) resolve(JSON.parse(readFileSync(file, 'utf8')));
      else resolve({ failed: `ended with ${signal ?? `exit code ${code}`} (see above)` });
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

function verdict({ name, bar, result }: Line): { readonly value: string; readonly met: string; readonly ok: boolean } {
  if ('skipped' in result) return { value: `skipped: ${result.skipped}`, met: '', ok: true };
  const value = 'figures' in result ? result.figures[name] : undefined;
  if (value === undefined || !Number.isFinite(value)) {
    return { value: 'failed' in result ? result.failed : 'no value', met: 'no', ok: false };
  }
  const ok = isMet(value, bar);
  return { value: value.toLocaleString('en'), met: bar.kind === 'reported' ? '' : ok ? 'yes' : 'NO', ok };
}

function flat(lines: readonly Line[]): Figures {
  const figures: Record<string, number> = {};
  for (const { name, bar, result, load } of lines) {
    const value = 'figures' in result ? result.figures[name] : undefined;
    if (value === undefined || !Number.isFinite(value)) continue;
    figures[name] = value;
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
  const result = await measureAlone(name);
  for (const [figure, bar] of Object.entries(measurement.bars)) lines.push({ name: figure, bar, result, load });
}

const table = new Table({
  head: ['figure', 'value', 'bar', 'met', 'load'],
  colAligns: ['left', 'right', 'right', 'left', 'right'],
  style: { head: [], border: [] },
});
for (const line of lines) {
  const { value, met } = verdict(line);
  table.push([line.name, value, barText(line.bar), met, line.load]);
}
console.log(table.toString());
console.log(`Node ${process.version}, ${availableParallelism()} cores; load: 1-minute average before the measurement`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(flat(lines), undefined, 2)}\n`);
process.exitCode = lines.every((line) => verdict(line).ok) ? 0 : 1;
