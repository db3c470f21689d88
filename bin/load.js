/** Loads the sources in a clone, and the built program in an installed package. */
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Compiled code is kept between calls: a third of the time of a short command. In the user's own folder, not in the
// shared /tmp, where somebody else could lay out code for us. Where it cannot be written, nothing happens.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'enclavectl'));

const source = new URL('../src/cli/main.ts', import.meta.url);
const built = new URL('../dist/src/cli/main.js', import.meta.url);
if (existsSync(source)) await import(source.href);
else if (existsSync(built)) await import(built.href);
else {
  process.stderr.write('enclavectl: the package is incomplete (no dist/): install it again, or run npm run build.\n');
  process.exitCode = 2;
}
