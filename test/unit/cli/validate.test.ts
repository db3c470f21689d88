/** enclavectl validate: documents, exit codes, both forms of answer; and the examples it is tried with. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { cli } from '../../support/cli.ts';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
const service = { id: 'enc_1', walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7' };

async function validate(stdin: string) {
  const { code, out, err } = await cli(['validate', '-f', '-', '-o', 'json'], { stdin });
  return { code, err, answers: out === '' ? undefined : JSON.parse(out) };
}

describe('the examples', () => {
  const files = globSync('*.yaml', { cwd: examples });
  it('are five, of different kinds', () => {
    expect(files.toSorted()).toEqual(['batch.yaml', 'daemon.yaml', 'debug.yaml', 'graviton.yaml', 'service.yaml']);
  });
  it.each(files)('%s is valid', async (file) => {
    const { code, answers } = await validate(readFileSync(`${examples}${file}`, 'utf8'));
    expect(answers).toMatchObject([{ valid: true, errors: [] }]);
    expect(code).toBe(0);
  });
});

describe('the invalid examples', () => {
  // The first line of each names the codes it is an example of.
  const files = globSync('invalid/*.yaml', { cwd: examples });
  it.each(files)('%s fails with the codes it names, and no other', async (file) => {
    const text = readFileSync(`${examples}${file}`, 'utf8');
    const named = text.split('\n', 1)[0]?.replace('# ', '').split(',');
    const { code, answers } = await validate(text);
    expect(answers[0].errors.map((issue: { code: string }) => issue.code).toSorted()).toEqual(named?.toSorted());
    expect(code).toBe(1);
  });
});

describe('enclavectl validate', () => {
  it('answers for every document, in order, and fails if one is invalid', async () => {
    const text = `id: enc_1\nwalletAddress: '${service.walletAddress}'\nproviderConfig: { dockerImage: a }\n---\n---\nid: [\n---\n- a list\n---\nid: 3\n`;
    const { code, answers } = await validate(text);
    expect(code).toBe(1);
    expect(answers.map(({ id, valid }: { id: unknown; valid: boolean }) => [id, valid])).toEqual([
      ['enc_1', true],
      [null, false],
      [null, false],
      [null, false],
    ]);
    expect(answers[1].errors).toMatchObject([{ field: '', code: 'SYNTAX' }]);
    expect(answers[2].errors).toMatchObject([{ field: '', code: 'TYPE' }]);
  });

  it('prints field, code, message and fix of every finding, and nothing else', async () => {
    const { answers } = await validate(JSON.stringify({ ...service, id: 'a b' }));
    expect(Object.keys(answers[0])).toEqual(['id', 'valid', 'errors', 'warnings']);
    for (const issue of [...answers[0].errors, ...answers[0].warnings]) {
      expect(Object.keys(issue).toSorted()).toEqual(['code', 'field', 'fix', 'message']);
    }
  });

  it('reads JSON: one record, or a list of them', async () => {
    expect((await validate(JSON.stringify(service))).answers).toHaveLength(1);
    expect((await validate(JSON.stringify([service, service]))).answers).toHaveLength(2);
  });

  it.each([
    ['walletAddress: .nan', 'YAML knows numbers that JSON does not'],
    ['a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]', 'aliases that unfold'],
    ['"id": "x"\n"id": "y"', 'a key twice'],
    ['just text', 'no map'],
    ['{"id": "x"', 'JSON cut short'],
  ])('refuses %j: %s', async (text) => {
    const { code, answers } = await validate(text);
    expect(code).toBe(1);
    expect(answers).toMatchObject([{ id: null, valid: false }]);
  });

  it('cannot tell where there is no record or no file', async () => {
    expect(await cli(['validate', '-f', '-'], { stdin: '\n---\n' })).toMatchObject({ code: 2, out: '' });
    const missing = await cli(['validate', '-f', 'nowhere.yaml']);
    expect(missing).toMatchObject({ code: 2, err: 'enclavectl: cannot read nowhere.yaml: there is no such file\n' });
  });

  it('never prints control characters of a record', async () => {
    const { out } = await cli(['validate', '-f', '-'], {
      stdin: JSON.stringify({ ...service, id: 'a\u001b[2Jb', 'x\u001b]0;y\u0007': 1 }),
    });
    expect(out).toContain('invalid');
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });
});
