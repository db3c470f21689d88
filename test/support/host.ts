/** A host in a temporary folder: the agent's own scripts, fakes of the programs they call, and a clock that stands. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { HOST_CONFIGURATION_VERSION, type HostConfiguration } from '../../src/enclave/host-configuration.ts';
import { type Report, ReportSchema } from '../../src/enclave/items/report.ts';
import { parseSpec } from '../../src/enclave/spec/spec.ts';

export const AGENT = fileURLToPath(new URL('../../infra/host/agent', import.meta.url));
export const FAKES = fileURLToPath(new URL('../host/fakes', import.meta.url));
const BUCKET = 'hosts';

/** Programs the suites need; a sentence for each that is missing. In CI a missing one is a failure. */
export function hostToolsMissing(
  programs: readonly string[] = ['bash', 'jq', 'flock', 'socat', 'sha384sum', 'curl', 'ip', 'ldd'],
): string[] {
  const missing = programs
    .filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0)
    .map((program) => `${program} is not installed`);
  if (missing.length > 0 && process.env.CI === 'true') throw new Error(missing.join('; '));
  if (missing.length > 0) console.warn(`skipped: ${missing.join('; ')}`);
  return missing;
}

/** What makes a command run as root, for chroot; undefined: nothing does here, which is said. In CI that is a failure. */
export function asRoot(): readonly string[] | undefined {
  if (process.getuid?.() === 0) return [];
  if (spawnSync('sudo', ['-n', 'true']).status === 0) return ['sudo', '-n'];
  if (process.env.CI === 'true') throw new Error('neither root nor sudo without a password');
  console.warn('skipped: chroot needs root');
  return undefined;
}

/** Runs a command with the rights that chroot and device nodes need. */
export function runAsRoot(
  command: readonly string[],
  input = '',
): { readonly status: number | null; readonly stderr: string } {
  const [program = '', ...args] = [...(asRoot() ?? []), ...command];
  return spawnSync(program, args, { env: { PATH: process.env.PATH }, encoding: 'utf8', input });
}

export interface HostOptions {
  readonly enclaveId?: string;
  readonly instanceId?: string;
  /** URL of a database that takes the reports too. */
  readonly database?: string;
  readonly table?: string;
}

export const spec = (providerConfig: object = {}): Record<string, unknown> => {
  const result = parseSpec(
    {
      id: 'enc_1',
      walletAddress: '0x52908400098527886E0F7030069857D2E4169EE7',
      providerConfig: {
        dockerImage: 'ghcr.io/acme/signer:1.4.2',
        instanceType: 'm6i.2xlarge',
        cpuCount: 2,
        memoryMiB: 2048,
        exposePorts: [8080],
        ...providerConfig,
      },
    },
    { regions: [], defaultRegion: 'us-west-2', environment: 'dev' },
  );
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return { ...result.spec };
};

export class TestHost {
  readonly root = mkdtempSync(join(tmpdir(), 'enclave-host-'));
  readonly fake = join(this.root, 'fake');
  /** Folders of hosts that have booted, by what they were booted with: a boot takes a second. */
  static readonly #booted = new Map<string, string>();
  readonly enclaveId: string;
  readonly instanceId: string;
  readonly #database: string | undefined;
  readonly #table: string;

  constructor(options: HostOptions = {}) {
    this.enclaveId = options.enclaveId ?? 'enc_1';
    this.instanceId = options.instanceId ?? 'i-0123456789abcdef0';
    this.#database = options.database;
    this.#table = options.table ?? 'treza-dev-operator-state';
    this.write(
      'etc/enclave/host.env',
      `ENCLAVE_ID=${this.enclaveId}\nREGION=us-west-2\nCONFIGURATION_BUCKET=${BUCKET}\nCONFIGURATION_KEY=configuration.json\n`,
    );
    this.write('fake/now', '1800000000');
    this.write('fake/listens', '');
    this.write('fake/health', '200');
    this.image({ Entrypoint: ['/app/signer'], Cmd: ['--port', '8080'] });
    this.#powerOn();
  }

  /** A path below the host's root, read as text; undefined: not there. */
  read(path: string): string | undefined {
    const file = join(this.root, path);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  }

  json(path: string): unknown {
    return JSON.parse(this.read(path) ?? 'null');
  }

  write(path: string, content: string | Uint8Array): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true, force: true });
  }

  /** The configuration of the image that docker tells. */
  image(config: object): void {
    const digest = `sha256:${'d'.repeat(64)}`;
    this.write('fake/image.json', JSON.stringify([{ RepoDigests: [`ghcr.io/acme/signer@${digest}`], Config: config }]));
  }

  /** Puts the configuration object where the agent looks for it. */
  configure(generation: number, wanted: object = spec(), extra: object = {}): void {
    const configuration: HostConfiguration = {
      version: HOST_CONFIGURATION_VERSION,
      enclaveId: this.enclaveId,
      environment: 'test',
      region: 'us-west-2',
      generation,
      reportTable: this.#table,
      logGroup: `/aws/ec2/enclave/${this.enclaveId}`,
      spec: wanted as Record<string, unknown>,
    };
    this.write(`fake/s3/${BUCKET}/configuration.json`, JSON.stringify({ ...configuration, ...extra }));
  }

  /** Runs one of the agent's programs to its end. */
  run(program: string, ...args: string[]): { readonly status: number | null; readonly stderr: string } {
    const { status, stderr } = spawnSync(join(AGENT, 'bin', program), args, {
      env: {
        PATH: `${FAKES}:${process.env.PATH}`,
        ENCLAVE_ROOT: this.root,
        AGENT,
        FAKE: this.fake,
        HOME: this.root,
        ...(this.#database === undefined ? {} : { FAKE_DATABASE: this.#database }),
      },
      encoding: 'utf8',
    });
    return { status, stderr };
  }

  /** What the units do at a boot, in their order. */
  boot(): void {
    this.run('follow', '--fetch');
    for (const step of ['allocate', 'image', 'proxies', 'run', 'watch', 'report']) this.run(step);
  }

  /** A host of this configuration that has booted; a copy of one that was made before, where there is one. */
  bootWith(wanted: object): void {
    const key = JSON.stringify(wanted);
    const kept = TestHost.#booted.get(key);
    if (kept === undefined) {
      this.configure(1, wanted);
      this.boot();
      const copy = mkdtempSync(join(tmpdir(), 'enclave-booted-'));
      cpSync(this.root, copy, { recursive: true });
      TestHost.#booted.set(key, copy);
    } else {
      cpSync(kept, this.root, { recursive: true });
    }
  }

  static forgetBooted(): void {
    for (const folder of TestHost.#booted.values()) rmSync(folder, { recursive: true, force: true });
    TestHost.#booted.clear();
  }

  /** One turn of the timer that looks at the enclave, `seconds` later. */
  tick(seconds = 5): void {
    this.advance(seconds);
    this.run('watch');
  }

  advance(seconds: number): void {
    this.write('fake/now', String(Number(this.read('fake/now')) + seconds));
  }

  /** What a reboot, or a stop and a start, leaves: the disk, and another boot id. */
  powerCycle(): void {
    for (const path of ['run', 'proc', 'sys', 'fake/enclaves.json', 'fake/units']) this.remove(path);
    this.#powerOn();
  }

  #powerOn(): void {
    this.write('run/cloud-init/instance-data.json', JSON.stringify({ v1: { instance_id: this.instanceId } }));
    this.write('proc/sys/kernel/random/boot_id', `${crypto.randomUUID()}\n`);
    this.write('sys/module/nitro_enclaves/parameters/ne_cpus', '\n');
    this.write('sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages', '0\n');
    mkdirSync(join(this.root, 'run/nitro_enclaves'), { recursive: true });
  }

  /** What nitro-cli would tell. */
  get enclaves(): Record<string, unknown>[] {
    return (this.json('fake/enclaves.json') ?? []) as Record<string, unknown>[];
  }

  set enclaves(enclaves: object[]) {
    this.write('fake/enclaves.json', JSON.stringify(enclaves));
  }

  /** Every report written so far. */
  get reports(): Report[] {
    const folder = join(this.fake, 'reports');
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .sort()
      .map((name) => {
        const { Item } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
        return ReportSchema.parse(unmarshall(Item));
      });
  }

  get report(): Report {
    const last = this.reports.at(-1);
    if (last === undefined) throw new Error(`no report; the log:\n${this.log}`);
    return last;
  }

  get log(): string {
    return this.read('var/log/enclave/agent.log') ?? '';
  }

  /** How often nitro-cli was asked for one thing. */
  count(verb: string): number {
    return (this.read('fake/nitro-cli.log') ?? '').split('\n').filter((line) => line.startsWith(verb)).length;
  }

  copyContext(to: string): void {
    cpSync(join(this.fake, 'context/enclave'), to, { recursive: true });
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
