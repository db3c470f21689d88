/** The ledger of defects: every one is there once, and the tests it names exist under those very titles. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { titlesOf } from '../../support/titles.ts';

const ROOT = new URL('../../../', import.meta.url);
const PAGE = readFileSync(new URL('docs/incumbent-defects.md', ROOT), 'utf8');

/** How many of each letter were found. */
const FOUND = { A: 18, B: 12, C: 9, D: 7, E: 9, F: 11 };
const NUMBERS = Object.entries(FOUND).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
);
/** Not prevented, and said so. A number leaves this list, and none joins it. */
const OPEN: readonly string[] = [];

interface Row {
  readonly id: string;
  readonly was: string;
  readonly tests: readonly { readonly file: string; readonly title: string }[];
  readonly application: string | undefined;
  readonly open: string | undefined;
  /** Parts of the last cell that are none of these. */
  readonly odd: readonly string[];
}

function readRow(line: string): Row {
  const [id = '', was = '', last = ''] = line.slice(2, -2).split(' | ');
  const parts = last.split('<br>');
  const tests = parts.flatMap((part) => {
    const [, file = '', title = ''] = /^`(test\/[^`]+)`: (.+)$/.exec(part) ?? [];
    return file === '' ? [] : [{ file, title }];
  });
  const said = (word: string) => parts.find((part) => part.startsWith(`${word}: `))?.slice(word.length + 2);
  const odd = parts.filter((part) => !/^(`test\/[^`]+`|Application|Open): ./.test(part));
  return { id, was, tests, application: said('Application'), open: said('Open'), odd };
}

const rows = PAGE.split('\n')
  .filter((line) => /^\| [A-Z]\d+ \|/.test(line))
  .map(readRow);

const titles = new Map<string, readonly string[]>();
function titlesIn(file: string): readonly string[] {
  const known = titles.get(file) ?? titlesOf(new URL(file, ROOT));
  titles.set(file, known);
  return known;
}

describe('the ledger of defects', () => {
  it('has each number once, in order', () => {
    expect(rows.map(({ id }) => id)).toEqual(NUMBERS);
  });

  it.each(rows)('$id names tests that exist, or says why there is none', ({ was, tests, application, open, odd }) => {
    expect(was.length).toBeGreaterThan(10);
    expect(odd).toEqual([]);
    for (const { file, title } of tests) {
      expect(existsSync(fileURLToPath(new URL(file, ROOT))), file).toBe(true);
      expect(titlesIn(file), file).toContain(title);
    }
    // What is said instead of a test is a reason, not a word.
    for (const reason of [application, open]) if (reason !== undefined) expect(reason.length).toBeGreaterThan(40);
    if (tests.length === 0) expect(application).toBeDefined();
  });

  it('tells of what is not prevented, which becomes less', () => {
    expect(rows.filter(({ open }) => open !== undefined).map(({ id }) => id)).toEqual(OPEN);
  });
});

describe('titles of a file', () => {
  const own = titlesOf(new URL(import.meta.url));

  it('are those of its tests, below what describes them', () => {
    expect(own).toContain('the ledger of defects › has each number once, in order');
    expect(own).toContain('the ledger of defects › $id names tests that exist, or says why there is none');
    expect(own).toContain('titles of a file › are those of its tests, below what describes them');
    expect(own).not.toContain('has each number once, in order');
  });
});
