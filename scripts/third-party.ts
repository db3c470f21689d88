/** Packages of others that a bundle is made of, and the notices their licences ask to be kept. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Package {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly notices: readonly string[];
}

const NOTICE = /^(licen[cs]e|notice|copying)/i;
const MODULES = '/node_modules/';

/** Folder of the package a module belongs to; undefined for our own. */
export function packageFolder(module: string): string | undefined {
  const start = module.lastIndexOf(MODULES) + MODULES.length;
  if (start < MODULES.length) return undefined;
  const [scope = '', name = ''] = module.slice(start).split('/');
  return module.slice(0, start) + (scope.startsWith('@') ? `${scope}/${name}` : scope);
}

export function readPackage(folder: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => NOTICE.test(file));
  const notices = files.sort().map((file) => readFileSync(join(folder, file), 'utf8').trim());
  // Older packages have an object, or a list of them.
  return { name, version, license: typeof license === 'string' ? license : JSON.stringify(license), notices };
}

const HEAD =
  'Packages of others in this bundle, unchanged. Their sources are on npm, under the names and versions given.';
const RULE = `\n${'-'.repeat(80)}\n\n`;

/** One section a licence text, with all packages that have it. */
export function notices(packages: readonly Package[]): string {
  const holders = new Map<string, string[]>();
  for (const { name, version, license, notices } of packages) {
    const text = notices.join('\n\n') || `(The package names its licence, ${license}, and has no text of it.)`;
    holders.set(text, [...(holders.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const sections = [...holders].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`);
  return [`${HEAD}\n`, ...sections].join(RULE);
}
