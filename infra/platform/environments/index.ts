/** The environments, by name. */
import { nearest } from '../../../src/enclave/nearest.ts';
import { type PlatformConfig, parseConfig } from '../config.ts';
import { dev } from './dev.ts';
import { prod } from './prod.ts';
import { staging } from './staging.ts';

const ENVIRONMENTS: Readonly<Record<string, unknown>> = { dev, staging, prod };
export const ENVIRONMENT_NAMES = Object.keys(ENVIRONMENTS);

export function environmentConfig(name: string): PlatformConfig {
  if (!Object.hasOwn(ENVIRONMENTS, name)) {
    const near = nearest(name, ENVIRONMENT_NAMES);
    const hint = near === undefined ? `use one of ${ENVIRONMENT_NAMES.join(', ')}` : `did you mean ${near}?`;
    throw new Error(`there is no environment ${JSON.stringify(name)}: ${hint}, or add infra/platform/environments/`);
  }
  return parseConfig(ENVIRONMENTS[name], `environment ${name}`);
}
