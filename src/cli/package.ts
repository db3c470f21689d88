/** This package: where it lies, and its version. */
import { readFileSync } from 'node:fs';

interface Package {
  /** Ends with a slash. */
  readonly root: URL;
  readonly version: string;
}

/** The nearest package.json of this name: two folders above the sources, three above the built files in dist/. */
function find(): Package {
  for (const path of ['../../', '../../../']) {
    const root = new URL(path, import.meta.url);
    try {
      const { name, version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
      if (name === 'enclave-operator') return { root, version };
    } catch {
      // Not there: try the next.
    }
  }
  throw new Error('the package is incomplete: its package.json is missing');
}

export const PACKAGE = find();
