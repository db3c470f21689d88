/** `npm start -- --prometheus`: a Prometheus beside the stack, and what is said where there can be none. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALERTS } from '../../scripts/monitoring/alerts.ts';
import { eventually } from '../support/embedded.ts';
import { enclavectlWith, endLocal, local } from '../support/local.ts';
import { ask, describeWithPrometheus } from '../support/prometheus.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'enclavectl-prometheus-'));
});
afterEach(() => {
  endLocal();
  for (const name of ['prometheus', 'database']) {
    try {
      process.kill(pidOf(name), 'SIGKILL');
    } catch {
      // None is left, or none was started.
    }
  }
  rmSync(cwd, { recursive: true, force: true });
});

const pidOf = (name: string) => Number(readFileSync(join(cwd, '.local', `${name}.pid`), 'utf8'));
const answers = (url: string) =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

describe('without the program', () => {
  it('says which one is missing and how to get it, and starts nothing', () => {
    const { status, stderr } = enclavectlWith({ PATH: cwd }, cwd, 'local', '--port', '0', '--prometheus');
    expect(stderr).toMatch(/^enclavectl: --prometheus: .*`prometheus`.* install .*apt-get install prometheus.*\n$/);
    expect(status).toBe(2);
    expect(existsSync(join(cwd, '.local'))).toBe(false);
  });
});

describeWithPrometheus('with the program', () => {
  it('says that a port is taken and how to choose another, and stops what it had started', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const { ended, output } = local(cwd, '--empty', '--prometheus', String(port));
    expect(await ended).toBe(2);
    other.close();
    expect(output()).toContain(
      `enclavectl: Prometheus does not start: port ${port} is in use: choose another with --prometheus PORT\n`,
    );
    expect(existsSync(join(cwd, '.local', 'endpoint.json'))).toBe(false);
  });

  it('refuses what is no port', () => {
    const { status, stderr } = enclavectlWith({}, cwd, 'local', '--prometheus', 'http');
    expect(stderr).toContain('--prometheus http: it takes a whole number from 0 to 65535');
    expect(status).toBe(2);
  });

  it('shows its pages with all alerts loaded and the operator scraped, and is stopped with the rest', async () => {
    const killed = local(cwd, '--empty', '--prometheus', '0');
    await killed.said('Try, in another terminal:');
    const url = /^Prometheus: (http:\S+),/m.exec(killed.output())?.[1] ?? '';
    await eventually('ready', () => answers(`${url}/-/ready`));
    expect(await answers(url)).toBe(true);
    const { groups } = (await ask(url, 'rules')) as { groups: { rules: { name: string }[] }[] };
    expect(groups.flatMap(({ rules }) => rules.map(({ name }) => name)).sort()).toEqual(
      ALERTS.map(({ name }) => name).sort(),
    );
    const targets = await eventually('the configuration taken up', async () => {
      const { activeTargets } = (await ask(url, 'targets')) as { activeTargets: readonly object[] };
      return activeTargets.length > 0 && activeTargets;
    });
    expect(targets).toMatchObject([
      {
        scrapeUrl: /^metrics +(\S+)$/m.exec(killed.output())?.[1],
        labels: { job: 'enclave-operator', environment: 'local', region: 'local' },
      },
    ]);

    // One that outlived a killed supervisor is ended by the next, whose port it holds.
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(await answers(`${url}/-/ready`)).toBe(true);
    const second = local(cwd, '--empty', '--prometheus', new URL(url).port);
    await second.said('Try, in another terminal:');
    const pid = pidOf('prometheus');
    await eventually('ready again', () => answers(`${url}/-/ready`));
    second.child.kill('SIGINT');
    expect(await second.ended).toBe(0);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(await answers(`${url}/-/ready`)).toBe(false);
  });
});
