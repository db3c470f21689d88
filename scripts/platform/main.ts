/** `npm run bootstrap | synth | deploy | destroy -- --env NAME`: the platform's commands. */
import { fileURLToPath } from 'node:url';
import { S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { Command, Option } from 'commander';
import {
  ENVIRONMENT_NAMES,
  environmentConfig,
  type PlacedConfig,
  parseConfig,
  placed,
} from '../../infra/platform/index.ts';
import { createClients } from '../../src/aws/clients.ts';
import { bootstrap } from './bootstrap.ts';
import { deploy, synth, type Work } from './deploy.ts';
import { destroy } from './destroy.ts';
import { standingEnclaves } from './standing.ts';
import { Refusal, terminal } from './terminal.ts';
import { terraformIn } from './terraform.ts';

interface Options {
  readonly env: string;
  readonly account?: string;
  readonly out?: string;
  readonly imageTag?: string;
  readonly operatorTasks?: string;
  readonly yes?: boolean;
}

const emulated = process.env.AWS_ENDPOINT_URL !== undefined && process.env.AWS_ENDPOINT_URL !== '';

/** Whose account these credentials are of. */
async function account(region: string): Promise<string> {
  const sts = new STSClient({ region });
  try {
    const { Account } = await sts.send(new GetCallerIdentityCommand({}));
    if (Account === undefined) throw new Error('STS named no account');
    return Account;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Refusal(`the AWS account cannot be told (${reason}): set AWS_PROFILE, or for synth pass --account`);
  } finally {
    sts.destroy();
  }
}

async function configured(options: Options): Promise<PlacedConfig> {
  const config = environmentConfig(options.env);
  const { imageTag, operatorTasks } = options;
  const changed = {
    ...config,
    ...(imageTag === undefined ? {} : { images: { operator: imageTag, runner: imageTag } }),
    ...(operatorTasks === undefined ? {} : { operator: { ...config.operator, tasks: Number(operatorTasks) } }),
  };
  // Checked again: flags are as fallible as files.
  const checked = parseConfig(changed, `environment ${options.env} with the flags given`);
  return placed(checked, options.account ?? checked.accountId ?? (await account(config.region)));
}

async function work(options: Options): Promise<Work> {
  const config = await configured(options);
  const folder = options.out ?? fileURLToPath(new URL(`../../dist/platform/${config.environment}`, import.meta.url));
  const clients = new Map<string, S3Client>();
  return {
    config,
    folder,
    terminal,
    terraform: terraformIn(folder, process.env),
    s3: (region) => {
      const client = clients.get(region) ?? new S3Client({ region, forcePathStyle: emulated });
      clients.set(region, client);
      return client;
    },
    yes: options.yes === true,
    emulated,
  };
}

const program = new Command('platform').description('The platform the operator runs on').showHelpAfterError();

function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .addOption(new Option('--env <name>', 'environment').choices(ENVIRONMENT_NAMES).makeOptionMandatory())
    .option('--account <id>', 'AWS account; default: that of the credentials')
    .option('--out <folder>', "Terraform's working folder; default: dist/platform/<env>");
}

command('bootstrap', "creates the bucket of the platform's own Terraform state; harmless to repeat").action(
  async (options: Options) => {
    const { config, s3 } = await work(options);
    const { bucket, created } = await bootstrap(s3(config.region), config, emulated);
    terminal.say(`${bucket}: ${created ? 'created' : 'was there'}; versioned, encrypted, closed to the public`);
  },
);

const withImages = (it: Command) =>
  it
    .option('--image-tag <tag>', 'tag of both images; default: the environment’s')
    .option('--operator-tasks <count>', 'tasks of the operator; 0 before the first image is pushed');

withImages(command('synth', 'writes the Terraform working folder and touches nothing else')).action(
  async (options: Options) => {
    terminal.say(`wrote ${synth(await work(options))}`);
  },
);

withImages(command('deploy', 'plans, asks and applies'))
  .option('--yes', 'apply without asking')
  .action(async (options: Options) => deploy(await work(options)));

command('destroy', 'destroys the platform, unless an enclave exists; data is kept')
  .option('--yes', 'destroy without asking')
  .action(async (options: Options) => {
    const given = await work(options);
    const clients = createClients(given.config.region);
    try {
      await destroy(given, () => standingEnclaves(clients, given.config));
    } finally {
      clients.close();
    }
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = error instanceof Refusal ? 1 : 2;
  console.error(error instanceof Error ? error.message : String(error));
}
