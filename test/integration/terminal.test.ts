/** What a person sees of enclavectl on a terminal: on a pseudo-terminal, through an interpreter of what was written. */
import { fileURLToPath } from 'node:url';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, it } from 'vitest';
import { toItem } from '../../src/aws/dynamodb/marshal.ts';
import type { Condition } from '../../src/enclave/conditions.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import { cliDatabase, enclavesTable, stateTable } from '../support/cli-database.ts';
import { AT, aLifecycle } from '../support/conformance-harness.ts';
import { onTerminal, type Screen, type Size, screenOf } from '../support/terminal.ts';

const BIN = fileURLToPath(new URL('../../bin/enclavectl.js', import.meta.url));
const LIVE_TABLE = fileURLToPath(new URL('../support/live-table-program.ts', import.meta.url));
const NARROW = { columns: 80, rows: 24 };
const USUAL = { columns: 120, rows: 24 };
/** Wide enough for every column and the whole message. */
const WIDEST = { columns: 240, rows: 24 };
const HOST = 'i-0123456789abcdef0';
const ID = 'enc_1755986905612_ouocac870';
const MESSAGE = 'creating the host, which takes some minutes because EC2 has to start an instance first';

const database = cliDatabase();
const put = (TableName: string, item: object) =>
  database.client.send(new PutItemCommand({ TableName, Item: toItem(item) }));

const condition = (type: string, status: Condition['status']): Condition => ({
  ...{ type, status, reason: 'Reason', message: `m ${type}`, observedGeneration: 1, lastTransitionTime: AT },
});

const CONDITIONS = [
  condition('Ready', 'True'),
  condition('Healthy', 'False'),
  condition('Secure', 'Unknown'),
  condition('Progressing', 'False'),
  condition('Stalled', 'False'),
  condition('DeletionBlocked', 'True'),
];

async function enclave(id: string, name: string, changes: Partial<Lifecycle>): Promise<void> {
  const record = { id, name, walletAddress: '0xabc', providerId: 'aws-nitro', status: 'DEPLOYING', createdAt: AT };
  await put(enclavesTable, { ...record, providerConfig: { dockerImage: 'nginx:1.27.3' } });
  await put(stateTable, { ...keys.lifecycle(id), ...aLifecycle(id, changes) });
}

const shared = { pinned: { instanceId: HOST }, conditions: CONDITIONS, message: MESSAGE };

beforeAll(async () => {
  await enclave(ID, 'nightly-report-of-signatures', shared);
  await enclave('enc_1755986905613_aaaabbbbc', '名前は長いものですから', shared);
  for (let n = 0; n < 30; n += 1) await enclave(`enc_17559869056${n + 20}_x`, `n${n}`, { message: 'short' });
});

const where = () => ['--endpoint', database.url, '--environment', 'test'];
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'];

async function show(argv: readonly string[], size: Size, env = {}, isEnough?: (written: string) => boolean) {
  return onTerminal([...NODE, BIN, ...argv, ...where()], size, env, isEnough);
}

/** Every line on the screen is whole: nothing overwritten, no sequence shown as text, no id or host broken or cut. */
function expectWhole(screen: Screen): void {
  expect(screen.overwritten).toBe(0);
  expect(screen.lines.join('\n')).not.toMatch(/\[\d*m/);
  for (const line of screen.lines.filter((text) => /\benc_|\bi-/.test(text))) {
    expect(line).toMatch(/^ *enc_\d+_\w+( |$)/);
    expect(line.match(/\bi-\w*/)?.[0] ?? HOST).toBe(HOST);
  }
}

describe('enclavectl describe on a terminal', () => {
  it.each([NARROW, USUAL])(
    'colours good news green and bad news red, and shows no code, at $columns columns',
    async (size) => {
      // Long lines wrap, and the text scrolls: the height is of no interest here.
      const screen = screenOf(await show(['describe', ID], size), { ...size, rows: 500 });
      expect(screen.lines.join('\n')).not.toMatch(/\[\d*m/);
      const at = screen.lines.find((line) => /^ {2}TYPE +STATUS /.test(line))?.indexOf('STATUS') ?? 0;
      const colours = CONDITIONS.map(({ type, status }) => {
        const line = screen.lines.find((text) => text.startsWith(`  ${type} `)) ?? '';
        expect(line.slice(at)).toMatch(new RegExp(`^${status} `));
        return [type, screen.colourOf(line, at)];
      });
      expect(Object.fromEntries(colours)).toEqual({
        ...{ Ready: 32, Healthy: 31, Secure: undefined, Progressing: undefined, Stalled: 32, DeletionBlocked: 31 },
      });
    },
  );

  it('writes no escape sequence where NO_COLOR is set', async () => {
    const written = await show(['describe', ID], USUAL, { NO_COLOR: '1' });
    expect(written).toContain('Conditions:');
    expect(written).not.toContain('\u001b');
  });
});

describe('enclavectl get on a terminal', () => {
  it.each([NARROW, WIDEST])('prints one whole line for each enclave at $columns columns', async (size) => {
    const screen = screenOf(await show(['get'], size), { ...size, rows: 500 });
    expectWhole(screen);
    expect(screen.lines).toHaveLength(33);
    const [head = '', ...rows] = screen.lines;
    const row = rows.find((line) => line.startsWith(ID)) ?? '';
    expect(head).toMatch(/^ID +.*MESSAGE$/);
    expect(row).toMatch(size === WIDEST ? /instance first$/ : /creating.*…$/);
  });

  it.each([NARROW, USUAL])('keeps the table within the screen while it watches, at $columns columns', async (size) => {
    const isEnough = (written: string) => written.includes('MESSAGE') && written.endsWith('\n');
    const screen = screenOf(await show(['get', '-w'], size, {}, isEnough), size);
    expectWhole(screen);
    expect(screen.lines[0]).toMatch(/^ID /);
    expect(screen.lines.at(-1)).toMatch(/^… and \d+ more$/);
  });
});

describe('the live table of `enclavectl local`', () => {
  it.each([NARROW, USUAL, WIDEST])('overwrites no cell at $columns columns', async (size) => {
    const screen = screenOf(await onTerminal([...NODE, LIVE_TABLE], size), size);
    expectWhole(screen);
    expect(screen.lines[0]).toMatch(/^ID +.*MESSAGE$/);
    expect(screen.lines[1]).toMatch(size === WIDEST ? /instance first$/ : /…$/);
    expect(screen.lines).toHaveLength(3);
  });
});
