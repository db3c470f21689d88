/** enclavectl against a real database: what it writes, and what it refuses to write. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BatchWriteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { toItem, toPlain } from '../../src/aws/dynamodb/marshal.ts';
import { loadConfig } from '../../src/cli/config.ts';
import { openStore } from '../../src/cli/store.ts';
import { keys } from '../../src/enclave/items/items.ts';
import type { Lifecycle } from '../../src/enclave/items/lifecycle.ts';
import type { Failure } from '../../src/enclave/items/run.ts';
import { pcr3OfRole, pcr4OfInstance } from '../../src/enclave/measurements.ts';
import { parseSpec, specHash } from '../../src/enclave/spec/spec.ts';
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';
import { emptyFolder } from '../support/cli.ts';
import { cliDatabase, enclavesTable, historyTable, stateTable } from '../support/cli-database.ts';

const OWNER = '0x52908400098527886E0F7030069857D2E4169EE7';

const database = cliDatabase();
const { run } = database;

async function stored(id: string) {
  const { Item } = await database.client.send(new GetItemCommand({ TableName: enclavesTable, Key: toItem({ id }) }));
  return Item === undefined ? undefined : toPlain(Item);
}

async function put(table: string, item: object) {
  await database.client.send(new PutItemCommand({ TableName: table, Item: toItem(item) }));
}

/** A record as the application's POST writes it, in the given status. */
const record = (id: string, status: string, more: object = {}) => ({
  id,
  name: `name of ${id}`,
  description: 'd',
  region: 'us-west-2',
  walletAddress: OWNER,
  providerId: 'aws-nitro',
  providerConfig: { dockerImage: 'nginx:1.27.3', cpuCount: '2', memoryMiB: '1024' },
  status,
  createdAt: '2026-01-02T03:04:05.678Z',
  updatedAt: '2026-01-02T03:04:05.678Z',
  ...more,
});

const lifecycle = (id: string, more: Partial<Lifecycle> = {}): Lifecycle & { pk: string; sk: string } => ({
  ...keys.lifecycle(id),
  v: 1,
  minReader: 1,
  id,
  identity: { createdAt: '2026-01-02T03:04:05.678Z', walletAddress: OWNER },
  incarnation: 'abc123',
  runSeq: 2,
  desired: 'Running',
  lastSeen: { status: 'DEPLOYED', updatedAt: '2026-01-02T03:04:05.678Z' },
  origin: 'PENDING_DEPLOY',
  commandAt: '2026-01-02T03:04:05.678Z',
  hashVersion: 1,
  specHash: 'x',
  generation: 1,
  observedGeneration: 1,
  phase: 'ready',
  phaseSince: '2026-01-02T03:04:05.678Z',
  attempts: { key: 'generation:1', count: 0 },
  pinned: { instanceId: 'i-0123456789abcdef0' },
  touched: true,
  serving: true,
  adopted: false,
  conditions: [
    {
      type: 'InSync',
      status: 'True',
      reason: 'HostRunning',
      message: 'm',
      observedGeneration: 1,
      lastTransitionTime: '2026-01-02T03:04:05.678Z',
    },
  ],
  message: 'The enclave is running.',
  revision: 7,
  epoch: 1,
  ...more,
});

const IMAGE = 'nginx:1.27.3';
const document = (id: string, config: object = {}, more: object = {}) =>
  JSON.stringify({
    id,
    name: 'n',
    description: 'd',
    walletAddress: OWNER,
    providerConfig: { dockerImage: IMAGE, ...config },
    ...more,
  });

describe('apply', () => {
  it("creates what the application's POST would create", async () => {
    const stdin = document('enc_new', { dockerImage: 'nginx:1.27.3', cpuCount: '2' }, { region: 'us-west-2' });
    expect(await run(['apply', '-f', '-'], { stdin })).toMatchObject({ code: 0, out: 'enc_new: created\n' });
    const item = await stored('enc_new');
    expect(item).toEqual({
      id: 'enc_new',
      name: 'n',
      description: 'd',
      region: 'us-west-2',
      walletAddress: OWNER,
      providerId: 'aws-nitro',
      providerConfig: { dockerImage: 'nginx:1.27.3', cpuCount: '2' },
      status: 'PENDING_DEPLOY',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: item?.createdAt,
    });
  });

  it('changes nothing the second time, and says so', async () => {
    const stdin = document('enc_twice', { cpuCount: '2' });
    await run(['apply', '-f', '-'], { stdin });
    const before = await stored('enc_twice');
    expect(await run(['apply', '-f', '-'], { stdin })).toMatchObject({ code: 0, out: 'enc_twice: unchanged\n' });
    expect(await stored('enc_twice')).toEqual(before);
  });

  it('writes only the changed fields, leaves the status, and replaces providerConfig whole', async () => {
    await put(enclavesTable, record('enc_put', 'DEPLOYED', { error_type: 'x', instance_id: 'i-1' }));
    const stdin = document('enc_put', { dockerImage: 'nginx:1.27.3', cpuCount: '4', instanceType: 'm6i.2xlarge' });
    const { out } = await run(['apply', '-f', '-'], { stdin });
    expect(out).toBe('enc_put: updated (name, providerConfig)\n');
    expect(await stored('enc_put')).toMatchObject({
      status: 'DEPLOYED',
      name: 'n',
      region: 'us-west-2',
      error_type: 'x',
      instance_id: 'i-1',
      createdAt: '2026-01-02T03:04:05.678Z',
      providerConfig: { dockerImage: 'nginx:1.27.3', cpuCount: '4', instanceType: 'm6i.2xlarge' },
    });
  });

  it('takes a stored record with all that the operator published as unchanged', async () => {
    const published = record('enc_published', 'DEPLOYED', {
      instance_id: 'i-1',
      updated_at: 'x',
      operator: { phase: 'ready' },
      providerConfig: { dockerImage: IMAGE, cpuCount: '2', instanceId: 'i-1' },
    });
    await put(enclavesTable, published);
    const providerConfig = { dockerImage: IMAGE, cpuCount: '2' };
    const own = { ...published, providerConfig, status: 'PENDING_DESTROY', instance_id: 'i-2' };
    for (const again of [published, own]) {
      const { out } = await run(['apply', '-f', '-'], { stdin: JSON.stringify(again) });
      expect(out).toBe('enc_published: unchanged\n');
    }
  });

  it('deploys a destroyed enclave again, and refuses one that is being destroyed', async () => {
    await put(enclavesTable, record('enc_gone', 'DESTROYED'));
    expect((await run(['apply', '-f', '-'], { stdin: JSON.stringify(record('enc_gone', '')) })).out).toBe(
      'enc_gone: deployed again\n',
    );
    expect((await stored('enc_gone'))?.status).toBe('PENDING_DEPLOY');
    for (const status of ['PENDING_DESTROY', 'DESTROYING']) {
      await put(enclavesTable, record('enc_going', status));
      const { code, err } = await run(['apply', '-f', '-'], { stdin: document('enc_going') });
      expect(code).toBe(4);
      expect(err).toContain('being destroyed');
      expect((await stored('enc_going'))?.status).toBe(status);
    }
  });

  it("refuses another owner's enclave", async () => {
    await put(enclavesTable, record('enc_theirs', 'DEPLOYED', { walletAddress: `0x${'1'.repeat(40)}` }));
    expect((await run(['apply', '-f', '-'], { stdin: document('enc_theirs') })).code).toBe(4);
    expect((await stored('enc_theirs'))?.name).toBe('name of enc_theirs');
  });

  it('applies every file that -f names, in order', async () => {
    const cwd = emptyFolder();
    for (const id of ['enc_file1', 'enc_file2'])
      writeFileSync(join(cwd, `${id}.json`), document(id, { dockerImage: 'a' }));
    const files = ['-f', 'enc_file2.json', '-f', 'enc_file1.json'];
    const differences = await run(['diff', ...files, '-o', 'json'], { cwd });
    expect(JSON.parse(differences.out).map(({ id }: { id: string }) => id)).toEqual(['enc_file2', 'enc_file1']);
    const { code, out } = await run(['apply', ...files], { cwd });
    expect({ code, out }).toEqual({ code: 0, out: 'enc_file2: created\nenc_file1: created\n' });
    expect((await stored('enc_file1'))?.status).toBe('PENDING_DEPLOY');
  });

  it('writes nothing of a file with a typing error, and says what was meant', async () => {
    const typo = document('enc_typo', { dockerimage: 'nginx:1.27.3' }, { policy: { suspended: true } });
    const { code, out, err } = await run(['apply', '-f', '-'], { stdin: typo });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('providerConfig.dockerimage: UNKNOWN_FIELD: ');
    expect(err).toContain('Did you mean dockerImage?');
    expect(err).toContain('Did you mean suspend?');
    expect(err).toContain('nothing was written');
    expect(await stored('enc_typo')).toBeUndefined();
    const differences = await run(['diff', '-f', '-'], { stdin: typo });
    expect(differences).toMatchObject({ code: 1, out: expect.stringContaining('enc_typo): cannot be applied\n') });
  });

  it('prints the text of its warnings, the first of many, and how many more there are', async () => {
    const few = document('enc_warned', { dockerImage: 'nginx:1.27.3' }, { team: 'signing' });
    expect((await run(['apply', '-f', '-'], { stdin: few })).err).toContain('warning  team: UNKNOWN_FIELD: ');
    const environmentVariables = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`V${n}`, n]));
    const many = document('enc_warned', { dockerImage: 'nginx:1.27.3', environmentVariables });
    const { code, err } = await run(['apply', '-f', '-'], { stdin: many });
    expect(code).toBe(0);
    expect(err.match(/^ {2}warning/gm)).toHaveLength(20);
    expect(err).toMatch(/^… 4\d more warnings; run `enclavectl validate -f FILE` to see all$/m);
  });

  it('writes nothing where one of many documents is invalid, or an id is there twice', async () => {
    const bad = `${document('enc_many1')}\n---\n${document('enc_many2', { memoryMiB: '4GB' })}\n---\nid: [\n`;
    const { code, err } = await run(['apply', '-f', '-'], { stdin: bad });
    expect(code).toBe(1);
    expect(err).toContain('providerConfig.memoryMiB: TYPE');
    expect(err).toContain('SYNTAX');
    const twice = `[${document('enc_many1')},${document('enc_many1')}]`;
    expect((await run(['apply', '-f', '-'], { stdin: twice })).code).toBe(1);
    expect(await stored('enc_many1')).toBeUndefined();
  });
});

describe('commands', () => {
  it.each([
    ['pause', 'DEPLOYED', 'PAUSING'],
    ['resume', 'PAUSED', 'RESUMING'],
    ['delete', 'DEPLOYED', 'PENDING_DESTROY'],
    ['delete', 'PAUSED', 'PENDING_DESTROY'],
    ['delete', 'FAILED', 'PENDING_DESTROY'],
  ])('%s makes %s %s', async (verb, from, to) => {
    const before = record('enc_command', from);
    await put(enclavesTable, before);
    const { code } = await run([verb, 'enc_command', ...(verb === 'delete' ? ['--yes'] : [])]);
    expect(code).toBe(0);
    const after = await stored('enc_command');
    expect(after).toEqual({ ...before, status: to, updatedAt: expect.not.stringMatching(before.updatedAt) });
  });

  it.each([
    ['pause', ['PENDING_DEPLOY', 'DEPLOYING', 'PAUSED', 'PAUSING', 'FAILED', 'DESTROYED', 'PENDING_BUILD']],
    ['resume', ['DEPLOYED', 'RESUMING', 'DESTROYED']],
    ['delete', ['PENDING_DEPLOY', 'DEPLOYING', 'PAUSING', 'PENDING_DESTROY', 'DESTROYING', 'DESTROYED']],
  ])('%s is refused from %j, unless forced', async (verb, statuses) => {
    const yes = verb === 'delete' ? ['--yes'] : [];
    for (const status of statuses) {
      await put(enclavesTable, record('enc_gate', status));
      const { code, err } = await run([verb, 'enc_gate', ...yes]);
      expect([code, status]).toEqual([4, status]);
      expect(err).toContain(`it is ${status}`);
      expect((await stored('enc_gate'))?.status).toBe(status);
    }
    expect((await run([verb, 'enc_gate', '--force', ...yes])).code).toBe(0);
  });

  it('never create a record', async () => {
    expect((await run(['delete', 'enc_nobody', '--yes', '--force'])).code).toBe(1);
    expect(await stored('enc_nobody')).toBeUndefined();
  });

  it('carry out what they can, and exit with the worst', async () => {
    await put(enclavesTable, record('enc_a', 'DEPLOYED'));
    const { code, out, err } = await run(['pause', 'enc_nobody', 'enc_a']);
    expect(code).toBe(1);
    expect(out).toBe('enc_a: pausing\n');
    expect(err).toContain('there is no enclave enc_nobody');
  });
});

describe('requests', () => {
  it.each(['retry', 'adopt'])('%s writes one item for the operator, and touches no record', async (verb) => {
    const id = `enc_${verb}`;
    const before = record(id, 'FAILED');
    await put(enclavesTable, before);
    expect((await run([verb, id])).code).toBe(0);
    const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: toItem({ ':pk': `request#${id}` }) };
    const { Items = [] } = await database.client.send(new QueryCommand({ TableName: stateTable, ...query }));
    const [request] = Items.map(toPlain);
    expect(Items).toHaveLength(1);
    expect(request).toMatchObject({ id, verb, actor: expect.stringContaining('enclavectl'), at: expect.any(String) });
    expect(request?.sk).toBe(request?.key);
    expect(request?.sk).toMatch(/^\d{4}-.*Z-[a-z0-9]{6}$/);
    expect(await stored(id)).toEqual(before);
  });

  it('are not written for an enclave nobody knows', async () => {
    expect((await run(['retry', 'enc_nobody'])).code).toBe(1);
  });
});

describe('get', () => {
  it('prints exactly the promised members', async () => {
    await put(enclavesTable, record('enc_get', 'DEPLOYED'));
    await put(stateTable, lifecycle('enc_get'));
    const clock = { ...systemClock, now: () => Date.parse('2026-01-02T03:05:05.678Z') };
    const { code, out } = await run(['get', 'enc_get', '-o', 'json'], { clock });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      items: [
        {
          id: 'enc_get',
          name: 'name of enc_get',
          desired: 'Running',
          phase: 'ready',
          status: 'DEPLOYED',
          host: 'i-0123456789abcdef0',
          inSync: true,
          ageSeconds: 60,
          message: 'The enclave is running.',
        },
      ],
    });
    expect(parse((await run(['get', 'enc_get', '-o', 'yaml'], { clock })).out)).toEqual(JSON.parse(out));
  });

  it('lists records without lifecycle, and lifecycles whose record is gone until they are destroyed', async () => {
    await put(enclavesTable, record('enc_only_record', 'PENDING_DEPLOY'));
    await put(stateTable, lifecycle('enc_only_lifecycle', { phase: 'destroying', desired: 'Absent' }));
    await put(stateTable, lifecycle('enc_tombstone', { phase: 'destroyed', desired: 'Absent' }));
    const { out } = await run(['get', '-o', 'json']);
    const items = new Map(JSON.parse(out).items.map((item: { id: string }) => [item.id, item]));
    expect(items.get('enc_only_record')).toMatchObject({ status: 'PENDING_DEPLOY', phase: null, inSync: null });
    expect(items.get('enc_only_lifecycle')).toMatchObject({ status: null, phase: 'destroying', desired: 'Absent' });
    expect(items.has('enc_tombstone')).toBe(false);
  });

  it('survives hostile records, and prints no control characters of them', async () => {
    const odd = { id: 'enc_odd', name: { a: [1.5] }, createdAt: 'never', providerConfig: 'text' };
    await put(enclavesTable, odd);
    await put(enclavesTable, record('enc_escape', 'DEPLOYED', { name: '\u001b[2J\u0024{x}`rm`\nnext' }));
    await put(stateTable, { ...keys.lifecycle('enc_odd'), id: 'enc_odd', phase: 'nonsense' });
    const { code, out } = await run(['get']);
    expect(code).toBe(0);
    expect(out).toContain('enc_odd');
    expect(out).toContain('\u0024{x}`rm` next');
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect((await run(['describe', 'enc_odd'])).code).toBe(0);
  });

  it('reads past one page', async () => {
    const padding = 'x'.repeat(100_000);
    const ids = Array.from({ length: 15 }, (_, index) => `enc_page_${index}`);
    const requests = ids.map((id) => ({ PutRequest: { Item: toItem(record(id, 'DEPLOYED', { padding })) } }));
    await database.client.send(new BatchWriteItemCommand({ RequestItems: { [enclavesTable]: requests } }));
    const { Items, LastEvaluatedKey } = await database.client.send(new ScanCommand({ TableName: enclavesTable }));
    expect([Items?.length, LastEvaluatedKey]).not.toContain(undefined);
    const { out } = await run(['get', '-o', 'json']);
    expect(JSON.parse(out).items.filter(({ id }: { id: string }) => ids.includes(id))).toHaveLength(15);
  });

  it('says 1 for an enclave nobody knows, and 2 for a table that is not there', async () => {
    expect(await run(['get', 'enc_nobody'])).toMatchObject({ code: 1, out: '' });
    const { code, err } = await run(['get', '--enclaves-table', 'nowhere']);
    expect(code).toBe(2);
    expect(err).toContain('has no table nowhere');
  });

  it('watches: prints again when something changed, and only then', async () => {
    await put(enclavesTable, record('enc_watch', 'DEPLOYED'));
    const stop = new AbortController();
    const printed: string[] = [];
    let polls = 0;
    const clock = {
      ...systemClock,
      sleep: async () => {
        polls += 1;
        if (polls === 2) await put(enclavesTable, record('enc_watch', 'PAUSING'));
        if (polls === 4) stop.abort();
      },
    };
    const onOut = (text: string) => printed.push(JSON.parse(text).items[0].status);
    await run(['get', 'enc_watch', '-w', '-o', 'json'], { clock, signal: stop.signal, onOut });
    expect(printed).toEqual(['DEPLOYED', 'PAUSING']);
  });
});

describe('describe', () => {
  it('shows spec, phase, conditions, runs, events, and why the next attempt is when it is', async () => {
    const id = 'enc_describe';
    const environmentVariables = { API_URL: 'https://secret.example' };
    await put(enclavesTable, record(id, 'DEPLOYING', { providerConfig: { dockerImage: IMAGE, environmentVariables } }));
    const failure: Failure = {
      class: 'capacity',
      message: 'no m6i.xlarge left',
      fix: 'wait',
      at: '2026-01-02T03:00:00.000Z',
    };
    const attempts = { key: 'generation:1', count: 2 };
    await put(
      stateTable,
      lifecycle(id, { phase: 'backingOff', nextAttemptAt: '2026-01-02T03:14:05.678Z', failure, attempts }),
    );
    const run1 = {
      ...keys.run(id, `e-${id}-abc123-1-deploy`),
      ...{ v: 1, minReader: 1, id, name: `e-${id}-abc123-1-deploy`, action: 'deploy', reason: 'create', generation: 1 },
      requestedAt: '2026-01-02T03:00:00.000Z',
      variables: {
        region: 'r',
        environment: 'e',
        stateKey: 'k',
        stackVersion: 1,
        walletAddress: 'w',
        generation: 1,
        pinned: {},
      },
      outcome: { result: 'failed', class: 'capacity', message: 'no m6i.xlarge left', at: 'x', by: 'runner' },
    };
    await put(historyTable, run1);
    const event = {
      v: 1,
      minReader: 1,
      id,
      at: '2026-01-02T03:00:01.000Z',
      type: 'Warning',
      reason: 'RunFailed',
      message: 'it failed',
      actor: 'operator',
    };
    await put(historyTable, { ...keys.event(id, `${event.at}-aaaaaa`), ...event });
    const clock = { ...systemClock, now: () => Date.parse('2026-01-02T03:04:05.678Z') };
    const { code, out } = await run(['describe', id], { clock });
    expect(code).toBe(0);
    expect(out).toMatch(/^Phase: +backingOff for 0s$/m);
    expect(out).toMatch(/^Next attempt: +in 10m \(2026.*\), because the last one failed: capacity$/m);
    expect(out).toMatch(/^Attempts: +2 failed/m);
    expect(out).toMatch(/instanceType: m6i\.xlarge/);
    expect(out).toMatch(/InSync +True +HostRunning/);
    expect(out).toMatch(/e-enc_describe-abc123-1-deploy +create +1 .*failed +capacity: no m6i\.xlarge left/);
    expect(out).toMatch(/Warning +RunFailed +it failed/);
    expect(out).not.toContain('secret.example');

    const events = await run(['events', id, '-o', 'json']);
    expect(JSON.parse(events.out)).toMatchObject(event);
    expect((await run(['events'])).out).toContain('RunFailed');
  });

  it('shows the registers that can be computed, and what each is computed from', async () => {
    const id = 'enc_measured';
    await put(enclavesTable, record(id, 'DEPLOYED'));
    await put(stateTable, lifecycle(id));
    const role = `arn:aws:iam::123456789012:role/treza-test-enclaves/treza-enclave-instance-role-${id}`;
    await put(stateTable, {
      ...keys.lock(id),
      run: 'r',
      state: 'claimed',
      executionArn: 'arn:aws:states:us-west-2:123456789012:execution:treza-dev-deployment:r',
    });
    // Enough of them that the database, whose maps have no order, hardly gives them sorted by chance.
    const registers = ['PCR0', 'PCR1', 'PCR2', 'PCR5', 'PCR6', 'PCR7', 'PCR8'];
    const measurements = Object.fromEntries(registers.map((register) => [register, 'ab']));
    const instanceId = 'i-0123456789abcdef0';
    const report = { instanceId, bootId: 'b', sequence: 1, appliedGeneration: 1, at: 'x', enclaves: [] };
    await put(stateTable, { ...keys.report(id, instanceId), v: 1, minReader: 1, id, ...report, measurements });
    const { out } = await run(['describe', id]);
    expect(out.match(/PCR\d(?=: +ab\n)/g)).toEqual(registers);
    expect(out).toMatch(new RegExp(`PCR3: +${pcr3OfRole(role)}\n +of the role: +${role}\n`));
    expect(out).toMatch(
      new RegExp(`PCR4: +${pcr4OfInstance('i-0123456789abcdef0')}\n +of the host: +i-0123456789abcdef0\n`),
    );
  });

  it('shows the report of the host, and nothing else that a host has written beside it', async () => {
    const id = 'enc_flooded';
    await put(enclavesTable, record(id, 'DEPLOYED'));
    await put(stateTable, lifecycle(id));
    const instanceId = 'i-0123456789abcdef0';
    const report = { v: 1, minReader: 1, id, bootId: 'b', sequence: 1, appliedGeneration: 1, at: 'x', enclaves: [] };
    for (const each of [instanceId, 'i-other'])
      await put(stateTable, { ...keys.report(id, each), ...report, instanceId: each });
    await put(stateTable, { ...lifecycle('enc_forged'), ...keys.report(id, 'lifecycle') });
    const { out } = await run(['describe', id]);
    expect(out.match(/Report of \S+/g)).toEqual([`Report of ${instanceId}`]);
    expect((await run(['get'])).out).not.toContain('enc_forged');
  });

  it('computes no register of an account or a host it does not know', async () => {
    const id = 'enc_unmeasured';
    await put(enclavesTable, record(id, 'PENDING_DEPLOY'));
    const { out } = await run(['describe', id]);
    expect(out).toMatch(/PCR3: +not known: .*ENCLAVE_OPERATOR_ACCOUNT_ID/);
    expect(out).toMatch(/PCR4: +not known: there is no host yet/);
    const env = { ENCLAVE_OPERATOR_ACCOUNT_ID: '123456789012' };
    const role = `arn:aws:iam::123456789012:role/treza-test-enclaves/treza-enclave-instance-role-${id}`;
    expect((await run(['describe', id], { env })).out).toContain(pcr3OfRole(role));
  });

  it('shows of the policy what is not the default', async () => {
    const id = 'enc_policy';
    const clock = { ...systemClock, now: () => Date.parse('2026-01-02T03:04:05.678Z') };
    const policyOf = async (policy: object | undefined) => {
      await put(enclavesTable, record(id, 'DEPLOYED', policy === undefined ? {} : { policy }));
      const { out } = await run(['describe', id], { clock });
      return /\nPolicy:\n((?: {2}.*\n)+)/.exec(out)?.[1];
    };
    expect(await policyOf(undefined)).toBeUndefined();
    expect(await policyOf({ deletionPolicy: 'Delete' })).toBeUndefined();
    expect(await policyOf({ suspend: { reason: 'incident 4711', until: '2026-01-03T00:00:00Z' } })).toMatch(
      /^ {2}Suspended: +incident 4711; until 2026-01-03T00:00:00Z\n$/,
    );
    expect(await policyOf({ suspend: { reason: 'audit', actor: 'ops' } })).toMatch(
      /Suspended: +audit \(by ops\); until/,
    );
    expect(await policyOf({ suspend: { reason: 'x', until: '2026-01-01T00:00:00Z' } })).toMatch(
      /no more, since 2026-01-01/,
    );
    const maintenanceWindow = { cron: '0 3 * * 6', tz: 'Europe/Berlin' };
    const more = { deletionPolicy: 'Retain', maintenanceWindow, dependsOn: ['enc_other'] };
    const shown = await policyOf(more);
    expect(shown).toMatch(/Deletion: +Retain: deleting leaves the resources in AWS\n/);
    expect(shown).toMatch(
      /Window: +0 3 \* \* 6 \(Europe\/Berlin\) for 60 min; closed; opens 2026-01-03T02:00:00\.000Z\n/,
    );
    expect(shown).toMatch(/dependsOn:\n +- enc_other\n/);
    // What cannot be read holds the enclave: the command must not show it as free.
    expect(await policyOf({ suspend: 7 })).toMatch(/Suspended: +policy\.suspend cannot be read/);
  });

  it('follows events across polls without losing or repeating one', async () => {
    const id = 'enc_events';
    const event = (at: string, message: string) =>
      put(historyTable, {
        ...keys.event(id, `${at}-${message}`),
        ...{ v: 1, minReader: 1, id, at, type: 'Normal', reason: 'Test', message, actor: 'operator' },
      });
    await event('2026-01-02T03:00:01.000Z', 'first');
    const stop = new AbortController();
    let polls = 0;
    const clock = {
      ...systemClock,
      sleep: async () => {
        polls += 1;
        if (polls === 1) await event('2026-01-02T03:00:02.000Z', 'second');
        // Written late, by a writer whose clock is behind.
        if (polls === 2) await event('2026-01-02T03:00:00.500Z', 'late');
        if (polls === 4) stop.abort();
      },
    };
    const { out } = await run(['events', id, '-f', '-o', 'json'], { clock, signal: stop.signal });
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).message),
    ).toEqual(['first', 'second', 'late']);
  });
});

describe('a reference that the environment does not allow', () => {
  const id = 'enc_reference';
  const secretArn = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:a-AbCdEf';
  const providerConfig = { dockerImage: 'nginx:1.27.3', secrets: [{ name: 'KEY', secretArn }] };
  const applied = parseSpec(
    { id, walletAddress: OWNER, region: 'us-west-2', providerConfig },
    {
      regions: [],
      defaultRegion: 'us-west-2',
      environment: 'dev',
    },
  );
  const document = (more: object) => JSON.stringify({ id, walletAddress: OWNER, providerConfig, ...more });

  it('is refused in a new record and in an edit, and stays with what is applied', async () => {
    const fresh = await run(['apply', '-f', '-'], { stdin: document({}) });
    expect(fresh).toMatchObject({ code: 1, err: expect.stringContaining('REFERENCE_NOT_ALLOWED') });
    if (!applied.ok) throw new Error(JSON.stringify(applied.errors));
    await put(enclavesTable, record(id, 'DEPLOYED', { providerConfig }));
    await put(stateTable, lifecycle(id, { applied: { ...applied.spec }, specHash: specHash(applied.spec) }));

    const suspended = document({ policy: { suspend: { reason: 'incident' } } });
    const difference = await run(['diff', '-f', '-', '-o', 'json'], { stdin: suspended });
    expect(JSON.parse(difference.out)).toMatchObject([{ verdict: 'differs', fields: ['policy'], class: 'none' }]);
    const kept = await run(['apply', '-f', '-'], { stdin: suspended });
    expect(kept).toMatchObject({ code: 0, out: `${id}: updated (policy)\n` });
    expect(kept.err).toContain('warning  providerConfig.secrets: REFERENCE_NOT_ALLOWED');

    const edited = document({ providerConfig: { ...providerConfig, memoryMiB: 2048 } });
    expect(await run(['apply', '-f', '-'], { stdin: edited })).toMatchObject({ code: 1, out: '' });
    expect(await stored(id)).toMatchObject({ providerConfig });
  });
});

describe('diff', () => {
  const diff = async (stdin: string) => {
    const { code, out } = await run(['diff', '-f', '-', '-o', 'json'], { stdin });
    return { code, answers: JSON.parse(out) };
  };
  const config = { dockerImage: 'nginx:1.27.3', cpuCount: '2', memoryMiB: '1024' };

  it.each([
    ['the same', {}, { verdict: 'same', class: 'none' }, 0],
    ['another spelling of the same', { cpuCount: 2 }, { verdict: 'differs', class: 'none', changes: [] }, 1],
    ['another interval', { healthCheckInterval: 60 }, { class: 'inPlace' }, 1],
    ['more memory', { memoryMiB: '2048' }, { class: 'enclaveRestart' }, 1],
    ['a larger host', { instanceType: 'm6i.2xlarge' }, { class: 'stopStart' }, 1],
    ['another architecture', { instanceType: 'c7g.xlarge' }, { class: 'replace' }, 1],
    ['nonsense', { memoryMiB: '4GB' }, { verdict: 'invalid', class: null }, 1],
  ])('tells what %s does', async (_name, change, expected, exitCode) => {
    const before = record('enc_diff', 'DEPLOYED');
    await put(enclavesTable, before);
    const { code, answers } = await diff(JSON.stringify({ ...before, providerConfig: { ...config, ...change } }));
    expect(answers).toMatchObject([{ id: 'enc_diff', ...expected }]);
    expect(code).toBe(exitCode);
    expect(await stored('enc_diff')).toEqual(before);
  });

  it('says which documents would be created, and that a region never changes', async () => {
    await put(enclavesTable, record('enc_diff', 'DEPLOYED'));
    const moved = JSON.stringify(record('enc_diff', 'DEPLOYED', { region: 'eu-west-1' }));
    const { code, answers } = await diff(`[${document('enc_diff_new')},${moved}]`);
    expect(code).toBe(1);
    expect(answers).toMatchObject([
      { verdict: 'new' },
      { verdict: 'invalid', errors: [{ code: 'IMMUTABLE_CHANGED', field: 'region' }] },
    ]);
  });
});

describe('every write is conditional on what was read', () => {
  const target = () => {
    const loaded = loadConfig({ env: {}, flags: { environment: 'test' } });
    if (!loaded.ok) throw new Error('the configuration is wrong');
    return { config: loaded.config, endpoint: database.url, local: undefined };
  };

  it('leaves a record alone that changed, or vanished, or came into being meanwhile', async () => {
    const store = openStore(target());
    await put(enclavesTable, record('enc_race', 'DEPLOYED'));
    const read = { status: 'DEPLOYED', createdAt: '2026-01-02T03:04:05.678Z' };
    const set = { status: 'PAUSING' };
    for (const stale of [
      { ...read, status: 'PAUSED' },
      { ...read, createdAt: undefined },
      { ...read, name: 'other' },
    ]) {
      expect(await store.update('enc_race', set, stale)).toBe('conflict');
    }
    expect(await store.update('enc_vanished', set, {})).toBe('conflict');
    expect(await store.create(record('enc_race', 'PENDING_DEPLOY'))).toBe('exists');
    expect(await stored('enc_race')).toEqual(record('enc_race', 'DEPLOYED'));
    expect(await stored('enc_vanished')).toBeUndefined();
    expect(await store.update('enc_race', set, read)).toBe('updated');
    store.close();
  });
});
