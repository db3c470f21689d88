/** What the runner prints: the application shows a line to every tenant if it contains certain words. */
import { describe, expect, it } from 'vitest';
import { readLine } from '../../../runner/src/engine/terraform-output.ts';
import { createLog } from '../../../runner/src/log.ts';

/** As the application filters the lines of its Logs tab, beside the id of the tenant's enclave. */
const SHOWN_TO_ALL = ['Terraform', '===', 'ENCLAVE_ID'];
const ID = 'enc_1755986905612_ouocac870';

function printed(use: (log: ReturnType<typeof createLog>) => void): readonly string[] {
  const lines: string[] = [];
  use(
    createLog(
      { enclaveId: ID, run: 'e-1-deploy' },
      () => 0,
      (line) => lines.push(line),
    ),
  );
  return lines;
}

function expectForOneTenant(lines: readonly string[]): void {
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) {
    for (const word of SHOWN_TO_ALL) expect(line).not.toContain(word);
    expect(line).toContain(ID);
  }
}

/** As Terraform 1.11 prints them with `-json`, and as it prints some without. */
const TERRAFORM_LINES = [
  '{"@level":"info","@message":"Terraform 1.11.4","@module":"terraform.ui","terraform":"1.11.4","type":"version","ui":"1.2"}',
  '{"@level":"info","@message":"Plan: 2 to add, 0 to change, 0 to destroy. Terraform will perform these actions.","@module":"terraform.ui","type":"change_summary"}',
  '{"@level":"info","@message":"aws_instance.enclave_instance: Creating... === Terraform ===","@module":"terraform.ui","type":"apply_start"}',
  '{"@level":"error","@message":"Error: Error acquiring the state lock","@module":"terraform.ui","diagnostic":{"severity":"error","summary":"Error acquiring the state lock","detail":"Terraform acquires a state lock to protect the state.\\n=====\\nLock Info: ENCLAVE_ID"},"type":"diagnostic"}',
  'Terraform has been successfully initialized!',
];

describe('a line of the runner', () => {
  it('carries no word for which the application shows it to every tenant, wherever the word comes from', () => {
    const lines = printed((log) => {
      log.info('=== Terraform deploy starts', {
        cause: 'Terraform failed',
        differences: [{ what: ['===', 'Terraform'] }],
      });
      log.warn('====== Terraform');
      log.error('ENCLAVE_ID is not set: Terraform');
    });
    expectForOneTenant(lines);
    const [first] = lines.map((line) => JSON.parse(line));
    expect(first).toMatchObject({ level: 'info', enclaveId: ID, run: 'e-1-deploy', cause: 'terraform failed' });
    expect(first.differences).toEqual([{ what: ['=', 'terraform'] }]);
  });

  it('passes on what Terraform reports without those words', () => {
    const lines = printed((log) => {
      for (const line of TERRAFORM_LINES) {
        const read = readLine(line);
        if (read.kind === 'progress') log.info(read.message);
        if (read.kind === 'diagnostic') log.error(`${read.diagnostic.summary} ${read.diagnostic.detail}`);
        if (read.kind === 'other') log.info(line);
      }
    });
    expect(lines).toHaveLength(TERRAFORM_LINES.length);
    expectForOneTenant(lines);
    expect(lines.join('')).toContain('aws_instance.enclave_instance: Creating...');
  });

  it('keeps the id of an enclave as it is, so that its owner sees the line', () => {
    const lines: string[] = [];
    createLog(
      { enclaveId: 'my-Terraform', run: 'e-1' },
      () => 0,
      (line) => lines.push(line),
    ).info('nothing to change');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ enclaveId: 'my-Terraform' });
  });
});
