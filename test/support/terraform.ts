/** Terraform and the AWS CLI as a test calls them: their JSON, or an error with all they said. */
import { spawnSync } from 'node:child_process';
import type { Emulator } from './emulator.ts';

interface PlannedChange {
  readonly address: string;
  readonly change: {
    readonly actions: readonly string[];
    readonly before: Readonly<Record<string, unknown>> | null;
    readonly after: Readonly<Record<string, unknown>> | null;
  };
}

export interface Plan {
  readonly resource_changes: readonly PlannedChange[];
  readonly resource_drift?: readonly PlannedChange[];
}

function run(program: string, args: readonly string[], env: object, cwd?: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${error ?? ''}${stdout}${stderr}`);
}

/** The AWS CLI on the emulator. */
export function awsOn(emulator: Emulator) {
  return (...args: readonly string[]) => {
    const answer = run('aws', [...args, '--output', 'json'], emulator.env);
    return answer === '' ? undefined : JSON.parse(answer);
  };
}

/** True where AWS says that there is no such thing; any other complaint is thrown. */
export function isMissing(ask: () => unknown): boolean {
  try {
    ask();
    return false;
  } catch (error) {
    if (/NoSuch|NotFound|Not Found/.test(String(error))) return true;
    throw error;
  }
}

/** Terraform in one working folder. */
export function terraformIn(folder: string, emulator: Emulator) {
  const terraform = (...args: readonly string[]) => run('terraform', args, emulator.env, folder);
  return {
    init: () => terraform('init', '-no-color'),
    validate: () => terraform('validate', '-no-color'),
    plan(...flags: readonly string[]): Plan {
      terraform('plan', '-no-color', '-out=plan', ...flags);
      return JSON.parse(terraform('show', '-json', 'plan'));
    },
    apply: () => terraform('apply', '-no-color', 'plan'),
    state: () => terraform('state', 'pull'),
    output: (): Record<string, { readonly value: string }> => JSON.parse(terraform('output', '-json')),
  };
}

const OWNED_ELSEWHERE: ReadonlySet<string> = new Set(['inline_policy', 'managed_policy_arns']);

/**
 * What a plan would do, as `address: actions`, and what changed behind Terraform's back; nothing where nothing is.
 * Of the latter, what the provider reads otherwise than it wrote is left out: a map that is empty, not absent, and
 * the policies of a role, which other resources of the stack own.
 */
export function doings({ resource_changes, resource_drift = [] }: Plan): readonly string[] {
  const say = ({ address, change }: PlannedChange) => `${address}: ${change.actions.join('+')}`;
  const drifted = resource_drift.filter(({ change }) => differences(change).some((name) => !OWNED_ELSEWHERE.has(name)));
  return [
    ...resource_changes.filter(({ change }) => change.actions.join() !== 'no-op').map(say),
    ...drifted.map((each) => `drift of ${say(each)}`),
  ].sort();
}

/** Names of the attributes in which a planned change differs. */
export function changedAttributes(plan: Plan, address: string): readonly string[] {
  const found = plan.resource_changes.find((each) => each.address === address);
  return found === undefined ? [] : differences(found.change);
}

function differences({ before, after }: PlannedChange['change']): readonly string[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  const text = (value: unknown) => JSON.stringify(value ?? {});
  return [...names].filter((name) => text(before?.[name]) !== text(after?.[name])).sort();
}
