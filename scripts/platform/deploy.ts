/** From configuration to what runs: bootstrap check, synthesis, plan, a question, apply. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { agentBundle } from '../../infra/host/index.ts';
import { type PlacedConfig, synthesizePlatform } from '../../infra/platform/index.ts';
import { publishAgent } from './agent.ts';
import { requireBootstrap } from './bootstrap.ts';
import { refuseLeftovers } from './leftovers.ts';
import { confirm, type Terminal } from './terminal.ts';
import { managed, type Terraform } from './terraform.ts';

export interface Work {
  readonly config: PlacedConfig;
  /** Terraform's working folder; written anew. */
  readonly folder: string;
  readonly terraform: Terraform;
  readonly terminal: Terminal;
  s3(region: string): S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly yes: boolean;
  /** True: AWS is an emulator. */
  readonly emulated: boolean;
}

export function synth({ config, folder, emulated }: Pick<Work, 'config' | 'folder' | 'emulated'>): string {
  return synthesizePlatform({ config, agent: agentBundle(), emulated }, folder);
}

export async function deploy(work: Work): Promise<void> {
  const { config, terraform, terminal, yes } = work;
  await requireBootstrap(work.s3(config.region), config);
  terminal.say(`wrote ${synth(work)}`);
  await terraform.run('init', '-input=false', '-reconfigure');
  await refuseLeftovers({ dynamodb: work.dynamodb, s3: work.s3(config.region) }, config, await managed(terraform));
  await terraform.run('plan', '-input=false', '-out=plan');
  await confirm(terminal, `apply this to ${config.environment} (account ${config.accountId})`, 'yes', yes);
  const bundle = agentBundle();
  // Before the runner hears of it where the bucket stands already, else as soon as it does.
  await publishAgent(work.s3, config, bundle);
  await terraform.run('apply', '-input=false', 'plan');
  const without = await publishAgent(work.s3, config, bundle);
  if (without.length > 0) throw new Error(`no configuration bucket in ${without.join(', ')} after the apply`);
  terminal.say(`deployed ${config.environment}; host agent ${bundle.version} (${bundle.sha256.slice(0, 12)})`);
}
