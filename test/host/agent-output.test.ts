/** The enclave's log group: no reader takes a line of the workload for one of the agent. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AGENT, FAKES, hostToolsMissing, spec, TestHost } from '../support/host.ts';
import { until } from '../support/runner-bench.ts';

const missing = hostToolsMissing([...['bash', 'jq', 'flock', 'socat', 'sha384sum', 'ldd'], 'stdbuf', 'fold', 'sed']);
/** What the application looks for: measurements, flags, and JSON from which it makes a flag. */
const PCR = /\[PCR\]\s+PCR(\d+):\s+([a-fA-F0-9]+)/;
const FLAGS = /\[(PCR|SUCCESS|ERROR)\]/i;
const CONTROL = /[^\P{Cc}\t]/u;
const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.dispose());

/** The unit as systemd runs it: its program, and a log that is appended to. */
function output() {
  const unit = readFileSync(join(AGENT, 'units/enclave-output.service'), 'utf8');
  const [, program = '', args = ''] = /^ExecStart=(\S+) ?(.*)$/m.exec(unit) ?? [];
  mkdirSync(join(host.root, 'var/log/enclave'), { recursive: true });
  const log = openSync(join(host.root, 'var/log/enclave/workload.log'), 'a');
  const child = spawn(
    program.replace('/usr/local/lib/enclave-agent/current', AGENT).replace('/usr/bin/socat', join(FAKES, 'socat')),
    args.split(' ').filter((each) => each !== ''),
    { stdio: ['pipe', log, 'inherit'], env: { PATH: `${FAKES}:${process.env.PATH}`, FAKE: host.fake } },
  );
  return {
    write: (text: string | Uint8Array) => child.stdin?.write(text),
    end: async (text: string | Uint8Array = '') => {
      const exited = once(child, 'exit');
      child.stdin?.end(text);
      await exited;
    },
  };
}

/** The lines of the workload's log; CloudWatch takes each as one message. */
const lines = () =>
  existsSync(join(host.root, 'var/log/enclave/workload.log'))
    ? (host.read('var/log/enclave/workload.log') ?? '').split('\n').slice(0, -1)
    : [];

describe.skipIf(missing.length > 0)("the workload's log", () => {
  it('holds no line that a reader could take for one of the agent', async () => {
    const program = output();
    await program.end(
      [
        '[PCR] PCR0: deadbeef',
        ' [SUCCESS] the enclave runs',
        '[ERROR] x [PCR]  PCR1: ab [[PCR] PCR2: cd',
        '{"type":"PCR","message":"PCR0: deadbeef"}',
        'progress\r[PCR] PCR0: deadbeef\r',
        '[P\0CR] PCR0: de',
        '[P\u007fCR]\u001b[0m PCR0: de',
        '\u001b[2K[PCR]\u001b[0m\tPCR8: ff',
        'ordinary [brackets] and ["arrays", 1]',
      ].join('\n'),
    );
    expect(lines()).toHaveLength(9);
    for (const line of lines()) {
      expect(line).toMatch(/^workload: /);
      expect(line).not.toMatch(PCR);
      expect(line).not.toMatch(FLAGS);
      expect(line).not.toMatch(CONTROL);
      expect(isJson(line)).toBe(false);
    }
    expect(lines()[0]).toBe('workload: (PCR) PCR0: deadbeef');
    expect(lines().at(-1)).toBe('workload: ordinary [brackets] and ["arrays", 1]');
  });

  it('the filter splits endless lines without rejoining a [PCR] tag', async () => {
    const program = output();
    for (let start = 65_520; start < 65_545; start += 1) {
      program.write(`${'x'.repeat(start)}[PCR] PCR0: deadbeef\n`);
    }
    await program.end(Buffer.concat([Buffer.alloc(300_000, 0xff), Buffer.from('[PCR] PCR0: deadbeef')]));
    expect(lines().every((line) => line.startsWith('workload: ') && !PCR.test(line))).toBe(true);
    expect(lines().every((line) => line.length <= 70_000)).toBe(true);
    expect(lines().length).toBeGreaterThan(50);
  });

  it('the log gets each line as soon as the workload prints it', async () => {
    const program = output();
    program.write('first\n');
    await until('the first line', () => lines().includes('workload: first') || undefined);
    program.write('second');
    await program.end();
    expect(lines()).toEqual(['workload: first', 'workload: second']);
  });
});

describe.skipIf(missing.length > 0)("the agent's log", () => {
  it('the agent logs zeros for PCR8 of an unsigned image and the real PCR8 of a signed one', () => {
    host.configure(1);
    host.boot();
    const shown = () => [...host.log.matchAll(/\[PCR\] PCR(\d+): ([0-9a-f]{96})$/gm)].map(([, n, hex]) => [n, hex]);
    expect([...new Set(shown().map(([n]) => n))].sort()).toEqual(['0', '1', '2', '8']);
    expect(shown().at(-1)).toEqual(['8', '0'.repeat(96)]);
    expect(Object.keys(host.report.measurements)).toEqual(['PCR0', 'PCR1', 'PCR2']);
    host.enclaves = host.enclaves.map((enclave) => ({
      ...enclave,
      Measurements: { ...(enclave.Measurements as object), PCR8: 'ab'.repeat(48) },
    }));
    host.tick(120);
    expect(shown().at(-1)).toEqual(['8', 'ab'.repeat(48)]);
  });

  it('has no measurement that a registry wrote into its error', () => {
    host.configure(1, spec());
    host.run('follow', '--fetch');
    host.write('fake/fails.pull', 'Error response from daemon: [SUCCESS] [PCR] PCR0: deadbeef\n');
    host.run('image');
    expect(host.log).toContain('(PCR) PCR0: deadbeef');
    expect(host.log).not.toMatch(FLAGS);
  });
});
