/** States Terraform could not save: pushed again, or parked where the next run finds them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AwsClients } from '../aws/clients.ts';
import { getText, type Place, putText, remove } from '../aws/objects.ts';
import type { Log } from '../log.ts';
import { type Diagnostic, EngineFailure } from './port.ts';
import { diagnosticsOf } from './terraform-output.ts';
import type { Terraform } from './terraform-process.ts';

export interface StateParts {
  readonly clients: AwsClients;
  readonly log: Log;
  readonly terraform: Terraform;
  /** Of the configuration. */
  readonly folder: string;
  /** Where this enclave's state is parked. */
  readonly parked: Place;
}

/** Terraform's own name for it. */
const ERRORED_STATE = 'errored.tfstate';
const PARKED_STATE = 'parked.tfstate';

/** After an apply that failed: brings a state that was left behind to safety, and says so where that took more than a push. */
export async function saveErroredState(parts: StateParts): Promise<readonly Diagnostic[]> {
  const file = join(parts.folder, ERRORED_STATE);
  if (!existsSync(file)) return [];
  const pushed = await push(parts.terraform, ERRORED_STATE);
  if (pushed === undefined) {
    parts.log.warn('terraform could not save the state; the runner pushed it');
    return [];
  }
  try {
    await putText(parts.clients, parts.parked, readFileSync(file, 'utf8'));
    return [stateError('Terraform could not save the state. It is parked beside the plans; the next run takes it up.')];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [
      stateError(
        `Terraform could not save the state, nor could it be parked (${why}). The next run finds what was made by tag and name.`,
      ),
    ];
  }
}

/** Pushes a parked state. One that is older than what is there now is refused by Terraform, and set aside. */
export async function takeUpParkedState(parts: StateParts): Promise<void> {
  const state = await getText(parts.clients, parts.parked);
  if (state === undefined) return;
  writeFileSync(join(parts.folder, PARKED_STATE), state);
  const refused = await push(parts.terraform, PARKED_STATE);
  if (refused === undefined) {
    parts.log.warn('resuming from a parked state');
  } else if (!/serial|lineage/i.test(refused)) {
    throw new EngineFailure([stateError(refused)]);
  } else {
    parts.log.error(`the parked state was refused and set aside: ${refused}`);
    await putText(parts.clients, { ...parts.parked, key: `${parts.parked.key}.refused` }, state);
  }
  await remove(parts.clients, parts.parked);
}

/** Undefined: done; else why not. */
async function push(terraform: Terraform, file: string): Promise<string | undefined> {
  const ended = await terraform.run(['state', 'push', '-no-color', file]);
  if (ended.code === 0) return undefined;
  return diagnosticsOf(ended.stdout, ended.stderr)
    .map(({ summary }) => summary)
    .join('; ');
}

function stateError(summary: string): Diagnostic {
  return { severity: 'error', summary, detail: '', class: 'state' };
}
