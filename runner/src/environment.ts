/** What the task's environment tells the runner. */
import { tmpdir } from 'node:os';
import { type PlatformFacts, PlatformFactsSchema } from '../../infra/enclave/platform-facts.ts';
import type { FleetRunAction, RunAction } from '../../src/enclave/names.ts';

export type { PlatformFactsInput } from '../../infra/enclave/platform-facts.ts';

export type EngineSettings =
  | { readonly kind: 'simulated'; readonly cloudUrl: string }
  | {
      readonly kind: 'terraform';
      readonly facts: PlatformFacts;
      /** Dependency lock file beside the provider mirror of the image. */
      readonly lockFile: string | undefined;
      readonly workFolder: string;
      /** Stands in for all of AWS that Terraform speaks to; undefined: AWS itself. */
      readonly emulatorUrl: string | undefined;
    };

interface Common {
  /** Name of the run: of its item, its lock and its execution. */
  readonly run: string;
  /** ARN of the execution that started the task: the lock names it. */
  readonly executionArn: string;
  readonly stateTable: string;
  readonly historyTable: string;
  readonly environment: string;
  readonly region: string;
  readonly engine: EngineSettings;
  /** Base URL of ECS' task metadata, version 4. */
  readonly metadataUri: string;
  /** Age at which the run gives up by itself, before the workflow's own timeout. */
  readonly deadlineMs: number;
}
export interface EnclaveSettings extends Common {
  readonly action: RunAction;
  readonly enclaveId: string;
}
export interface FleetSettings extends Common {
  readonly action: FleetRunAction;
}
export type Settings = EnclaveSettings | FleetSettings;

type Environment = Readonly<Record<string, string | undefined>>;

/** Longest run: below the workflow's timeout of the task (1,680 s), with time left to end well. */
const DEFAULT_DEADLINE_SECONDS = 1_500;
const ACTIONS: ReadonlySet<string> = new Set(['deploy', 'destroy', 'drift']);
const isAction = (text: string): text is RunAction | FleetRunAction => ACTIONS.has(text);

/** Throws one error that names every variable that is missing or malformed; it never shows a value. */
export function readSettings(environment: Environment): Settings {
  const problems: string[] = [];
  const required = (name: string): string => {
    const value = environment[name] ?? '';
    if (value === '') problems.push(`${name} is not set`);
    return value;
  };
  const action = required('ACTION');
  if (!isAction(action)) problems.push('ACTION is neither deploy, destroy nor drift');
  const deadlineSeconds = Number(environment.RUN_DEADLINE_SECONDS ?? DEFAULT_DEADLINE_SECONDS);
  if (!(deadlineSeconds > 0)) problems.push('RUN_DEADLINE_SECONDS is not a positive number');
  const common: Common = {
    run: required('RUN'),
    executionArn: required('EXECUTION_ARN'),
    stateTable: required('STATE_TABLE'),
    historyTable: required('HISTORY_TABLE'),
    environment: required('ENCLAVE_ENVIRONMENT'),
    region: required('AWS_REGION'),
    engine: readEngine(environment, required, problems),
    metadataUri: required('ECS_CONTAINER_METADATA_URI_V4'),
    deadlineMs: deadlineSeconds * 1_000,
  };
  const settings: Settings =
    action === 'drift'
      ? { ...common, action }
      : { ...common, action: action === 'destroy' ? 'destroy' : 'deploy', enclaveId: required('ENCLAVE_ID') };
  if (problems.length > 0) throw new Error(`the runner cannot start: ${problems.join('; ')}`);
  return settings;
}

function readEngine(environment: Environment, required: (name: string) => string, problems: string[]): EngineSettings {
  switch (environment.RUNNER_ENGINE) {
    case 'simulated':
      return { kind: 'simulated', cloudUrl: required('SIMULATED_CLOUD_URL') };
    case 'terraform': {
      const read = PlatformFactsSchema.safeParse(parse(required('PLATFORM_FACTS')));
      if (read.success) {
        return {
          kind: 'terraform',
          facts: read.data,
          lockFile: environment.TERRAFORM_LOCK_FILE || undefined,
          workFolder: tmpdir(),
          emulatorUrl: environment.AWS_ENDPOINT_URL || undefined,
        };
      }
      const fields = read.error.issues.map(({ path, code }) => `${path.join('.') || 'the whole'} (${code})`);
      if (environment.PLATFORM_FACTS) problems.push(`PLATFORM_FACTS is malformed in ${fields.join(', ')}`);
      break;
    }
    default:
      problems.push('RUNNER_ENGINE is neither terraform nor simulated');
  }
  // Never seen: there is a problem, so reading the settings throws.
  return { kind: 'simulated', cloudUrl: '' };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}
