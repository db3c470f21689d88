/** Configuration, layered: flags over environment over file over defaults; all errors at once. */
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { isPlainMap } from '../enclave/json.ts';
import { nearest } from '../enclave/nearest.ts';
import { type Config, ConfigSchema } from '../reconciler/config.ts';

export const VARIABLE_PREFIX = 'ENCLAVE_OPERATOR_';

/** Never a key: no file, no flag and no listing ever holds it. */
export const WEBHOOK_SECRET = `${VARIABLE_PREFIX}NOTIFY_WEBHOOK_SECRET`;

export type ConfigKey = keyof Config;
export const CONFIG_KEYS = Object.keys(ConfigSchema.shape) as readonly ConfigKey[];

/** One configured value, and where it came from. */
export interface Setting {
  readonly key: ConfigKey;
  readonly value: Config[ConfigKey];
  /** `default`, `derived from prefix`, `file <name>`, the variable's name, or the flag's. */
  readonly source: string;
}

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** The key, or the unknown name as it was written. */
  readonly key: string;
  readonly source: string;
  readonly reason: string;
  readonly fix: string;
}

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config; readonly settings: readonly Setting[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

export interface ConfigInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  /** Values of command-line flags, by key. */
  readonly flags?: Partial<Record<ConfigKey, string | undefined>> | undefined;
}

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

interface Raw {
  readonly value: unknown;
  readonly source: string;
}

/** Reads and checks the whole configuration. Never throws, whatever the input. */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const problems: ConfigProblem[] = [];
  const raw = new Map<ConfigKey, Raw>();

  for (const [key, value] of Object.entries(readFile(input.file, problems))) {
    if (isKey(key)) raw.set(key, { value, source: `file ${input.file?.name}` });
    else problems.push(unknownName(key, `file ${input.file?.name}`, CONFIG_KEYS));
  }
  if (input.env.AWS_REGION && !raw.has('region')) {
    raw.set('region', { value: input.env.AWS_REGION, source: 'AWS_REGION' });
  }
  const variables = new Map(CONFIG_KEYS.map((key) => [variableOf(key), key]));
  for (const [variable, value] of Object.entries(input.env)) {
    // An empty variable is how compose files and task definitions spell "not set".
    if (!variable.startsWith(VARIABLE_PREFIX) || value === undefined || value === '') continue;
    if (variable === WEBHOOK_SECRET) continue;
    const key = variables.get(variable);
    if (key === undefined) problems.push(unknownName(variable, 'environment', [...variables.keys()], VARIABLE_PREFIX));
    else raw.set(key, { value, source: variable });
  }
  for (const [key, value] of Object.entries(input.flags ?? {})) {
    if (value === undefined || !isKey(key)) continue;
    raw.set(key, { value, source: `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}` });
  }

  const values: Partial<Record<ConfigKey, unknown>> = {};
  const sources: Partial<Record<ConfigKey, string>> = {};
  for (const description of describeKeys()) {
    const derived = DERIVED.find((rule) => rule.key === description.key);
    const given = raw.get(description.key);
    if (given !== undefined) {
      const problem = checkValue(description, given);
      if (problem !== undefined) problems.push(problem);
      values[description.key] = ConfigSchema.shape[description.key].safeParse(given.value).data;
      sources[description.key] = given.source;
    } else if (derived !== undefined && sources[derived.from] !== 'default') {
      values[description.key] = derived.pattern.replace(`{${derived.from}}`, String(values[derived.from]));
      sources[description.key] = `derived from ${derived.from}`;
    } else {
      values[description.key] = description.fallback;
      sources[description.key] = 'default';
    }
  }
  // A wrong value is replaced by its default, so that rules between the other keys are checked all the same.
  const wrong = new Set(problems.map((problem) => problem.key));
  for (const { key, fallback } of describeKeys()) if (wrong.has(key)) values[key] = fallback;
  const parsed = ConfigSchema.safeParse(values);
  if (parsed.success) {
    for (const { keys, ...conflict } of crossChecks(parsed.data, sources)) {
      if (!keys.some((key) => wrong.has(key))) {
        problems.push({ ...conflict, source: sources[conflict.key as ConfigKey] ?? 'default' });
      }
    }
  } else {
    // Every given value was checked above: only a derived name can still be wrong, because of what it derives from.
    for (const issue of parsed.error.issues) {
      const key = String(issue.path[0]);
      problems.push({ key, source: sources[key as ConfigKey] ?? '', reason: issue.message, fix: 'set it explicitly' });
    }
  }
  if (problems.length > 0 || !parsed.success) return { ok: false, problems };
  const config = parsed.data;
  return {
    ok: true,
    config,
    settings: CONFIG_KEYS.map((key) => ({ key, value: config[key], source: sources[key] ?? 'default' })),
  };
}

/** All problems as one text, one line each. */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  return problems.map((it) => `  ${it.key} (${it.source}): ${it.reason}; ${it.fix}`).join('\n');
}

function isKey(name: string): name is ConfigKey {
  return (CONFIG_KEYS as readonly string[]).includes(name);
}

function readFile(file: ConfigInput['file'], problems: ConfigProblem[]): Readonly<Record<string, unknown>> {
  if (file === undefined) return {};
  const refuse = (reason: string) => {
    problems.push({ key: file.name, source: 'file', reason, fix: 'write one `key: value` a line, as YAML or JSON' });
    return {};
  };
  let content: unknown;
  try {
    content = parseYaml(file.text);
  } catch (error) {
    return refuse(`is neither YAML nor JSON: ${firstLine(error)}`);
  }
  if (content === null || content === undefined) return {};
  return isPlainMap(content) ? content : refuse('is not a map of keys');
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}

/** `prefix`: what name and known ones have in common anyway, and is no likeness. */
function unknownName(name: string, source: string, known: readonly string[], prefix = ''): ConfigProblem {
  const own = (whole: string) => whole.slice(prefix.length);
  const near = nearest(own(name), known.map(own));
  return {
    key: name,
    source,
    reason: 'is not a setting of this version',
    fix: near === undefined ? 'remove it, or look it up with `enclavectl config`' : `did you mean ${prefix}${near}?`,
  };
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

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

/**
 * Checks one given value. Stricter than the schema where the schema coerces: `Number('')` is 0 and `Number(true)` is 1,
 * and neither is what anyone who writes so means.
 */
function checkValue(description: KeyDescription, given: Raw): ConfigProblem | undefined {
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
function crossChecks(config: Config, sources: Partial<Record<ConfigKey, string>>): readonly Conflict[] {
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
