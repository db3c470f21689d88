/** The platform stack. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildPlatform, type PlatformStackOptions } from './stack.ts';

export { type PlacedConfig, type PlatformConfig, parseConfig, placed } from './config.ts';
export type { AgentBundle } from './context.ts';
export { ENVIRONMENT_NAMES, environmentConfig } from './environments/index.ts';
export { imports, RETAINED } from './imports.ts';
export { type Names, namesOf } from './names.ts';
export { buildPlatform, type PlatformStackOptions, STATE_KEY } from './stack.ts';

/** Writes the Terraform working folder of one environment; returns its path. */
export function synthesizePlatform(options: PlatformStackOptions, folder: string): string {
  const { terraform } = buildPlatform(options);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cdk.tf.json'), `${JSON.stringify(terraform, null, 2)}\n`);
  return folder;
}
