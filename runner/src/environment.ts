/** What the task's environment tells the runner. */
import { RunActionSchema } from '../../src/enclave/items.ts';
import type { RunAction } from '../../src/enclave/names.ts';

export interface Settings {
  readonly enclaveId: string;
  /** Name of the run: of its item, its lock and its execution. */
  readonly run: string;
  readonly action: RunAction;
  readonly executionArn: string | undefined;
  readonly stateTable: string;
  readonly historyTable: string;
  readonly environment: string;
  readonly region: string;
  readonly engine: 'simulated';
  readonly simulatedCloudUrl: string;
  /** Base URL of ECS' task metadata, version 4. */
  readonly metadataUri: string;
  /** Age at which the run gives up by itself, before the workflow's own timeout. */
  readonly deadlineMs: number;
}

/** Longest run: below the workflow's timeout of the task (1,680 s), with time left to end well. */
const DEFAULT_DEADLINE_SECONDS = 1_500;

/** Throws one error that names every variable that is missing or malformed; it never shows a value. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const problems: string[] = [];
  const required = (name: string): string => {
    const value = environment[name] ?? '';
    if (value === '') problems.push(`${name} is not set`);
    return value;
  };
  const action = RunActionSchema.safeParse(required('ACTION'));
  if (!action.success) problems.push('ACTION is neither deploy nor destroy');
  const engine = environment.RUNNER_ENGINE ?? '';
  if (engine !== 'simulated') problems.push('RUNNER_ENGINE is not simulated');
  const deadlineSeconds = Number(environment.RUN_DEADLINE_SECONDS ?? DEFAULT_DEADLINE_SECONDS);
  if (!(deadlineSeconds > 0)) problems.push('RUN_DEADLINE_SECONDS is not a positive number');
  const settings: Settings = {
    enclaveId: required('ENCLAVE_ID'),
    run: required('RUN'),
    action: action.data ?? 'deploy',
    executionArn: environment.EXECUTION_ARN || undefined,
    stateTable: required('STATE_TABLE'),
    historyTable: required('HISTORY_TABLE'),
    environment: required('ENCLAVE_ENVIRONMENT'),
    region: required('AWS_REGION'),
    engine: 'simulated',
    simulatedCloudUrl: required('SIMULATED_CLOUD_URL'),
    metadataUri: required('ECS_CONTAINER_METADATA_URI_V4'),
    deadlineMs: deadlineSeconds * 1_000,
  };
  if (problems.length > 0) throw new Error(`the runner cannot start: ${problems.join('; ')}`);
  return settings;
}
