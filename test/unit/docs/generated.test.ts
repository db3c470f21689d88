/** Pages and schemas made from the sources are what the sources say. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generated } from '../../../scripts/generated.ts';

it.each(generated.map(({ path, render }) => [path, render] as const))(
  '%s is current: run `npm run docs`',
  (path, render) => {
    expect(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')).toBe(render());
  },
);
