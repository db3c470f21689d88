/** What both Dockerfiles keep to, read by a parser: nothing unpinned, no root, no secret. */
import { existsSync, readFileSync } from 'node:fs';
import { type Copy, DockerfileParser, type Instruction } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
/** What `.dockerignore` lets through. */
const CONTEXT = Array.from(read('.dockerignore').matchAll(/^!(.+)$/gm), ([, path = '']) => path);

const words = (instruction: Instruction) => instruction.getArguments().map((argument) => argument.getValue());

function parse(text: string) {
  const file = DockerfileParser.parse(text);
  const all = file.getInstructions();
  const lastFrom = all.findLastIndex((one) => one.getKeyword() === 'FROM');
  const final = (keyword: string) => all.slice(lastFrom).filter((one) => one.getKeyword() === keyword);
  const lineOfFinal = all[lastFrom]?.getRange()?.start.line ?? 0;
  const settings = file.getENVs().filter((env) => (env.getRange()?.start.line ?? 0) > lineOfFinal);
  const properties = [...file.getENVs(), ...file.getARGs()].flatMap((one) => one.getProperties());
  const entrypoint = file.getENTRYPOINTs().at(-1);
  const isFromContext = (copy: Copy) => copy.getFromFlag() === null;
  return {
    problems: validate(text).map(({ message }) => message),
    keywords: all.map((one) => one.getKeyword()),
    bases: file.getFROMs().map((from) => from.getImage()),
    /** Build arguments of the bases that have no default. */
    required: file
      .getInitialARGs()
      .flatMap((arg) => arg.getProperties())
      .filter((property) => property.getValue() === null)
      .map((property) => property.getName()),
    names: properties.map((property) => property.getName()),
    downloads: all
      .filter((one) => one.getKeyword() === 'RUN')
      .map((one) => words(one).join(' '))
      .filter((command) => /https?:/.test(command)),
    copied: file
      .getCOPYs()
      .filter(isFromContext)
      .flatMap((copy) => words(copy).slice(0, -1)),
    final: {
      users: final('USER').flatMap(words),
      volumes: final('VOLUME').flatMap(words),
      environment: Object.fromEntries(
        settings.flatMap((env) => env.getProperties().map((one) => [one.getName(), one.getValue()])),
      ),
      entrypoint: entrypoint?.getJSONStrings().map((part) => JSON.parse(part.getValue())),
      copied: final('COPY')
        .filter((one) => isFromContext(one as Copy))
        .flatMap((one) => words(one).slice(0, -1)),
    },
  };
}

describe.each([
  ['Dockerfile', 'operator', 0],
  ['runner/Dockerfile', 'runner', 1],
])('%s', (path, image, downloads) => {
  const file = parse(read(path));

  it('is a Dockerfile without anything to be warned of', () => {
    expect(file.problems).toEqual([]);
  });

  it('starts every stage from a slim base by a digest that must be given', () => {
    expect(file.required).toEqual(['NODE_DIGEST']);
    expect(file.bases).toHaveLength(downloads + 1);
    for (const base of file.bases) expect(base).toBe('node:24-trixie-slim@${NODE_DIGEST}');
  });

  it('adds nothing from elsewhere but downloads that are checked before they are used', () => {
    expect(file.keywords).not.toContain('ADD');
    expect(file.downloads).toHaveLength(downloads);
    for (const command of file.downloads) expect(command).toMatch(/https:.*&& echo .*\| sha256sum --check --strict/);
  });

  it('runs as a user without rights, who owns the one folder that is written to', () => {
    expect(file.final.users).toEqual(['10001:10001']);
    expect(file.final.volumes).toEqual(['/var/lib/enclave']);
    expect(read(path)).toContain('install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/enclave');
    const { HOME, TMPDIR, TF_DATA_DIR = HOME } = file.final.environment;
    for (const folder of [HOME, TMPDIR, TF_DATA_DIR]) expect(folder).toMatch(/^\/var\/lib\/enclave\b/);
  });

  it('starts the program itself, which so gets the signals', () => {
    expect(file.final.entrypoint).toEqual(['node', '/app/dist/main.js']);
  });

  it('is made of the staged layer, and of files that are there', () => {
    expect(file.final.copied).toEqual([`build/images/${image}`]);
    for (const source of file.copied) {
      expect(
        CONTEXT.some((kept) => source.startsWith(kept)),
        `.dockerignore keeps ${source} out`,
      ).toBe(true);
      if (!source.startsWith('build/')) expect(existsSync(new URL(source, ROOT)), source).toBe(true);
    }
  });

  it('has no variable that could hold a secret', () => {
    expect(file.names.length).toBeGreaterThan(2);
    for (const name of file.names) expect(name).not.toMatch(/KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL/i);
  });
});

it('sees what it is there to see', () => {
  const bad = parse('FROM node\nADD https://example.com/x /x\nARG TOKEN\nENV PASSWORD=x\nUSER root\nRUN curl http://x');
  expect(bad).toMatchObject({
    bases: ['node'],
    required: [],
    names: ['PASSWORD', 'TOKEN'],
    keywords: ['FROM', 'ADD', 'ARG', 'ENV', 'USER', 'RUN'],
    downloads: ['curl http://x'],
    final: { users: ['root'], environment: { PASSWORD: 'x' } },
  });
  expect(parse('FORM node').problems).not.toEqual([]);
});
