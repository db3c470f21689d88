/** The layout of the sources: each file is in one room, and small. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOMS, roomsOf } from '../../../scripts/rooms.ts';

const ROOT = new URL('../../../', import.meta.url);
const MOST_LINES = 300;

/** Source files below a folder, by their paths from the root; data files excepted. */
function sourcesOf(folder: string): readonly string[] {
  return readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name}`)
    .filter((path) => !path.includes('node_modules') && !path.includes('data') && /\.(ts|sh|py)$/.test(path))
    .filter((path) => statSync(new URL(path, ROOT)).isFile());
}

const SOURCES = ['src', 'runner', 'infra'].flatMap(sourcesOf);
const linesOf = (path: string) => readFileSync(new URL(path, ROOT), 'utf8').split('\n').length - 1;

describe('the sources', () => {
  it('there are source files to check', () => {
    expect(SOURCES.length).toBeGreaterThan(300);
  });

  it('each source file is in exactly one room', () => {
    const astray = SOURCES.filter((path) => path.endsWith('.ts') && roomsOf(path).length !== 1);
    expect(astray).toEqual([]);
  });

  it('each room has files', () => {
    const used = new Set(SOURCES.flatMap(roomsOf));
    expect(ROOMS.filter((room) => !used.has(room))).toEqual([]);
  });

  it('src/reconciler has at most 8 files beside its rooms', () => {
    const door = SOURCES.filter((path) => /^src\/reconciler\/[^/]+$/.test(path));
    expect(door.length).toBeLessThanOrEqual(8);
  });

  it(`no source file is longer than ${MOST_LINES} lines`, () => {
    const long = SOURCES.filter((path) => linesOf(path) > MOST_LINES).map((path) => `${path}: ${linesOf(path)}`);
    expect(long).toEqual([]);
  });
});
