/** `npm start`, as a newcomer runs it: a process of its own, until Ctrl-C. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { enclavectl, endLocal, local } from '../support/local.ts';

afterEach(endLocal);

const items = (cwd: string) => JSON.parse(enclavectl(cwd, 'get', '-o', 'json').stdout).items;

describe('enclavectl local', () => {
  it('deploys the examples, says what to try, stops cleanly, and goes on where it was', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'enclavectl-local-'));
    const first = local(cwd);
    await first.said('Try, in another terminal:');
    expect(items(cwd)).toHaveLength(5);
    for (const item of items(cwd)) expect(item).toMatchObject({ status: 'DEPLOYED', phase: 'ready', inSync: true });
    expect(enclavectl(cwd, 'get').stderr).toContain('using the local stack');

    // What it says to try works, run logs included.
    for (const [, command = ''] of first.output().matchAll(/^ {2}npx enclavectl (describe .*)$/gm)) {
      const described = enclavectl(cwd, ...command.split(' '));
      expect(described.status).toBe(0);
      const run = /^ *(e-\S+-1-deploy) /m.exec(described.stdout)?.[1] ?? '';
      expect(enclavectl(cwd, 'logs', run).stdout).toContain('Apply complete!');
    }
    const health = /^health +(\S+)\/healthz/m.exec(first.output())?.[1];
    expect((await fetch(`${health}/readyz`)).status).toBe(200);

    first.child.kill('SIGINT');
    expect(await first.ended).toBe(0);
    expect(existsSync(join(cwd, '.local', 'endpoint.json'))).toBe(false);

    const hosts = (rows: { id: string; host: string }[]) => Object.fromEntries(rows.map(({ id, host }) => [id, host]));
    const second = local(cwd);
    await second.said('Try, in another terminal:');
    expect(second.output()).not.toContain('applied examples');
    expect(items(cwd)).toHaveLength(5);
    for (const { id } of items(cwd)) expect(enclavectl(cwd, 'describe', id).stdout).not.toMatch(/e-\S+-2-deploy/);
    expect(Object.values(hosts(items(cwd)))).not.toContain(null);
    second.child.kill('SIGTERM');
    expect(await second.ended).toBe(0);
  });

  it('outlasts the death of its database while it follows the examples, and says so', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'enclavectl-local-'));
    const { child, said, ended } = local(cwd);
    await said('provisioning');
    // Each death makes the pause before the next start twice as long: the last one is longer than the SDK is patient.
    const pid = () => Number(readFileSync(join(cwd, '.local', 'database.pid'), 'utf8'));
    let killed = 0;
    for (const pauseMs of [250, 500, 1_000, 2_000]) {
      const last = killed;
      // An empty file reads as 0, which to kill() means this very process and its children.
      const next = () => [pid()].find((it) => it > 1 && it !== last);
      killed = await vi.waitUntil(next, { timeout: 10_000 });
      process.kill(killed, 'SIGKILL');
      await said(`database ended unasked (SIGKILL); it is started again in ${pauseMs} ms`);
    }
    await said('Try, in another terminal:');
    for (const item of items(cwd)) expect(item).toMatchObject({ status: 'DEPLOYED', phase: 'ready' });
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  });

  it('with --empty applies nothing; a folder in use is refused with one line', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'enclavectl-local-'));
    const first = local(cwd, '--empty');
    await first.said('Try, in another terminal:');
    expect(items(cwd)).toEqual([]);
    const second = enclavectl(cwd, 'local', '--port', '0');
    expect(second.status).toBe(2);
    expect(second.stderr).toMatch(/^enclavectl: the local stack does not start: .* is in use by process \d+.*\n$/);
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(0);
  });
});
