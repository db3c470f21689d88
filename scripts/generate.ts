/** Writes the generated pages and schemas; `--check` only tells whether they are current. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generated } from './generated.ts';

const root = new URL('../', import.meta.url);
const check = process.argv.includes('--check');
let stale = 0;

for (const { path, render } of generated) {
  const url = new URL(path, root);
  const wanted = render();
  if (read(url) === wanted) continue;
  if (check) {
    console.error(`${path} is stale: run \`npm run docs\` and commit it`);
    stale += 1;
  } else {
    mkdirSync(dirname(fileURLToPath(url)), { recursive: true });
    writeFileSync(url, wanted);
    console.log(`wrote ${path}`);
  }
}
process.exitCode = stale === 0 ? 0 : 1;

function read(url: URL): string | undefined {
  try {
    return readFileSync(url, 'utf8');
  } catch {
    return undefined;
  }
}
