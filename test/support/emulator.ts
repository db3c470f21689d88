/** AWS for real Terraform: moto through a launcher of ours, and whether this machine has the tools. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findProviderMirror, PROVIDER_VERSION, writeCliConfig } from '../../infra/enclave/provider-mirror.ts';

export interface Emulator {
  readonly url: string;
  /** What `terraform` and `aws` need to reach it and nothing else; to be laid over a process' own environment. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const launcher = fileURLToPath(new URL('emulator/launcher.py', import.meta.url));

export const EMULATED_REGION = 'us-west-2';
export const EMULATED_ACCOUNT = '123456789012';

function onPath(program: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The Python that has moto: the one `moto_server` names, or the usual one where that is a shell script. */
function pythonWithMoto(): string | undefined {
  const server = onPath('moto_server');
  if (server === undefined) return undefined;
  const [, named = ''] = /^#!(\S*python\S*)/.exec(readFileSync(server, 'utf8')) ?? [];
  const found = (python: string) =>
    spawnSync(python, [
      '-c',
      'import importlib.util as u, sys; sys.exit(not (u.find_spec("moto") and u.find_spec("flask")))',
    ]).status === 0;
  return [named, 'python3'].filter((python) => python !== '').find(found);
}

/** Asked in a process of its own: suites decide before they begin whether they can run. */
function registryAnswers(): boolean {
  const ask = `fetch('https://registry.terraform.io/.well-known/terraform.json', {signal: AbortSignal.timeout(5000)})
    .then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`;
  return spawnSync(process.execPath, ['-e', ask]).status === 0;
}

let missing: readonly string[] | undefined;

/** What real Terraform against the emulator needs and this machine lacks, as sentences. Looked up once a process. */
export function toolsMissing(): readonly string[] {
  missing ??= [
    ...(onPath('terraform') ? [] : ['terraform (1.11 or newer) is not on the PATH.']),
    ...(findProviderMirror(process.env) !== undefined || registryAnswers()
      ? []
      : [
          `No mirror holds the provider hashicorp/aws ${PROVIDER_VERSION} and the registry does not answer: ` +
            'name a mirror in TF_PLUGIN_MIRROR (`terraform providers mirror` makes one).',
        ]),
    ...(pythonWithMoto()
      ? []
      : ['moto_server is not on the PATH, or its Python lacks moto: pip install "moto[server]".']),
    ...(onPath('aws') ? [] : ['The AWS CLI (aws) is not on the PATH.']),
  ];
  return missing;
}

/** True where the suite can run. Elsewhere it says what is skipped and why; in CI a missing tool is a failure. */
export function requireTools(suite: string): boolean {
  const reasons = toolsMissing();
  if (reasons.length === 0) return true;
  const text = `${suite}: ${reasons.join(' ')}`;
  if (process.env.CI) throw new Error(text);
  console.warn(`skipped: ${text}`);
  return false;
}

/** The first line the launcher prints is its address: by then it answers. */
function address(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const complaints: string[] = [];
    child.stderr?.on('data', (chunk: Buffer) => complaints.push(chunk.toString()));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the emulator ended with ${code}: ${complaints.join('')}`)));
    if (child.stdout) createInterface(child.stdout).once('line', resolve);
  });
}

/** Starts an empty AWS on a free port. It ends with `stop`, and by itself where the test's process dies. */
export async function startEmulator(): Promise<Emulator> {
  const python = pythonWithMoto();
  if (python === undefined) throw new Error(toolsMissing().join(' '));
  const child = spawn(python, [launcher], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await address(child);

  const folder = mkdtempSync(join(tmpdir(), 'enclave-emulator-'));
  const cliConfig = join(folder, 'terraform.rc');
  writeCliConfig(cliConfig, findProviderMirror(process.env));
  const awsConfig = join(folder, 'aws.config');
  writeFileSync(awsConfig, '[default]\n');
  return {
    url,
    env: {
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: 'emulated',
      AWS_SECRET_ACCESS_KEY: 'emulated',
      AWS_REGION: EMULATED_REGION,
      AWS_DEFAULT_REGION: EMULATED_REGION,
      // Nothing of the person's own account is read.
      AWS_PROFILE: 'default',
      AWS_CONFIG_FILE: awsConfig,
      AWS_SHARED_CREDENTIALS_FILE: devNull,
      AWS_EC2_METADATA_DISABLED: 'true',
      TF_CLI_CONFIG_FILE: cliConfig,
      TF_IN_AUTOMATION: '1',
      TF_INPUT: '0',
      CHECKPOINT_DISABLE: '1',
    },
    async stop() {
      child.stdin?.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
