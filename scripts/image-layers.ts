/** The app layers of the images: what the Dockerfiles copy, and nothing else. */
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';
import { notices, type Package, packageFolder, readPackage } from './third-party.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

interface Image {
  readonly entry: string;
  /** What its code reads at run time from files of the tree. */
  readonly files: readonly string[];
}
export const IMAGES = {
  operator: { entry: 'src/cli/main.ts', files: [] },
  runner: { entry: 'runner/src/main.ts', files: ['runner/terraform', 'infra/host/bootstrap'] },
} as const satisfies Record<string, Image>;
export type ImageName = keyof typeof IMAGES;

/** A module of ours looks for files beside itself: each keeps its address in the tree, wherever it was bundled to. */
const keepAddresses: Plugin = {
  name: 'keep-addresses',
  transform: {
    filter: { id: { exclude: /\/node_modules\// }, code: 'import.meta.url' },
    handler(code, module) {
      const address = JSON.stringify(`../${relative(ROOT, module)}`);
      return { code: code.replaceAll('import.meta.url', `new URL(${address}, import.meta.url).href`), map: null };
    },
  },
};

/** Bundles an entry with all it imports; answers the packages of others in it. */
export async function bundle(entry: string, folder: string): Promise<readonly Package[]> {
  const build = await rolldown({
    cwd: ROOT,
    input: { main: resolve(ROOT, entry) },
    platform: 'node',
    plugins: [keepAddresses],
    // What is not found would be left to the run, where nothing is to be found either.
    onLog(level, log) {
      if (log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
      if (level === 'warn') console.warn(log.message);
    },
  });
  const { output } = await build.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
  });
  await build.close();
  const modules = output.flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []));
  const folders = new Set(modules.map(packageFolder).filter((found) => found !== undefined));
  return [...folders].sort().map(readPackage);
}

/** Writes the layer of one image to `folder`, which is emptied first; answers the packages of others in it. */
export async function stageLayer(image: ImageName, folder: string): Promise<readonly Package[]> {
  const { entry, files } = IMAGES[image];
  rmSync(folder, { recursive: true, force: true });
  const packages = await bundle(entry, join(folder, 'dist'));
  for (const file of files) cpSync(join(ROOT, file), join(folder, file), { recursive: true });
  const { name, version, license, type } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ name, version, license, type }, undefined, 2)}\n`);
  cpSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  writeFileSync(join(folder, 'THIRD-PARTY.txt'), notices(packages));
  makeReadable(folder);
  return packages;
}

/** Whoever builds may have a narrow umask; the image's user is another. */
function makeReadable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makeReadable(path);
    else chmodSync(path, 0o644);
  }
}
