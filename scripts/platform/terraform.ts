/** Terraform's own program, in a working folder; what it says passes through. */
import { spawn } from 'node:child_process';
import { Refusal } from './terminal.ts';

export interface Terraform {
  /** Throws where Terraform ends with an error. */
  run(...args: readonly string[]): Promise<void>;
  /** As `run`, and returns what it printed. */
  read(...args: readonly string[]): Promise<string>;
}

function start(folder: string, env: NodeJS.ProcessEnv, args: readonly string[], captured: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('terraform', args, {
      cwd: folder,
      env,
      stdio: ['inherit', captured ? 'pipe' : 'inherit', 'inherit'],
    });
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'ENOENT' ? new Refusal('terraform is not on the PATH: install Terraform 1.11 or newer') : error,
      ),
    );
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(text);
      reject(new Refusal(`terraform ${args[0]} ended with ${signal ?? code}: see its message above`));
    });
  });
}

export function terraformIn(folder: string, env: NodeJS.ProcessEnv): Terraform {
  const all = { ...env, TF_IN_AUTOMATION: '1', TF_INPUT: '0', CHECKPOINT_DISABLE: '1' };
  return {
    run: async (...args) => {
      await start(folder, all, args, false);
    },
    read: (...args) => start(folder, all, args, true),
  };
}

/** What the state holds. `terraform state list` would fail where there is no state yet. */
export async function managed(terraform: Terraform): Promise<ReadonlySet<string>> {
  const { values } = JSON.parse(await terraform.read('show', '-json')) as {
    readonly values?: { readonly root_module?: { readonly resources?: readonly { readonly address: string }[] } };
  };
  return new Set((values?.root_module?.resources ?? []).map(({ address }) => address));
}
