/** `-f`, given once or several times: every file counts, in order. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cli, emptyFolder } from '../../support/cli.ts';
import { record } from '../enclave/spec/spec-records.ts';

/** A folder with these records, a file each: `a.json`, `b.json` and so on. */
function folderOf(...records: readonly object[]): string {
  const cwd = emptyFolder();
  for (const [index, one] of records.entries()) {
    writeFileSync(join(cwd, `${'abc'[index]}.json`), JSON.stringify(one));
  }
  return cwd;
}
const enclave = (id: string, config: object = {}) => record(config, { id });

describe('-f', () => {
  it('`validate` checks every file given with -f, in order, including stdin', async () => {
    const cwd = folderOf(enclave('enc_a'), enclave('enc_b', { memoryMiB: '4GB' }));
    const argv = ['validate', '-f', 'b.json', '-f', '-', '--filename', 'a.json'];
    const { code, out } = await cli([...argv, '-o', 'json'], { cwd, stdin: JSON.stringify(enclave('enc_stdin')) });
    const answers = JSON.parse(out).map(({ id, valid }: { id: string; valid: boolean }) => [id, valid]);
    expect(answers).toEqual([
      ['enc_b', false],
      ['enc_stdin', true],
      ['enc_a', true],
    ]);
    expect(code).toBe(1);
  });

  it.each<[readonly string[], string]>([
    [['a.json', 'b.json', 'a.json'], '-f names a.json twice'],
    [['a.json', './a.json'], '-f names ./a.json twice'],
    [['-', 'a.json', '-'], '-f names - twice'],
    [['a.json', 'missing.json'], 'cannot read missing.json: there is no such file'],
  ])('validate, apply and diff refuse %j as wrong usage', async (files, message) => {
    const cwd = folderOf(enclave('enc_a'), enclave('enc_b'));
    for (const verb of ['validate', 'apply', 'diff']) {
      const argv = [verb, ...files.flatMap((file) => ['-f', file]), '--endpoint', 'http://127.0.0.1:9'];
      const { code, out, err } = await cli(argv, { cwd, stdin: JSON.stringify(enclave('enc_stdin')) });
      expect([verb, code, out]).toEqual([verb, 2, '']);
      expect(err).toContain(message);
    }
  });

  it('validate refuses an id that a second file repeats', async () => {
    const cwd = folderOf(enclave('enc_a'), enclave('enc_b'), enclave('enc_a'));
    const { code, out } = await cli(['validate', '-f', 'a.json', '-f', 'b.json', '-f', 'c.json', '-o', 'json'], {
      cwd,
    });
    const [first, second, third] = JSON.parse(out);
    expect([first.valid, second.valid, third.valid]).toEqual([true, true, false]);
    expect(third.errors).toMatchObject([
      { field: 'id', code: 'ID_DUPLICATE', message: expect.stringContaining('a.json also has the id "enc_a"') },
    ]);
    expect(code).toBe(1);
  });

  it.each(['apply', 'diff', 'validate'])('the help of %s says that -f can be repeated', async (verb) => {
    const { out } = await cli([verb, '--help']);
    expect(out.replace(/\s+/g, ' ')).toContain('can be repeated');
  });
});
