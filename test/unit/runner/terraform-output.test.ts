/** Reading Terraform: hostile lines, errors as text, plans of unknown formats; what its process is told. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { escapeTemplate, ofAnotherEnclave, toImport } from '../../../runner/src/engine/terraform-adoption.ts';
import { terraformEnvironment } from '../../../runner/src/engine/terraform-environment.ts';
import { diagnosticsOf, readLine, readOutputs, readPlan } from '../../../runner/src/engine/terraform-output.ts';

const json = (value: unknown) => JSON.stringify(value);

describe("a line of Terraform's", () => {
  it.each([
    [''],
    ['not json'],
    ['{"type":'],
    ['null'],
    ['[1]'],
    ['"diagnostic"'],
    ['{"type":7}'],
    ['{"@message":"x"}'],
  ])('says nothing where it is %j', (line) => expect(readLine(line)).toEqual({ kind: 'other' }));

  it('tells progress, and no values of outputs', () => {
    const message = 'aws_instance.enclave_instance: Creating...';
    expect(readLine(json({ type: 'apply_start', '@message': message }))).toEqual({ kind: 'progress', message });
    const outputs = { type: 'outputs', '@message': 'Outputs: 1', outputs: { secret: { value: 'x' } } };
    expect(readLine(json(outputs))).toEqual({ kind: 'other' });
  });

  it('is an error however malformed its diagnostic is', () => {
    expect(readLine(json({ type: 'diagnostic', diagnostic: { summary: ['x'], detail: null } }))).toEqual({
      kind: 'diagnostic',
      diagnostic: { severity: 'error', summary: '', detail: '' },
    });
  });
});

describe('errors', () => {
  it('come from the JSON lines, between broken ones', () => {
    const line = json({ type: 'diagnostic', diagnostic: { severity: 'error', summary: 'no', detail: 'why' } });
    expect(diagnosticsOf(`{"broken\n${line}\n\u0000`, 'Error: other')).toEqual([
      { severity: 'error', summary: 'no', detail: 'why' },
    ]);
  });

  it('come from the text where there are none', () => {
    const stderr = '╷\n│ Error: Failed to unlock state\n│ \n│ lock id "x" does not match\n╵\n';
    expect(diagnosticsOf('', stderr)).toEqual([
      { severity: 'error', summary: 'Failed to unlock state', detail: 'lock id "x" does not match' },
    ]);
  });

  it('are never none', () => {
    expect(diagnosticsOf('', '')).toMatchObject([{ summary: 'Terraform failed without an error message.' }]);
    expect(diagnosticsOf('', 'killed\n')).toMatchObject([{ summary: 'killed' }]);
  });
});

describe('a plan', () => {
  it.each([[''], ['{}'], ['[]'], [json({ format_version: '2.0' })], [json({ resource_changes: [] })]])(
    'is refused where it cannot be read: %s',
    (text) => expect(() => readPlan(text)).toThrow('no plan of a format'),
  );

  it('keeps a change it does not understand: the gate judges it', () => {
    const plan = readPlan(json({ format_version: '1.2', resource_changes: [{ address: 'a.b', change: 7 }] }));
    expect(plan.resource_changes).toEqual([
      { address: 'a.b', type: '', change: { actions: ['unreadable'], before: null, after: null } },
    ]);
  });
});

it('gives strings alone as outputs, and no sensitive ones', () => {
  const outputs = { a: { value: 'x' }, b: { value: 7 }, c: { value: 's', sensitive: true }, d: null };
  expect(readOutputs(json(outputs))).toEqual({ a: 'x' });
});

it("gives Terraform a list of variables, not the runner's own", () => {
  const own = {
    PATH: '/bin',
    AWS_ENDPOINT_URL_S3: 'http://s3',
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds',
    AWS_PROFILE: 'mine',
    PLATFORM_FACTS: '{}',
    STATE_TABLE: 'state',
    TF_LOG: 'TRACE',
    TF_VAR_x: '1',
    AWS_SESSION_TOKEN: '',
  };
  expect(terraformEnvironment(own, { dataDir: '/d', cliConfigFile: '/c' })).toEqual({
    PATH: '/bin',
    AWS_ENDPOINT_URL_S3: 'http://s3',
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/creds',
    TF_CLI_CONFIG_FILE: '/c',
    TF_DATA_DIR: '/d',
    TF_IN_AUTOMATION: '1',
    TF_INPUT: '0',
    CHECKPOINT_DISABLE: '1',
  });
});

describe('adoption', () => {
  const host = { type: 'aws_instance', address: 'aws_instance.enclave_instance' };
  const plan = (...actions: string[]) => ({
    resource_changes: [{ ...host, change: { actions, before: null } }],
    resource_drift: [],
  });

  it('imports what a plan would make a second time, and nothing else', () => {
    const found = [{ ...host, importId: 'i-1' }];
    expect(toImport(plan('create'), found, undefined)).toEqual(found);
    expect(toImport(plan('no-op'), found, undefined)).toEqual([]);
    expect(toImport(plan('delete', 'create'), found, undefined)).toEqual([]);
    expect(toImport(plan('create'), [{ ...host, importId: 'i-1', dying: true }], undefined)).toEqual([]);
  });

  it('takes the pinned one of several, and refuses to guess', () => {
    const found = ['i-1', 'i-2'].map((importId) => ({ ...host, importId }));
    expect(toImport(plan('create'), found, 'i-2')).toEqual([found[1]]);
    expect(() => toImport(plan('create'), found, 'i-3')).toThrow('several bear its name: i-1, i-2');
  });

  it('leaves what another enclave or environment owns alone', () => {
    expect(() => toImport(plan('create'), [{ ...host, importId: 'i-1', foreign: true }], undefined)).toThrow(
      'its tags (EnclaveId, Environment) do not name this enclave, so the run does not use it',
    );
  });

  it('leaves out of a destroy what carries the tag of another enclave, and what is part of it', () => {
    const recorded = readFileSync(new URL('../../fixtures/plans/destroy.json', import.meta.url), 'utf8');
    expect(ofAnotherEnclave(readPlan(recorded), 'recorded')).toEqual([]);
    const json = JSON.parse(recorded);
    for (const { type, change } of json.resource_changes) {
      if (type === 'aws_iam_role') change.before.tags_all.EnclaveId = 'recorded-by-another';
      // What has lost its tags is still what the state says it is.
      if (type === 'aws_security_group') change.before.tags_all = {};
    }
    expect(ofAnotherEnclave(readPlan(JSON.stringify(json)), 'recorded').toSorted()).toEqual([
      'aws_iam_role.enclave_instance_role',
      'aws_iam_role_policies_exclusive.enclave_policies',
      'aws_iam_role_policy.enclave_cloudwatch_policy',
      'aws_iam_role_policy.enclave_host_policy',
      'aws_iam_role_policy_attachments_exclusive.enclave_attachments',
    ]);
  });

  it('makes no template of an id', () => {
    expect(escapeTemplate('a${b}%{c}$d')).toBe('a$${b}%%{c}$d');
  });
});
