/** Checks of configured values: each by itself, and the rules between keys. */
import { type Config, ConfigSchema } from '../reconciler/config.ts';
import { allowed, type ConfigKey, type KeyDescription } from './config-keys.ts';

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** The key, or the unknown name as it was written. */
  readonly key: string;
  readonly source: string;
  readonly reason: string;
  readonly fix: string;
}

/** A value as it was given, and where. */
export interface Given {
  readonly value: unknown;
  readonly source: string;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/**
 * Checks one given value. Stricter than the schema where the schema coerces: `Number('')` is 0 and `Number(true)` is 1,
 * and neither is what anyone who writes so means.
 */
export function checkValue(description: KeyDescription, given: Given): ConfigProblem | undefined {
  const problem = (reason: string): ConfigProblem => ({
    key: description.key,
    source: given.source,
    reason,
    fix: `set ${allowed(description)}`,
  });
  const { value } = given;
  if (description.type === 'boolean') {
    if (!['true', 'false'].includes(String(value))) return problem(`${show(value)} is neither true nor false`);
  } else if (description.type === 'integer') {
    const isWhole = typeof value === 'number' ? Number.isInteger(value) : /^\d{1,15}$/.test(String(value).trim());
    if (!isWhole || (typeof value !== 'number' && typeof value !== 'string')) {
      return problem(`${show(value)} is not a whole number`);
    }
  } else if (description.type === 'string' && typeof value !== 'string') {
    return problem(`${show(value)} is not text; in YAML, quotes make it so`);
  }
  const parsed = ConfigSchema.shape[description.key].safeParse(value);
  return parsed.success ? undefined : problem(`${show(value)} is not allowed`);
}

interface Conflict extends Omit<ConfigProblem, 'source'> {
  readonly keys: readonly ConfigKey[];
}

/** Rules between keys. */
export function crossChecks(config: Config, sources: Partial<Record<ConfigKey, string>>): readonly Conflict[] {
  const conflicts: Conflict[] = [];
  const below = (less: ConfigKey, more: ConfigKey, why: string, orEqual = false) => {
    const [a, b] = [Number(config[less]), Number(config[more])];
    if (orEqual ? a <= b : a < b) return;
    conflicts.push({
      key: less,
      keys: [less, more],
      reason: `${a} is not ${orEqual ? 'at most' : 'less than'} ${more} (${b}, ${sources[more]}): ${why}`,
      fix: `lower ${less} or raise ${more}`,
    });
  };
  const positive = (key: ConfigKey) => {
    if (Number(config[key]) > 0) return;
    conflicts.push({ key, keys: [key], reason: '0 would make it a busy loop', fix: 'set at least 1' });
  };

  below('leaseRenewMs', 'leaseStepDownMs', 'a leader must renew before it has to step down');
  below('leaseStepDownMs', 'leaseMs', 'a leader must step down before another may take over');
  below('retryBaseMs', 'retryMaxMs', 'the pause grows from the first to the longest', true);
  below('errorBackoffBaseMs', 'errorBackoffMaxMs', 'the pause grows from the first to the longest', true);
  below('feedIdleMinMs', 'feedIdleMaxMs', 'the pause grows from the first to the longest', true);
  for (const key of ['relistMs', 'sweepMs', 'observeMs', 'leaseRenewMs', 'leaseRetryMs'] as const) positive(key);
  for (const key of ['feedIdleMinMs', 'errorBackoffBaseMs', 'reconcileTimeoutMs'] as const) positive(key);
  if (config.regions.length > 0 && !config.regions.includes(config.region)) {
    conflicts.push({
      key: 'regions',
      keys: ['regions', 'region'],
      reason: `${config.regions.join(', ')} leaves out region (${config.region}), where records that name none live`,
      fix: `add ${config.region} to regions`,
    });
  }
  return conflicts;
}
