/** Preflight: each thing that must hold, holding and not; and what the command says of it. */
import { describe, expect, it } from 'vitest';
import { namesOf } from '../../../infra/platform/names.ts';
import { operatorStatements } from '../../../infra/platform/roles/operator.ts';
import { report } from '../../../src/cli/commands/preflight.ts';
import { CALLS, type Installation, preflight, type TableView } from '../../../src/preflight/preflight.ts';
import { ConfigSchema } from '../../../src/reconciler/config.ts';
import { OperatorError } from '../../../src/reconciler/ports/index.ts';
import { takenOver } from '../../support/platform.ts';

const CONFIG = ConfigSchema.parse({ accountId: '123456789012', stateBucket: 'states', attestationTrail: true });
const STREAM = 'arn:aws:dynamodb:us-west-2:123456789012:table/treza-enclaves-dev/stream/2030';

/** What preflight learns all it looks up by, of what the operator is granted. */
const LOOKED_UP: ReadonlySet<string> = new Set(['dynamodb:DescribeTable', 'states:ListExecutions', 's3:ListBucket']);
const SAME = 'stands in one statement with what is tried';
const ONE = 'needs a host or a role of an enclave; denied, it only makes that part of `enclavectl drift ID` Unknown';
const UNTRIED: Readonly<Record<string, string>> = {
  'aps:RemoteWrite': 'is the collector’s',
  'dynamodb:ConditionCheckItem': SAME,
  'dynamodb:DeleteItem': SAME,
  'dynamodb:DescribeStream': 'is a step of reading the stream',
  'dynamodb:GetItem': SAME,
  'dynamodb:GetShardIterator': 'is a step of reading the stream',
  'dynamodb:Query': SAME,
  'dynamodb:Scan': SAME,
  'ec2:DescribeInstanceAttribute': ONE,
  'iam:GetRole': ONE,
  'iam:GetRolePolicy': ONE,
  'iam:ListAttachedRolePolicies': ONE,
  'iam:ListRolePolicies': ONE,
  'sns:Publish': 'somebody would be told',
};

const table = (...key: string[]): TableView => ({ key, streamArn: STREAM, view: 'NEW_AND_OLD_IMAGES' });

/** An account that is ready, but for what a test says. */
function account(changes: Partial<Installation> = {}): Installation {
  return {
    table: async (name) => {
      if (name === CONFIG.enclavesTable) return table('id');
      return name === CONFIG.stateTable ? { ...table('pk', 'sk'), view: 'KEYS_ONLY' } : table('pk', 'sk');
    },
    mappings: async () => [{ functionName: 'treza-dev-enclave-trigger', isOff: true }],
    rules: async () => [{ name: 'treza-dev-status-monitor-schedule', isOff: true }],
    machine: async () => ({ running: [] }),
    cluster: async () => 'there',
    states: async () => 'there',
    permission: async () => 'allowed',
    ...changes,
  };
}
const troubles = async (changes: Partial<Installation>) =>
  (await preflight(account(changes), CONFIG)).filter(({ verdict }) => verdict !== 'pass');

describe('preflight', () => {
  it('finds nothing wrong with an account that is ready', async () => {
    const findings = await preflight(account(), CONFIG);
    expect(findings.map(({ verdict }) => verdict)).toEqual(findings.map(() => 'pass'));
    for (const call of CALLS) expect(findings).toContainEqual({ verdict: 'pass', what: `${call} is allowed` });
  });

  const ours = (view: TableView | 'missing' | 'denied') => async (name: string) =>
    name === CONFIG.enclavesTable ? view : table('pk', 'sk');
  const own = (view: TableView | 'missing' | 'denied') => async (name: string) =>
    name === CONFIG.historyTable ? view : name === CONFIG.enclavesTable ? table('id') : table('pk', 'sk');
  const reading =
    (...names: string[]) =>
    async () =>
      names.map((functionName) => ({ functionName, isOff: false }));

  it.each<[Partial<Installation>, string, string]>([
    [{ table: ours('missing') }, 'table treza-enclaves-dev does not exist', '--enclaves-table'],
    [{ table: ours('denied') }, 'table treza-enclaves-dev cannot be seen', 'dynamodb:DescribeTable'],
    [{ table: ours(table('pk', 'sk')) }, 'table treza-enclaves-dev has the key pk, sk, not id', 'name'],
    [{ table: ours({ ...table('id'), streamArn: undefined }) }, 'table treza-enclaves-dev has no stream', 'switch on'],
    [
      { table: ours({ ...table('id'), view: 'KEYS_ONLY' }) },
      'the stream of treza-enclaves-dev holds KEYS_ONLY',
      'make',
    ],
    [
      { table: ours({ ...table('id'), streamArn: STREAM.replace('123456789012', '999999999999') }) },
      'accountId is 123456789012, and these credentials are of 999999999999',
      'accountId',
    ],
    [
      { table: own({ ...table('pk', 'sk'), view: 'KEYS_ONLY' }) },
      'the stream of treza-dev-operator-history holds KEYS_ONLY',
      'make',
    ],
    [{ table: own('missing') }, 'table treza-dev-operator-history does not exist', 'docs/platform.md'],
    [
      { mappings: reading('treza-dev-enclave-trigger') },
      'treza-dev-enclave-trigger still starts runs from the stream',
      'docs/migrate.md',
    ],
    [
      { mappings: reading('search', 'audit') },
      'search, audit read the stream: with the operator more than two',
      'feed',
    ],
    [{ mappings: async () => 'denied' }, 'who reads the stream cannot be seen', 'lambda:ListEventSourceMappings'],
    [
      { rules: async () => [{ name: 'every-two-minutes', isOff: false }] },
      'every-two-minutes still calls treza-dev-status-monitor',
      'disable the rule',
    ],
    [{ rules: async () => 'denied' }, 'what calls treza-dev-status-monitor cannot be seen', 'events:DescribeRule'],
    [{ cluster: async () => 'missing' }, 'cluster treza-dev-infrastructure does not exist', 'deploy'],
    [{ cluster: async () => 'denied' }, 'cluster treza-dev-infrastructure cannot be seen', 'ecs:DescribeClusters'],
    [
      { machine: async (action) => (action === 'deploy' ? 'missing' : { running: [] }) },
      'state machine treza-dev-deployment does not exist',
      '--prefix',
    ],
    [
      { machine: async (action) => (action === 'deploy' ? { running: [] } : { running: ['cleanup-enc_1-17'] }) },
      '1 runs of the old pipeline are under way in treza-dev-cleanup: cleanup-enc_1-17',
      'wait',
    ],
    [
      { machine: async (action) => (action === 'drift' ? 'denied' : { running: [] }) },
      'state machine treza-dev-drift cannot be seen',
      'states:ListExecutions',
    ],
    [{ states: async () => 'missing' }, 'bucket states of Terraform states does not exist in us-west-2', 'stateBucket'],
    [{ states: async () => 'denied' }, 'bucket states of Terraform states cannot be seen', 's3:ListBucket'],
    [
      { permission: async (call) => (call === 'ec2:StopInstances' ? 'denied' : 'allowed') },
      'ec2:StopInstances is refused to these credentials',
      'policy',
    ],
  ])('fails for one reason, and says what helps: %#', async (changes, what, fix) => {
    const found = await troubles(changes);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ verdict: 'fail', fix: expect.stringContaining(fix) });
    expect(found[0]?.what).toContain(what);
  });

  it('fails nothing for what comes with the platform, and names it', async () => {
    const missing = await troubles({ machine: async (action) => (action === 'drift' ? 'missing' : { running: [] }) });
    expect(missing).toEqual([
      {
        verdict: 'unsure',
        what: 'state machine treza-dev-drift does not exist',
        fix: expect.stringContaining('comes with the platform'),
      },
    ]);
    const unnamed = await preflight(account(), { ...CONFIG, stateBucket: '' });
    expect(unnamed.filter(({ verdict }) => verdict !== 'pass')).toEqual([
      {
        verdict: 'unsure',
        what: 'no bucket of Terraform states is named',
        fix: expect.stringContaining('stateBucket'),
      },
    ]);
  });

  it('tries to look up attestations only where the operator would', async () => {
    const tried = async (attestationTrail: boolean) =>
      (await preflight(account(), { ...CONFIG, attestationTrail })).map(({ what }) => what);
    expect(await tried(true)).toContain('cloudtrail:LookupEvents is allowed');
    expect(await tried(false)).not.toContain('cloudtrail:LookupEvents is allowed');
  });

  it('tries every call the operator is granted, but for those that are named here', () => {
    const config = { ...takenOver, operator: { ...takenOver.operator, attestationTrail: true } };
    const granted = new Set(operatorStatements(config, namesOf(config)).flatMap(({ actions }) => actions));
    const tried = new Set(CALLS.map((call) => call.split(' ')[0] ?? ''));
    const untried = [...granted].filter((action) => !tried.has(action) && !LOOKED_UP.has(action));
    expect(untried.sort()).toEqual(Object.keys(UNTRIED).sort());
    expect([...tried].filter((action) => !granted.has(action))).toEqual([]);
  });

  it('takes one other reader, and executions of our own', async () => {
    expect(await troubles({ mappings: reading('audit') })).toEqual([]);
    const running = ['e-enc_1755986905612_ouocac870-k3x9qa-1-deploy'];
    expect(await troubles({ machine: async () => ({ running }) })).toEqual([]);
  });
});

describe('enclavectl preflight', () => {
  async function said(changes: Partial<Installation>, output: 'table' | 'json' = 'table') {
    const [out, err]: [string[], string[]] = [[], []];
    const io = { out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) };
    const code = await report(io, account(changes), CONFIG, output);
    return { code, out: out.join(''), err: err.join('') };
  }

  it('ends with 0 where all holds, also where something could not be tried', async () => {
    expect((await said({})).code).toBe(0);
    const { code, out, err } = await said({ permission: async () => 'unsure' });
    expect(code).toBe(0);
    expect(out).toMatch(/^\? {5}ssm:SendCommand could not be tried: compare/m);
    expect(err).toContain(`${CALLS.length} to look at yourself`);
  });

  it('ends with 1, a line for what fails, and the fix', async () => {
    const { code, out, err } = await said({ cluster: async () => 'missing' });
    expect(code).toBe(1);
    expect(out).toMatch(/^FAIL {2}cluster treza-dev-infrastructure does not exist: deploy the platform/m);
    expect(out).toMatch(/^pass {2}table treza-enclaves-dev exists$/m);
    expect(err).toMatch(/1 failed\n$/);
  });

  it('prints JSON', async () => {
    const { out } = await said({ cluster: async () => 'missing' }, 'json');
    expect(JSON.parse(out)).toContainEqual(expect.objectContaining({ verdict: 'fail' }));
  });

  it('ends with 3 where AWS does not answer', async () => {
    const away = async () => {
      throw new OperatorError('Transient', 'dynamodb:DescribeTable', 'ECONNREFUSED');
    };
    await expect(said({ table: away })).rejects.toMatchObject({ exitCode: 3 });
  });
});
