/** The version of this package, read from its package.json. */
import { readFileSync } from 'node:fs';

/** package.json lies two folders above the sources, and three above the built files in dist/. */
function read(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (name === 'enclave-operator') return version;
    } catch {
      // Not there: try the next.
    }
  }
  return 'unknown';
}

export const VERSION = read();
