/** Configuration: layers, sources, and every error at once. */
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/cli/config.ts';
import type { ConfigProblem } from '../../../src/cli/config-checks.ts';
import { CONFIG_KEYS, variableOf } from '../../../src/cli/config-keys.ts';
import { ConfigSchema } from '../../../src/reconciler/config.ts';

function problems(input: Parameters<typeof loadConfig>[0]): readonly ConfigProblem[] {
  const loaded = loadConfig(input);
  return loaded.ok ? [] : loaded.problems;
}

function settings(input: Parameters<typeof loadConfig>[0]): Record<string, { value: unknown; source: string }> {
  const loaded = loadConfig(input);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return Object.fromEntries(loaded.settings.map(({ key, value, source }) => [key, { value, source }]));
}

describe('configuration', () => {
  it("is the schema's own defaults where nothing is set", () => {
    const loaded = loadConfig({ env: {} });
    expect(loaded.ok && loaded.config).toEqual(ConfigSchema.parse({}));
    expect(loaded.ok && new Set(loaded.settings.map(({ source }) => source))).toEqual(new Set(['default']));
  });

  it('takes a flag over the environment over the file over the default, and says which', () => {
    const file = { name: 'operator.yaml', text: 'region: eu-west-1\nmaxRuns: 3\nworkers: 4\n' };
    const env = { ENCLAVE_OPERATOR_MAX_RUNS: '5', ENCLAVE_OPERATOR_REGION: 'eu-west-2' };
    expect(settings({ env, file, flags: { region: 'us-east-1' } })).toMatchObject({
      region: { value: 'us-east-1', source: '--region' },
      maxRuns: { value: 5, source: 'ENCLAVE_OPERATOR_MAX_RUNS' },
      workers: { value: 4, source: 'file operator.yaml' },
      repairAttempts: { value: 3, source: 'default' },
    });
  });

  it('reads JSON as well as YAML', () => {
    const file = { name: 'operator.json', text: '{"maxRuns": 7, "regions": ["us-west-2", "eu-west-1"]}' };
    expect(settings({ env: {}, file })).toMatchObject({
      maxRuns: { value: 7 },
      regions: { value: ['us-west-2', 'eu-west-1'] },
    });
  });

  it('falls back to AWS_REGION, which the file and the variable of its own override', () => {
    const env = { AWS_REGION: 'eu-west-1' };
    const file = { name: 'f', text: 'region: eu-west-3' };
    expect(settings({ env }).region).toEqual({ value: 'eu-west-1', source: 'AWS_REGION' });
    expect(settings({ env, file }).region).toEqual({ value: 'eu-west-3', source: 'file f' });
    expect(settings({ env: { ...env, ENCLAVE_OPERATOR_REGION: 'eu-west-2' } }).region?.value).toBe('eu-west-2');
  });

  it('derives names from the environment and the prefix, unless they are set', () => {
    const env = { ENCLAVE_OPERATOR_ENVIRONMENT: 'prod', ENCLAVE_OPERATOR_CLUSTER: 'shared' };
    expect(settings({ env })).toMatchObject({
      prefix: { value: 'treza-prod', source: 'derived from environment' },
      enclavesTable: { value: 'treza-enclaves-prod', source: 'derived from environment' },
      stateTable: { value: 'treza-prod-operator-state', source: 'derived from prefix' },
      historyTable: { value: 'treza-prod-operator-history', source: 'derived from prefix' },
      cluster: { value: 'shared', source: 'ENCLAVE_OPERATOR_CLUSTER' },
    });
    expect(settings({ env: { ENCLAVE_OPERATOR_PREFIX: 'acme' } }).stateTable?.value).toBe('acme-operator-state');
  });

  it('takes an empty variable for one that is not set', () => {
    expect(settings({ env: { ENCLAVE_OPERATOR_MAX_RUNS: '' } }).maxRuns).toEqual({ value: 16, source: 'default' });
  });

  it('takes true and false, in the file and in the environment, and nothing like them', () => {
    for (const [value, read] of [
      ['true', true],
      ['false', false],
    ] as const) {
      expect(settings({ env: { ENCLAVE_OPERATOR_OBSERVE_ONLY: value } }).observeOnly?.value).toBe(read);
      const file = { name: 'f.yaml', text: `observeOnly: ${value}` };
      expect(settings({ env: {}, file }).observeOnly?.value).toBe(read);
    }
    for (const value of ['yes', '1', 'TRUE']) {
      expect(problems({ env: { ENCLAVE_OPERATOR_OBSERVE_ONLY: value } })).toMatchObject([
        { key: 'observeOnly', fix: 'set true or false' },
      ]);
    }
  });

  it('splits a comma list of regions', () => {
    const env = { ENCLAVE_OPERATOR_REGIONS: 'us-west-2, eu-west-1,' };
    expect(settings({ env }).regions?.value).toEqual(['us-west-2', 'eu-west-1']);
  });

  it('reports all errors of all sources at once', () => {
    const found = problems({
      env: {
        ENCLAVE_OPERATOR_MAXRUNS: '3',
        ENCLAVE_OPERATOR_WORKERS: 'lots',
        ENCLAVE_OPERATOR_LOG_LEVEL: 'loud',
        ENCLAVE_OPERATOR_LEASE_MS: '7',
      },
      file: { name: 'f.yaml', text: 'histroyDays: 4\nhttpPort: 70000\n' },
    });
    expect(found.map(({ key, source }) => `${key} (${source})`)).toEqual([
      'histroyDays (file f.yaml)',
      'ENCLAVE_OPERATOR_MAXRUNS (environment)',
      'httpPort (file f.yaml)',
      'logLevel (ENCLAVE_OPERATOR_LOG_LEVEL)',
      'workers (ENCLAVE_OPERATOR_WORKERS)',
      'leaseStepDownMs (default)',
    ]);
    expect(found.map(({ fix }) => fix).slice(0, 2)).toEqual([
      'did you mean historyDays?',
      'did you mean ENCLAVE_OPERATOR_MAX_RUNS?',
    ]);
    expect(found.at(-1)?.reason).toContain('ENCLAVE_OPERATOR_LEASE_MS');
  });

  it.each([
    ['ENCLAVE_OPERATOR_MAX_RUNS', '1.5', 'a fraction'],
    ['ENCLAVE_OPERATOR_MAX_RUNS', '1e3', 'an exponent'],
    ['ENCLAVE_OPERATOR_MAX_RUNS', '-1', 'below the range'],
    ['ENCLAVE_OPERATOR_MAX_RUNS', '10001', 'above the range'],
    ['ENCLAVE_OPERATOR_MAX_RUNS', ' ', 'a blank, which Number() takes for 0'],
    ['ENCLAVE_OPERATOR_RELIST_MS', '0', 'a busy loop'],
    ['ENCLAVE_OPERATOR_PREFIX', 'a b', 'a character no name may have'],
    ['ENCLAVE_OPERATOR_ACCOUNT_ID', '12345', 'not 12 digits'],
    ['ENCLAVE_OPERATOR_NOTIFY_TOPIC_ARN', 'alarms', 'a name is no ARN'],
    ['ENCLAVE_OPERATOR_NOTIFY_TOPIC_ARN', 'arn:aws:sns:us-west-2:123456789012:alarms.fifo', 'a FIFO topic'],
    ['ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL', 'http://hooks.example.com/x', 'alarms in the clear'],
    ['ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL', 'http://localhost.example.com/x', 'only looks like this machine'],
    ['ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL', 'https://me:secret@hooks.example.com/', 'a password that would be shown'],
    ['ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL', 'file:///etc/passwd', 'no place to post to'],
    ['ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL', 'hooks.example.com', 'no URL'],
    ['ENCLAVE_OPERATOR_REGIONS', 'eu-west-1', 'leaves out the region of records that name none'],
  ])('refuses %s=%j: %s', (variable, value) => {
    expect(problems({ env: { [variable]: value } })).toMatchObject([{ source: variable }]);
  });

  it.each(['https://hooks.example.com/x?team=1', 'http://localhost:8080/x', 'http://127.0.0.1/x', 'http://[::1]:9/x'])(
    'takes the webhook %s',
    (url) => {
      expect(settings({ env: { ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL: url } }).notifyWebhookUrl?.value).toBe(url);
    },
  );

  it('takes the secret of the webhook from the environment alone, and never lists it', () => {
    const secret = 'a secret of thirty-two characters, at least';
    const env = { ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_SECRET: secret };
    expect(JSON.stringify(loadConfig({ env }))).not.toContain(secret);
    expect(loadConfig({ env }).ok).toBe(true);
    const text = `notifyWebhookSecret: ${secret}`;
    const refused = problems({ env: {}, file: { name: 'f', text } });
    expect(refused).toMatchObject([{ key: 'notifyWebhookSecret', reason: 'is not a setting of this version' }]);
    expect(JSON.stringify(refused)).not.toContain(secret);
  });

  it.each([
    ['maxRuns: true', 'Number(true) is 1'],
    ['maxRuns: null', 'Number(null) is 0'],
    ['maxRuns: [3]', 'Number([3]) is 3'],
    ['accountId: 123456789012', 'a number has no leading zeros'],
    ['- maxRuns', 'not a map'],
    ['maxRuns: [', 'not YAML'],
  ])('refuses the file %j: %s', (text) => {
    expect(problems({ env: {}, file: { name: 'f', text } })).toHaveLength(1);
  });

  it.each([
    ['leaseRenewMs', 'leaseStepDownMs'],
    ['leaseStepDownMs', 'leaseMs'],
    ['retryBaseMs', 'retryMaxMs'],
    ['errorBackoffBaseMs', 'errorBackoffMaxMs'],
    ['feedIdleMinMs', 'feedIdleMaxMs'],
  ] as const)('refuses %s above %s', (less, more) => {
    const found = problems({ env: { [variableOf(less)]: '900000', [variableOf(more)]: '800000' } });
    expect(found.map(({ key }) => key)).toContain(less);
  });

  it('has a variable of its own for every key', () => {
    expect(new Set(CONFIG_KEYS.map(variableOf)).size).toBe(CONFIG_KEYS.length);
    expect(variableOf('attemptsPerGeneration')).toBe('ENCLAVE_OPERATOR_ATTEMPTS_PER_GENERATION');
  });
});
