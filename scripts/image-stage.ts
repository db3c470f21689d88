/** Assembles the app layers of all images in build/images/, without a container engine. */
import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IMAGES, type ImageName, stageLayer } from './image-layers.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

for (const image of Object.keys(IMAGES) as ImageName[]) {
  const folder = join(root, 'build/images', image);
  const packages = await stageLayer(image, folder);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
  const size = `${files.length} files, ${(bytes / 1_048_576).toFixed(1)} MiB, ${packages.length} packages`;
  console.log(`${relative(root, folder)}: ${size}`);
}
