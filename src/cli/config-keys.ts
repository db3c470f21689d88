/** Configuration keys: their variables, types, bounds and defaults, as the schema has them. */
import { z } from 'zod';
import { type Config, ConfigSchema } from '../reconciler/config.ts';

export const VARIABLE_PREFIX = 'ENCLAVE_OPERATOR_';

/** Never a key: no file, no flag and no listing ever holds it. */
export const WEBHOOK_SECRET = `${VARIABLE_PREFIX}NOTIFY_WEBHOOK_SECRET`;

export type ConfigKey = keyof Config;
export const CONFIG_KEYS = Object.keys(ConfigSchema.shape) as readonly ConfigKey[];

/** What the schema says of one key: for checks, for the reference page, for `enclavectl config`. */
export interface KeyDescription {
  readonly key: ConfigKey;
  readonly variable: string;
  readonly type: 'integer' | 'boolean' | 'string' | 'array';
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly values?: readonly string[] | undefined;
  readonly fallback: unknown;
  readonly meaning: string;
}

/** `maxRuns` is `ENCLAVE_OPERATOR_MAX_RUNS` in the environment. */
export function variableOf(key: string): string {
  return VARIABLE_PREFIX + key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** Made once: the schema's description costs milliseconds, and every command asks more than once. */
let described: readonly KeyDescription[] | undefined;

export function describeKeys(): readonly KeyDescription[] {
  described ??= readSchema();
  return described;
}

function readSchema(): readonly KeyDescription[] {
  const properties = z.toJSONSchema(ConfigSchema).properties ?? {};
  return CONFIG_KEYS.map((key) => {
    const property = properties[key];
    if (typeof property !== 'object') throw new Error(`the configuration key ${key} has no schema`);
    return {
      key,
      variable: variableOf(key),
      type: typeOf(property),
      minimum: property.minimum,
      maximum: property.maximum,
      values: property.enum?.map(String),
      fallback: property.default,
      meaning: property.description ?? '',
    };
  });
}

function typeOf({ type, default: fallback }: z.core.JSONSchema.BaseSchema): KeyDescription['type'] {
  if (typeof fallback === 'boolean') return 'boolean';
  return type === 'integer' || type === 'array' ? type : 'string';
}

/**
 * Names that follow from others unless they are set: an environment called `prod` has the tables of `prod`.
 * With the default environment they are the schema's own defaults.
 */
export const DERIVED: readonly {
  readonly key: ConfigKey;
  readonly from: 'environment' | 'prefix';
  readonly pattern: string;
}[] = [
  { key: 'prefix', from: 'environment', pattern: 'treza-{environment}' },
  { key: 'enclavesTable', from: 'environment', pattern: 'treza-enclaves-{environment}' },
  { key: 'stateTable', from: 'prefix', pattern: '{prefix}-operator-state' },
  { key: 'historyTable', from: 'prefix', pattern: '{prefix}-operator-history' },
  { key: 'cluster', from: 'prefix', pattern: '{prefix}-infrastructure' },
  { key: 'rolePath', from: 'prefix', pattern: '/{prefix}-enclaves/' },
];

/** What one key takes, as a hint. */
export function allowed({ key, type, minimum, maximum, values }: KeyDescription): string {
  if (values !== undefined) return `one of ${values.join(', ')}`;
  if (type === 'array') return 'a list of names';
  if (type === 'boolean') return 'true or false';
  if (type === 'string') {
    // A value that no pattern takes makes the schema say what its pattern is.
    const issue = ConfigSchema.shape[key].safeParse('\0').error?.issues[0];
    return issue === undefined ? 'text' : `text: ${issue.message}`;
  }
  return key.endsWith('Ms') ? `milliseconds, at most ${maximum}` : `a whole number from ${minimum} to ${maximum}`;
}
