/** Where Terraform finds its AWS provider without a network, and the CLI configuration that says so. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Pinned everywhere: the bindings are generated from exactly this version. */
export const PROVIDER_VERSION = '5.100.0';

const REGISTRY = 'registry.terraform.io';

/** Folders Terraform itself takes for mirrors; see "Implied Local Mirror Directories" of its CLI documentation. */
const implied = (home: string) => [
  join(home, '.terraform.d/plugins'),
  join(home, '.local/share/terraform/plugins'),
  join(home, 'Library/Application Support/io.terraform/plugins'),
  '/usr/local/share/terraform/plugins',
  '/usr/share/terraform/plugins',
];

/** Usual roots of unpacked software: a mirror may lie up to two levels below one. */
const roots = (home: string) => ['/opt', '/usr/local', '/usr/share', home];

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(folder, name));
  } catch {
    // Absent, or not ours to read: there is no mirror for us in it.
    return [];
  }
}

function holdsProvider(mirror: string): boolean {
  const folder = join(mirror, REGISTRY, 'hashicorp/aws');
  if (existsSync(join(folder, PROVIDER_VERSION))) return true;
  try {
    return readdirSync(folder).some((name) => name.startsWith(`terraform-provider-aws_${PROVIDER_VERSION}_`));
  } catch {
    return false;
  }
}

/** The filesystem mirror that holds the pinned provider, unpacked or packed; undefined where there is none. */
export function findProviderMirror(
  env: Readonly<Record<string, string | undefined>>,
  home = homedir(),
): string | undefined {
  const given = env.TF_PLUGIN_MIRROR;
  // A mirror that was named and lacks the provider is a mistake to be told, not one to search around.
  if (given) return holdsProvider(given) ? given : undefined;
  const below = roots(home).flatMap((root) => [root, ...subfolders(root)]);
  return [...implied(home), ...below].find(holdsProvider) ?? below.flatMap(subfolders).find(holdsProvider);
}

/** Writes a CLI configuration that knows the mirror and nothing else; without one, the registry. */
export function writeCliConfig(file: string, mirror: string | undefined): void {
  const source = mirror === undefined ? 'direct {}' : `filesystem_mirror {\n    path = ${JSON.stringify(mirror)}\n  }`;
  writeFileSync(file, `disable_checkpoint = true\nprovider_installation {\n  ${source}\n}\n`);
}
