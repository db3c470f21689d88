import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournal } from '../../src/local/journal.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
  file = join(folder, 'deep', 'a.journal');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const state = () => {
  const journal = openJournal(file);
  const entries = Object.fromEntries(journal.entries);
  journal.close();
  return entries;
};

describe('the journal', () => {
  it('holds what was set and not deleted, also without being closed', () => {
    const journal = openJournal(file);
    journal.set('a', 1);
    journal.set('b', { list: ['x', null] });
    journal.set('a', 2);
    journal.set('gone', true);
    journal.delete('gone');
    journal.set('null', null);
    expect(state()).toEqual({ a: 2, b: { list: ['x', null] }, null: null });
    journal.close();
  });

  it('leaves out a last line that a crash has torn, and goes on after it', () => {
    const journal = openJournal(file);
    journal.set('a', 1);
    journal.close();
    appendFileSync(file, '{"k":"b","v":{"half');
    const next = openJournal(file);
    expect(Object.fromEntries(next.entries)).toEqual({ a: 1 });
    next.set('c', 3);
    next.close();
    expect(state()).toEqual({ a: 1, c: 3 });
  });

  it('stays as small as its state, however often an entry changes', () => {
    const journal = openJournal(file);
    for (let i = 0; i < 5_000; i += 1) journal.set('counter', i);
    expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThan(1_100);
    journal.close();
    expect(state()).toEqual({ counter: 4_999 });
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(1);
  });
});
