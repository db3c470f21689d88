/** Defects of the pipeline this one replaces, which docs/incumbent-defects.md numbers: what its parts must never have again. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { synthesizeEnclave } from '../../../infra/enclave/index.ts';
import { placeOf } from '../../../infra/enclave/place.ts';
import { logPolicy } from '../../../infra/enclave/role-policies.ts';
import type { PlacedConfig } from '../../../infra/platform/index.ts';
import { environmentConfig, namesOf, placed } from '../../../infra/platform/index.ts';
import { driftWorkflow, workflow } from '../../../infra/workflows/index.ts';
import { CONFIG_KEYS } from '../../../src/cli/config-keys.ts';
import { ENCLAVE_ID, FACTS, optionsOf, specOf, variablesOf } from '../../support/enclave-stack.ts';
import { ACCOUNT, build, configs, takenOver } from '../../support/platform.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const prod = placed(environmentConfig('prod'), ACCOUNT);
const folder = mkdtempSync(join(tmpdir(), 'defects-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FOLDERS = ['.ci', '.github', 'bin', 'docs', 'examples', 'infra', 'runner', 'schema', 'scripts', 'src', 'test'];

/** Every text file of the project's own. */
const files = [
  ...readdirSync(ROOT, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : [])),
  ...FOLDERS.flatMap((under) =>
    readdirSync(join(ROOT, under), { recursive: true, withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? [relative(ROOT, join(entry.parentPath, entry.name))] : [],
    ),
  ),
].filter((path) => !/(^|\/)(node_modules|\.terraform)\//.test(path));
const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const sources = (under: string) =>
  readdirSync(join(ROOT, under), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(under, name));

describe.each(configs)('the platform of %s', (_, config) => {
  const { terraform, policies } = build(config);

  it('lets the operator alone write the enclaves table: neither runs nor workflows can', () => {
    const table = namesOf(config).tableArn(config.enclavesTable);
    const writers = [...policies].flatMap(([at, statements]) =>
      statements.some(
        (statement) =>
          JSON.stringify(statement).includes(`${table}"`) &&
          /dynamodb:(Put|Update|Delete)Item/.test(JSON.stringify(statement)),
      )
        ? [at]
        : [],
    );
    expect(writers).toEqual(['aws_iam_role_policy.operator-policy']);
    const statement = policies
      .get('aws_iam_role_policy.operator-policy')
      ?.find((each) => JSON.stringify(each).includes(`${table}"`));
    expect(JSON.stringify(statement)).not.toMatch(/PutItem|DeleteItem/);
  });

  it('has an action for every alarm, and watches every state machine for the first bad period', () => {
    const alarms = Object.values(terraform.resource.aws_cloudwatch_metric_alarm ?? {});
    const topic = '${aws_sns_topic.alarms.arn}';
    for (const alarm of alarms) expect(alarm.alarm_actions, String(alarm.alarm_name)).toEqual([topic]);
    for (const metric of ['ExecutionsFailed', 'ExecutionsTimedOut']) {
      const watched = alarms.filter(({ metric_name }) => metric_name === metric);
      expect(
        watched.map(({ dimensions }) => (dimensions as { StateMachineArn: string }).StateMachineArn).sort(),
      ).toEqual((['deploy', 'destroy', 'drift'] as const).map(namesOf(config).machineArn).sort());
      for (const { evaluation_periods } of watched) expect(evaluation_periods).toBe(1);
    }
  });

  it('runs the very documents that are tested, with no export of them beside', () => {
    for (const machine of Object.values(terraform.resource.aws_sfn_state_machine ?? {})) {
      const deployed = JSON.parse(String(machine.definition)) as { readonly StartAt: string; readonly States: object };
      const tested = [workflow('deploy', PARAMETERS), workflow('destroy', PARAMETERS), driftWorkflow(PARAMETERS)];
      expect(tested.map(({ States }) => JSON.stringify(Object.keys(States)))).toContain(
        JSON.stringify(Object.keys(deployed.States)),
      );
    }
    expect(files.filter((path) => path.endsWith('.json') && textOf(path).includes('"StartAt"'))).toEqual([]);
  });

  it('has no function that something else would have to build', () => {
    expect(terraform.resource).not.toHaveProperty('aws_lambda_function');
    expect(terraform.resource).not.toHaveProperty('aws_lambda_event_source_mapping');
  });
});

const PARAMETERS = {
  stateTable: 's',
  historyTable: 'h',
  cluster: 'c',
  taskDefinition: 't',
  containerName: 'n',
  subnets: [],
  securityGroups: [],
};

describe('names of an environment', () => {
  it('of dev stand in nothing that is built for another', () => {
    expect(JSON.stringify(build(prod).terraform)).not.toMatch(/treza-dev|treza-enclaves-dev/);
  });

  it('of dev stand in no program but as defaults of the configuration', () => {
    const found = ['src', 'runner', 'infra']
      .flatMap(sources)
      .filter((path) => /['"`/]treza-(enclaves-)?dev/.test(textOf(path)));
    expect(found.sort()).toEqual(['infra/platform/environments/dev.ts', 'src/reconciler/config.ts']);
  });
});

describe('a setting', () => {
  it('of the operator is read by its program', () => {
    const declared = ['src/reconciler/config.ts', 'src/cli/config.ts', 'src/cli/config-reference.ts'];
    const text = sources('src')
      .filter((path) => !declared.includes(path))
      .map(textOf)
      .join('\n');
    expect(CONFIG_KEYS.filter((key) => !new RegExp(`\\b${key}\\b`).test(text))).toEqual([]);
  });

  it.each<[string, Partial<PlacedConfig>]>([
    ['logRetentionDays', { logRetentionDays: 7 }],
    ['planDays', { planDays: 1 }],
    ['alarmEmails', { alarmEmails: ['ops@example.com'] }],
    ['enclavesTable', { enclavesTable: 'another' }],
    ['cluster', { cluster: 'another' }],
    ['rolePath', { rolePath: '/another/' }],
    ['amiParameters', { amiParameters: ['/images/*'] }],
    ['legacyHosts', { legacyHosts: true }],
    ['images', { images: { operator: 'x', runner: 'y' } }],
    ['operator', { operator: { ...prod.operator, maxRuns: 1 } }],
    ['runner', { runner: { ...prod.runner, cpu: 4096 } }],
    ['adopt', { adopt: true }],
    ['existing', { existing: takenOver.existing }],
    ['webhook', { webhook: { url: 'https://x', secretArn: `arn:aws:secretsmanager:us-west-2:${ACCOUNT}:secret:x` } }],
  ])('of the platform changes what is built: %s', (_key, change) => {
    expect(build({ ...prod, ...change }).terraform).not.toEqual(build(prod).terraform);
  });
});

describe('an enclave', () => {
  const working = synthesizeEnclave(optionsOf(specOf()), folder);
  const { resource } = JSON.parse(readFileSync(join(working, 'cdk.tf.json'), 'utf8')) as {
    readonly resource: Readonly<Record<string, Readonly<Record<string, { readonly depends_on?: readonly string[] }>>>>;
  };

  it('has no bucket of its own', () => {
    expect(resource).not.toHaveProperty('aws_s3_bucket');
  });

  it('boots when its configuration, its log group and what its role may do are there', () => {
    const needs = resource.aws_instance?.enclave_instance?.depends_on ?? [];
    expect(needs).toEqual(
      expect.arrayContaining([
        'aws_cloudwatch_log_group.enclave_logs',
        ...Object.keys(resource.aws_s3_object ?? {}).map((name) => `aws_s3_object.${name}`),
        ...Object.keys(resource.aws_iam_role_policy ?? {}).map((name) => `aws_iam_role_policy.${name}`),
      ]),
    );
    expect(Object.keys(resource.aws_iam_role_policy ?? {}).length).toBeGreaterThan(0);
    expect(Object.keys(resource.aws_s3_object ?? {})).toHaveLength(1);
  });

  it('writes to its own log group and sees no other', () => {
    const { Statement } = logPolicy(placeOf(ENCLAVE_ID, variablesOf(specOf()), FACTS));
    const resources = Statement.flatMap(({ Resource = [] }) => Resource);
    expect(resources.length).toBeGreaterThan(0);
    for (const each of resources) expect(each).toMatch(new RegExp(`:log-group:/aws/ec2/enclave/${ENCLAVE_ID}(:|$)`));
  });

  it('keeps the cores it was given: nothing on its host switches cores on or off', () => {
    const agent = files.filter((path) => path.startsWith('infra/host/'));
    expect(agent.length).toBeGreaterThan(20);
    expect(agent.filter((path) => /devices\/system\/cpu|chcpu/.test(textOf(path)))).toEqual([]);
  });
});

describe('the repository', () => {
  it('holds no account of anybody: numbers of twelve digits are those of documentation', () => {
    const made = new Set(['000000000000', '111122223333', '123456789012', '210987654321', '333344445555']);
    // Repeated digits, and the account of AWS' own published example of a PCR3.
    const known = (id: string) => made.has(id) || /^(\d)\1{11}$/.test(id) || id === '919437049909';
    const found = files
      .filter((path) => path !== 'package-lock.json')
      .flatMap((path) => (textOf(path).match(/(?<![\d.a-f-])\d{12}(?![\d.a-f])/g) ?? []).map((id) => `${path}: ${id}`))
      .filter((each) => !known(each.slice(-12)));
    expect(found).toEqual([]);
  });

  it('has a CI that holds no credentials of AWS and applies nothing', () => {
    const workflows = files.filter((path) => path.startsWith('.github/workflows/'));
    expect(workflows.length).toBeGreaterThan(0);
    for (const path of [...workflows, '.ci/run']) {
      expect(textOf(path), path).not.toMatch(
        /secrets\.|aws-access-key|AWS_SECRET|id-token|npm run (deploy|destroy)|terraform[^\n]* apply/,
      );
    }
  });
});
