/** The commands, their options and what they call. */
import { Command, CommanderError, Option } from 'commander';
import { ENVIRONMENT_NAMES } from '../../infra/platform/index.ts';
import { createClients } from '../../src/aws/clients.ts';
import { bootstrap } from './bootstrap.ts';
import { deploy, synth } from './deploy.ts';
import { destroy } from './destroy.ts';
import { standingEnclaves } from './standing.ts';
import { Refusal, type Terminal } from './terminal.ts';
import { type Options, work } from './work.ts';

export function createProgram(terminal: Terminal): Command {
  const program = new Command('platform').description('The platform the operator runs on').exitOverride();
  program.configureOutput({ writeOut: (text) => terminal.say(text.trimEnd()), writeErr: terminal.complain });
  const command = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .addOption(new Option('--env <name>', 'environment').choices(ENVIRONMENT_NAMES).makeOptionMandatory())
      .option('--account <id>', 'AWS account; default: that of the credentials')
      .option('--out <folder>', "Terraform's working folder; default: dist/platform/<env>");
  const withImages = (it: Command) =>
    it
      .option('--image-tag <tag>', 'tag of both images; default: the environment’s')
      .option('--operator-tasks <count>', 'tasks of the operator; 0 before the first image is pushed');

  command('bootstrap', "creates the bucket of the platform's own Terraform state; harmless to repeat").action(
    async (options: Options) => {
      const { config, s3, emulated } = await work(options, terminal);
      const { bucket, created } = await bootstrap(s3(config.region), config, emulated);
      terminal.say(`${bucket}: ${created ? 'created' : 'was there'}; versioned, encrypted, closed to the public`);
    },
  );

  withImages(command('synth', 'writes the Terraform working folder and touches nothing else')).action(
    async (options: Options) => {
      terminal.say(`wrote ${synth(await work(options, terminal))}`);
    },
  );

  withImages(command('deploy', 'plans, asks and applies'))
    .option('--yes', 'apply without asking')
    .action(async (options: Options) => deploy(await work(options, terminal)));

  command('destroy', 'destroys the platform, unless an enclave exists; data is kept')
    .option('--yes', 'destroy without asking')
    .action(async (options: Options) => {
      const given = await work(options, terminal);
      const clients = createClients(given.config.region);
      try {
        await destroy(given, () => standingEnclaves(clients, given.config));
      } finally {
        clients.close();
      }
    });
  return program;
}

/** Returns the exit code: 0 done, 1 refused or failed for a reason that was told, 2 wrong usage or unexpected. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await createProgram(terminal).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has said already what is wrong; help ends with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    terminal.complain(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof Refusal ? 1 : 2;
  }
}
