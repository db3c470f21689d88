/** `npm run bench`: what becomes of the figures of a measurement that fails. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { figureTable } from '../../../scripts/bench-table.ts';

const at = (path: string) => new URL(`../../../${path}`, import.meta.url);

/** The real program and the real process of each measurement, over the fake measurements of `failing-bench.ts`. */
function bench(...argv: readonly string[]) {
  const file = join(mkdtempSync(join(tmpdir(), 'enclave-bench-test-')), 'figures.json');
  const env = {
    PATH: process.env.PATH,
    NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import ${at('test/support/failing-bench.ts').href}`,
  };
  const program = fileURLToPath(at('test/bench/main.ts'));
  const { status, stdout } = spawnSync(process.execPath, [program, ...argv, '--json', file], { env, encoding: 'utf8' });
  return { status, stdout, figures: JSON.parse(readFileSync(file, 'utf8')) };
}

describe("README's table of figures", () => {
  it('names the error of a measurement that failed, beside the figure or in its place', () => {
    const figures = {
      ...{ restart_10k_seconds: 8.1, restart_10k_seconds_error: 'timed out | after 400 s' },
      ...{ restart_10k_runs_started_error: 'timed out' },
    };
    const rows = figureTable(figures).split('\n');
    const row = (name: string) => rows.find((line) => line.startsWith(`| \`${name}\` |`));
    expect(row('restart_10k_seconds')).toContain('| 8.1 (the measurement failed: timed out \\| after 400 s) |');
    expect(row('restart_10k_runs_started')).toContain('| not measured (the measurement failed: timed out) |');
    expect(row('scrape_ms')).toContain('| not measured |');
  });
});

describe('npm run bench', () => {
  let { status, stdout, figures }: Partial<ReturnType<typeof bench>> = {};
  beforeAll(() => {
    ({ status, stdout, figures } = bench());
  });

  it('keeps the figures that a measurement has produced before it fails, and names the error beside them', () => {
    expect(figures).toMatchObject({
      ...{ first_ms: 5, first_ms_bar: 10, first_ms_load: expect.any(Number) },
      first_ms_error: 'the check after the first figure timed out | after 400 s',
      ...{ fourth_ms: 7, fourth_ms_error: 'the measurement ended with SIGKILL' },
    });
    expect(stdout).toMatch(/first_ms .* 5 \(failed: the check after the first figure timed out/);
  });

  it('writes the error of a figure that was not measured, and no value', () => {
    expect(figures).toMatchObject({
      second_ms_error: 'the check after the first figure timed out | after 400 s',
      third_ms_error: 'nothing was measured',
      fifth_ms_error: 'the measurement ended with SIGKILL',
    });
    expect(figures).not.toHaveProperty('second_ms');
    expect(figures).not.toHaveProperty('third_ms');
    expect(figures).not.toHaveProperty('fifth_ms');
  });

  it('goes on after a failure, and leaves the figures of what succeeds as they are', () => {
    expect(figures.sixth_ms).toBe(3);
    expect(figures).not.toHaveProperty('sixth_ms_error');
  });

  it('fails where a measurement fails, though every figure that was produced meets its bar', () => {
    expect(status).toBe(1);
    expect(bench('--only', 'fine').status).toBe(0);
    expect(bench('--only', 'first_ms').status).toBe(1);
  });
});
