/** Which Node runs the tests: CI says which one it must be. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('is the one CI asked for', ({ skip }) => {
  const expected = process.env.EXPECTED_NODE_MAJOR;
  skip(expected === undefined, 'EXPECTED_NODE_MAJOR is not set: any supported Node will do');
  expect(process.versions.node.split('.')[0]).toBe(expected);
});

it('is one that package.json supports', () => {
  const { engines } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  const [major = 0, minor = 0] = engines.node.replace('>=', '').split('.').map(Number);
  const [ours = 0, oursMinor = 0] = process.versions.node.split('.').map(Number);
  expect(ours > major || (ours === major && oursMinor >= minor)).toBe(true);
});
