/** The folder one Terraform works in: made for a run, gone with it. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProviderMirror, writeCliConfig } from '../../../infra/enclave/provider-mirror.ts';
import { atExit } from '../at-exit.ts';
import { terraformEnvironment } from './terraform-environment.ts';
import { type Terraform, terraformIn } from './terraform-process.ts';

export interface TerraformPlace {
  readonly binary: string;
  /** Folders of runs are made in it. */
  readonly workFolder: string;
  /** The dependency lock file shipped with the provider mirror; undefined: Terraform writes its own. */
  readonly lockFile: string | undefined;
  /** The runner's environment, of which Terraform gets a part. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface TerraformFolder {
  readonly path: string;
  /** Terraform in the sub-folder that holds the configuration. */
  terraform(configuration: string): Terraform;
  /** Arguments of `init`. */
  readonly initArguments: readonly string[];
  close(): void;
}

export function openFolder(place: TerraformPlace): TerraformFolder {
  const path = mkdtempSync(join(place.workFolder, 'run-'));
  // It holds the plan and the variables, with values in clear.
  const wipe = () => rmSync(path, { recursive: true, force: true });
  const released = atExit(wipe);

  let cliConfigFile = place.environment.TF_CLI_CONFIG_FILE ?? '';
  if (!existsSync(cliConfigFile)) {
    cliConfigFile = join(path, 'terraform.rc');
    writeCliConfig(cliConfigFile, findProviderMirror(place.environment));
  }
  const environment = terraformEnvironment(place.environment, { dataDir: join(path, 'data'), cliConfigFile });
  return {
    path,
    initArguments: ['-input=false', '-no-color', ...(place.lockFile === undefined ? [] : ['-lockfile=readonly'])],
    terraform(configuration) {
      if (place.lockFile !== undefined) copyFileSync(place.lockFile, join(configuration, '.terraform.lock.hcl'));
      return terraformIn({ binary: place.binary, folder: configuration, environment });
    },
    close() {
      wipe();
      released();
    },
  };
}
