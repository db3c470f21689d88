/** From a command's options to what it works with: configuration, account, clients, Terraform. */
import { fileURLToPath } from 'node:url';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { environmentConfig, type PlacedConfig, parseConfig, placed } from '../../infra/platform/index.ts';
import type { Work } from './deploy.ts';
import { Refusal, type Terminal } from './terminal.ts';
import { terraformIn } from './terraform.ts';

export interface Options {
  readonly env: string;
  readonly account?: string;
  readonly out?: string;
  readonly imageTag?: string;
  readonly operatorTasks?: string;
  readonly yes?: boolean;
}

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

export async function work(options: Options, terminal: Terminal): Promise<Work> {
  const config = await configured(options);
  const folder = options.out ?? fileURLToPath(new URL(`../../dist/platform/${config.environment}`, import.meta.url));
  const emulated = (process.env.AWS_ENDPOINT_URL ?? '') !== '';
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
    dynamodb: new DynamoDBClient({ region: config.region }),
    yes: options.yes === true,
    emulated,
  };
}
