/** Loads the sources in a clone, and the built program in an installed package. */
import { existsSync } from 'node:fs';

const source = new URL('../src/cli/main.ts', import.meta.url);
const built = new URL('../dist/src/cli/main.js', import.meta.url);
if (existsSync(source)) await import(source.href);
else if (existsSync(built)) await import(built.href);
else {
  process.stderr.write('enclavectl: the package is incomplete (no dist/): install it again, or run npm run build.\n');
  process.exitCode = 2;
}
