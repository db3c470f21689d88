/** The verbs of enclavectl: name, options, help and code of each. */
import { Argument, type Command, Option } from 'commander';
import type { ExitCode } from './exit.ts';
import type { Io } from './io.ts';

type Action<Options> = (io: Io, args: readonly string[], options: Options) => Promise<ExitCode>;

export interface Verb {
  readonly name: string;
  readonly args?: string;
  readonly summary: string;
  /** One line each, without the leading `enclavectl`. */
  readonly examples: readonly string[];
  readonly options?: (command: Command) => Command;
  /** Loads the code only when the command runs. `program`: the tree of all commands. */
  // biome-ignore lint/suspicious/noExplicitAny: each action names the options it declared; commander gives them untyped
  readonly load: (program: () => Command) => Promise<Action<any>>;
}

const output = (...choices: readonly string[]) =>
  new Option('-o, --output <format>', 'form of the answer').choices(choices).default(choices[0]);
const file = new Option(
  '-f, --filename <file>',
  'YAML or JSON, one or many documents; - reads stdin; can be repeated',
).argParser((name: string, before: readonly string[] = []) => [...before, name]);
const force = new Option('--force', "write the command although the enclave's status does not offer it");

/** In the order in which the help lists them. */
export const VERBS: readonly Verb[] = [
  {
    name: 'apply',
    summary: 'create or update enclaves from records',
    examples: ['apply -f examples/service.yaml', 'apply -f signer.yaml -f batch.yaml', 'apply -f - < records.json'],
    options: (command) => command.addOption(file.makeOptionMandatory()),
    load: async () => (await import('./commands/apply.ts')).apply,
  },
  {
    name: 'get',
    args: '[id]',
    summary: 'list enclaves, or show one',
    examples: ['get', 'get -w', 'get enc_1755986905612_ouocac870 -o json'],
    options: (command) =>
      command.addOption(output('table', 'wide', 'json', 'yaml')).option('-w, --watch', 'print again on every change'),
    load: async () => (await import('./commands/get.ts')).get,
  },
  {
    name: 'describe',
    args: '<id>',
    summary: 'show all that is known of one enclave: spec, phase, conditions, runs, events',
    examples: ['describe enc_1755986905612_ouocac870'],
    load: async () => (await import('./commands/describe.ts')).describe,
  },
  {
    name: 'delete',
    args: '<id...>',
    summary: 'destroy enclaves and all their resources; the records stay, as DESTROYED',
    examples: ['delete enc_1755986905612_ouocac870', 'delete --yes enc_1 enc_2'],
    options: (command) => command.option('-y, --yes', 'do not ask; needed where there is no terminal').addOption(force),
    load: async () => (await import('./commands/command.ts')).destroy,
  },
  {
    name: 'pause',
    args: '<id...>',
    summary: "stop enclaves' hosts; resume starts them again",
    examples: ['pause enc_1755986905612_ouocac870'],
    options: (command) => command.addOption(force),
    load: async () => (await import('./commands/command.ts')).pause,
  },
  {
    name: 'resume',
    args: '<id...>',
    summary: "start paused enclaves' hosts",
    examples: ['resume enc_1755986905612_ouocac870'],
    options: (command) => command.addOption(force),
    load: async () => (await import('./commands/command.ts')).resume,
  },
  {
    name: 'retry',
    args: '<id...>',
    summary: 'try again now, with a fresh count of attempts',
    examples: ['retry enc_1755986905612_ouocac870'],
    load: async () => (await import('./commands/request.ts')).retry,
  },
  {
    name: 'adopt',
    args: '<id...>',
    summary: 'take over enclaves that exist, or that the record says exist, as they are found',
    examples: ['adopt enc_1755986905612_ouocac870'],
    load: async () => (await import('./commands/request.ts')).adopt,
  },
  {
    name: 'unlock',
    args: '<id>',
    summary: "break a dead run's lock on the Terraform state, now",
    examples: ['unlock enc_1755986905612_ouocac870', 'unlock --yes enc_1755986905612_ouocac870'],
    options: (command) => command.option('-y, --yes', 'do not ask; needed where there is no terminal'),
    load: async () => (await import('./commands/unlock.ts')).unlock,
  },
  {
    name: 'plan',
    args: '<id>',
    summary: 'make a full Terraform plan of one enclave now, and show what it would change',
    examples: ['plan enc_1755986905612_ouocac870', 'plan enc_1755986905612_ouocac870 -o json'],
    options: (command) =>
      command.addOption(output('table', 'json')).option('--timeout <seconds>', 'how long to wait for it', '900'),
    load: async () => (await import('./commands/plan.ts')).plan,
  },
  {
    name: 'approve',
    args: '<id>',
    summary: 'let the operator apply what was planned, where policy.drift.approval is manual (asks)',
    examples: [
      'approve enc_1755986905612_ouocac870',
      'approve enc_1755986905612_ouocac870 --generation 2 --digest 3f2a9c81d7e4',
    ],
    options: (command) =>
      command
        .option('--generation <n>', 'the generation that was planned')
        .option('--digest <digest>', 'the digest of the plan, or its first 12 characters or more'),
    load: async () => (await import('./commands/approve.ts')).approve,
  },
  {
    name: 'preflight',
    summary: 'check whether the operator may take over here: the old pipeline off, names, permissions',
    examples: ['preflight --environment dev', 'preflight --config operator.yaml -o json'],
    options: (command) => command.addOption(output('table', 'json')),
    load: async () => (await import('./commands/preflight.ts')).preflight,
  },
  {
    name: 'freeze',
    summary: 'begin no runs and no repairs anywhere, until unfreeze',
    examples: ['freeze --reason "incident 42"', 'freeze --reason release --until 2030-01-31T18:00:00Z'],
    options: (command) =>
      command
        .requiredOption('--reason <text>', 'why; every enclave that waits says so')
        .option('--until <time>', 'RFC 3339; without it, until unfreeze'),
    load: async () => (await import('./commands/fleet.ts')).freeze,
  },
  {
    name: 'unfreeze',
    summary: 'end a freeze',
    examples: ['unfreeze'],
    load: async () => (await import('./commands/fleet.ts')).unfreeze,
  },
  {
    name: 'confirm-deletions',
    summary: 'destroy enclaves whose records vanished in such numbers that the operator held back',
    examples: ['confirm-deletions', 'confirm-deletions --yes'],
    options: (command) => command.option('-y, --yes', 'do not ask; needed where there is no terminal'),
    load: async () => (await import('./commands/fleet.ts')).confirmDeletions,
  },
  {
    name: 'drift',
    args: '[id]',
    summary: 'what differs from what was asked for; of one enclave, every attribute, as the operator observes it now',
    examples: ['drift', 'drift -o json', 'drift enc_1755986905612_ouocac870'],
    options: (command) =>
      command
        .addOption(output('table', 'json'))
        .option('--timeout <seconds>', 'how long to wait for an operator that compares one enclave', '60'),
    load: async () => (await import('./commands/drift.ts')).drift,
  },
  {
    name: 'orphans',
    summary: 'hosts, Terraform states and other resources of ours that are of no enclave',
    examples: ['orphans', 'orphans -o json'],
    options: (command) => command.addOption(output('table', 'json')),
    load: async () => (await import('./commands/orphans.ts')).orphans,
  },
  {
    name: 'events',
    args: '[id]',
    summary: 'what happened, oldest first',
    examples: ['events enc_1755986905612_ouocac870', 'events -f'],
    options: (command) =>
      command.option('-f, --follow', 'go on printing as events happen').addOption(output('table', 'json')),
    load: async () => (await import('./commands/events.ts')).events,
  },
  {
    name: 'logs',
    args: '<run>',
    summary: 'the log of one Terraform run; describe lists the runs',
    examples: ['logs e-enc_1755986905612_ouocac870-k3x9qa-1-deploy'],
    options: (command) => command.addOption(output('text', 'json')),
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  {
    name: 'validate',
    summary: 'check records; needs neither database nor network',
    examples: ['validate -f examples/service.yaml', 'validate -f - -o json < record.json'],
    options: (command) => command.addOption(file.makeOptionMandatory()).addOption(output('table', 'json')),
    load: async () => (await import('./commands/validate.ts')).validate,
  },
  {
    name: 'explain',
    args: '[field]',
    summary: 'what a field of a record means, takes, and does when it changes',
    examples: ['explain', 'explain providerConfig.cpuCount'],
    load: async () => (await import('./commands/explain.ts')).explain,
  },
  {
    name: 'diff',
    summary: 'what applying records would change, and how',
    examples: ['diff -f examples/service.yaml'],
    options: (command) => command.addOption(file.makeOptionMandatory()).addOption(output('table', 'json')),
    load: async () => (await import('./commands/diff.ts')).diff,
  },
  {
    name: 'config',
    summary: "the operator's configuration: every value, and where it comes from",
    examples: ['config', 'config --config operator.yaml -o json'],
    options: (command) => command.addOption(output('table', 'json')),
    load: async () => (await import('./commands/config.ts')).config,
  },
  {
    name: 'operator run',
    summary: 'run the operator until SIGTERM',
    examples: ['operator run', 'operator run --config operator.yaml', 'operator run --observe-only'],
    options: (command) =>
      command.option('--observe-only', 'compare and tell; write to no record, start and stop nothing'),
    load: async () => (await import('./commands/operator.ts')).operatorRun,
  },
  {
    name: 'local',
    summary: 'bring up the embedded AWS and the operator on this machine, and keep them running',
    examples: ['local', 'local --speed 10 --port 9000', 'local --reset --empty'],
    options: (command) =>
      command
        .option('--port <port>', 'port of health and metrics', '8080')
        .option('--speed <factor>', "divide the simulated cloud's delays by this", '1')
        .option('--aws-endpoint <url>', 'run real Terraform against this AWS endpoint (an emulator)')
        .option('--prometheus [port]', 'start a Prometheus too, on 9090, with the alerts loaded; it must be installed')
        .option('--empty', 'do not apply the examples')
        .option('--reset', 'forget what earlier runs left in .local/'),
    load: async () => (await import('./commands/local.ts')).local,
  },
  {
    name: 'completion',
    summary: 'a completion script for bash, zsh or fish',
    examples: ['completion bash > /etc/bash_completion.d/enclavectl', 'completion fish | source'],
    options: (command) => command.addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish'])),
    load: async (program) => {
      const { completion } = await import('./commands/completion.ts');
      return (io, args) => completion(io, args, program());
    },
  },
];
