/** A host under a real systemd: PID 1 of its own namespaces, the agent's own units and scripts, and fakes of AWS, docker and nitro-cli. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../src/enclave/items/report.ts';
import { AGENT, asRoot, FAKES, hostToolsMissing, runAsRoot, TestHost } from './host.ts';
import { until } from './runner-bench.ts';

const NAMESPACE = fileURLToPath(new URL('systemd-namespace.sh', import.meta.url));
const SYSTEMD = '/lib/systemd/systemd';

/** Units of Amazon Linux that the agent controls, as far as it can see them. */
const UNITS = {
  'nitro-enclaves-allocator.service': 'Type=oneshot\nRemainAfterExit=yes\nExecStart=/usr/local/bin/allocator',
  'docker.service': 'Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true',
};

const ALLOCATOR = `#!/bin/bash
file=/etc/nitro_enclaves/allocator.yaml
seq -s , 1 "$(sed -n 's/^cpu_count: //p' "$file")" >/sys/module/nitro_enclaves/parameters/ne_cpus
echo $((($(sed -n 's/^memory_mib: //p' "$file") + 1) / 2)) >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
`;

/** What a host under systemd needs and this machine lacks; said once. In CI that is a failure. */
export function systemdMissing(): string[] {
  const missing = hostToolsMissing(['unshare', 'nsenter', 'jq', 'flock', 'ldd', 'socat']);
  const say = (reason: string) => {
    if (process.env.CI === 'true') throw new Error(reason);
    console.warn(`skipped: ${reason}`);
    missing.push(reason);
  };
  if (asRoot() === undefined) return [...missing, 'namespaces need root'];
  if (!existsSync(SYSTEMD)) say(`${SYSTEMD} is not installed`);
  if (!/ cgroup2 [^ ]*\brw\b/.test(readFileSync('/proc/self/mounts', 'utf8'))) say('no writable cgroup2 is mounted');
  return missing;
}

export class SystemdHost {
  /** Its files are those of the fakes: configuration, reports, calls of nitro-cli. */
  readonly host = new TestHost();
  readonly #folder = join(this.host.root, 'namespace');
  #process: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #pid = '';

  /** Boots to basic.target, with the agent in place and not installed yet. */
  async boot(): Promise<void> {
    this.host.write('fake/daemonizes', '');
    this.#file('run/cloud-init/instance-data.json', this.host.read('run/cloud-init/instance-data.json') ?? '');
    this.#file('files/etc/enclave/host.env', this.host.read('etc/enclave/host.env') ?? '');
    this.#file(
      'files/etc/systemd/system.conf.d/test.conf',
      '[Manager]\nDefaultEnvironment="FAKE=/fake" "ENCLAVE_ROOT="\n',
    );
    for (const [name, service] of Object.entries(UNITS)) {
      this.#file(`files/etc/systemd/system/${name}`, `[Service]\n${service}\n`);
    }
    this.#program('allocator', ALLOCATOR);
    for (const name of ['aws', 'docker', 'nitro-cli', 'amazon-cloudwatch-agent-ctl']) {
      this.#program(name, readFileSync(join(FAKES, name), 'utf8'));
    }
    this.#program('vsock-proxy', '#!/bin/bash\n');
    cpSync(AGENT, join(this.#folder, 'files/usr/local/lib/enclave-agent/current'), { recursive: true });
    const [program = '', ...args] = [...(asRoot() ?? []), NAMESPACE, this.#folder, this.host.fake];
    const child = spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'] });
    this.#process = child;
    this.#ended = new Promise((resolve) => child.on('exit', resolve));
    this.#pid = await until('the PID of systemd', () => {
      if (child.exitCode !== null) throw new Error(`${NAMESPACE} ended with status ${child.exitCode}`);
      const file = join(this.#folder, 'pid');
      return existsSync(file) ? readFileSync(file, 'utf8').trim() || undefined : undefined;
    });
    await until('basic.target', () => {
      if (child.exitCode !== null) throw new Error(`systemd ended with status ${child.exitCode}`);
      return this.run('systemctl', 'is-active', 'basic.target') === 'active' || undefined;
    });
  }

  /** Runs a program beside the units, in a control group of its own as the SSM agent does; its standard output. */
  run(...command: string[]): string {
    const [program = '', ...args] = [
      ...(asRoot() ?? []),
      ...['nsenter', '--target', this.#pid, '--mount', '--pid', '--cgroup', '--uts', '--ipc', '--'],
      ...['env', '-i', 'FAKE=/fake', 'PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', ...command],
    ];
    return spawnSync(program, args, { encoding: 'utf8' }).stdout.trim();
  }

  /** Starts a unit and waits until nothing of it runs. */
  async start(unit: string): Promise<void> {
    this.run('systemctl', 'start', unit);
    await until(`the end of ${unit}`, () => {
      const state = this.run('systemctl', 'show', '--property=ActiveState', '--value', unit);
      return state === 'inactive' || state === 'failed' || undefined;
    });
  }

  /** The processes of the enclaves that nitro-cli shows, each with its control group. */
  enclaves(): { readonly process: number; readonly group: string }[] {
    const enclaves = JSON.parse(this.run('nitro-cli', 'describe-enclaves') || '[]') as { ProcessID: number }[];
    return enclaves.map(({ ProcessID }) => ({
      process: ProcessID,
      group: /^0::(.*)$/m.exec(this.run('cat', `/proc/${ProcessID}/cgroup`))?.[1] ?? '',
    }));
  }

  /** The last report; root wrote it, who may not be the user of the test. */
  report(): Report {
    runAsRoot(['chmod', '-R', 'a+rX', this.host.fake]);
    return this.host.report;
  }

  log(): string {
    return this.run('cat', '/var/log/enclave/agent.log');
  }

  async stop(): Promise<void> {
    this.#process?.stdin?.end();
    await this.#ended;
    runAsRoot(['rm', '-rf', this.host.root]);
  }

  #file(path: string, content: string): void {
    const file = join(this.#folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  #program(name: string, content: string): void {
    this.#file(`files/usr/local/bin/${name}`, content);
    chmodSync(join(this.#folder, 'files/usr/local/bin', name), 0o755);
  }
}
