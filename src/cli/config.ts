/** Configuration, layered: flags over environment over file over defaults; all errors at once. */
import { parse as parseYaml } from 'yaml';
import { isPlainMap } from '../enclave/json.ts';
import { nearest } from '../enclave/nearest.ts';
import { type Config, ConfigSchema } from '../reconciler/config.ts';
import { type ConfigProblem, checkValue, crossChecks, type Given } from './config-checks.ts';
import {
  CONFIG_KEYS,
  type ConfigKey,
  DERIVED,
  describeKeys,
  VARIABLE_PREFIX,
  variableOf,
  WEBHOOK_SECRET,
} from './config-keys.ts';

/** One configured value, and where it came from. */
export interface Setting {
  readonly key: ConfigKey;
  readonly value: Config[ConfigKey];
  /** `default`, `derived from prefix`, `file <name>`, the variable's name, or the flag's. */
  readonly source: string;
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

/** Reads and checks the whole configuration. Never throws, whatever the input. */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const problems: ConfigProblem[] = [];
  const raw = new Map<ConfigKey, Given>();

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
