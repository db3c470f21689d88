/** The platform of one environment, as one Terraform stack. */
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js';
import { App, S3Backend, TerraformOutput, TerraformStack } from 'cdktf';
import { TAG_ENVIRONMENT, TAG_MANAGED_BY } from '../../src/enclave/names.ts';
import { alarms } from './alarms.ts';
import { configurationBucket, plansBucket, stateBucket } from './buckets.ts';
import { cluster, taskGroup } from './cluster.ts';
import type { PlacedConfig } from './config.ts';
import type { AgentBundle, Platform } from './context.ts';
import { hostCommands } from './documents.ts';
import { platformFacts, type RegionParts } from './facts.ts';
import { imports } from './imports.ts';
import { configurationKey, dataKey } from './keys.ts';
import { logGroups } from './logs.ts';
import { machines } from './machines.ts';
import { monitoring, sendAlerts } from './monitoring.ts';
import { namesOf } from './names.ts';
import { regionNetwork } from './network.ts';
import { operatorService } from './operator-service.ts';
import type { Statement } from './policy.ts';
import { registries } from './registries.ts';
import { hostBoundary, roles } from './roles/index.ts';
import { runnerTask } from './runner-task.ts';
import { tables } from './tables.ts';

/** The bindings are generated from exactly this version. */
const PROVIDER_VERSION = '= 5.100.0';
const TERRAFORM_VERSION = '>= 1.11.0, < 2.0.0';
export const STATE_KEY = 'platform/terraform.tfstate';

export interface PlatformStackOptions {
  readonly config: PlacedConfig;
  readonly agent: AgentBundle;
  /** True: the AWS behind `AWS_ENDPOINT_URL` is an emulator, which serves buckets by path. */
  readonly emulated?: boolean;
}

export interface BuiltPlatform {
  /** The stack as Terraform's JSON. */
  readonly terraform: unknown;
  /** Every policy by its address. */
  readonly policies: ReadonlyMap<string, readonly Statement[]>;
}

function providers(stack: TerraformStack, config: PlacedConfig, emulated: boolean): Platform['provider'] {
  const made = new Map<string, AwsProvider>();
  for (const region of new Set([config.region, ...Object.keys(config.regions)])) {
    const isHome = region === config.region;
    const provider = new AwsProvider(stack, isHome ? 'aws' : `aws-${region}`, {
      region,
      allowedAccountIds: [config.accountId],
      defaultTags: [
        { tags: { Project: 'Treza', [TAG_ENVIRONMENT]: config.environment, [TAG_MANAGED_BY]: 'enclave-operator' } },
      ],
      ...(isHome ? {} : { alias: region }),
      ...(emulated
        ? { s3UsePathStyle: true, skipMetadataApiCheck: 'true', skipRegionValidation: true, maxRetries: 2 }
        : {}),
    });
    if (!isHome) made.set(region, provider);
  }
  return (region) => {
    const provider = made.get(region);
    return provider === undefined ? {} : { provider };
  };
}

function regionParts(platform: Platform, region: string): RegionParts {
  const key = configurationKey(platform, region);
  configurationBucket(platform, region, key.arn);
  hostCommands(platform, region);
  return { network: regionNetwork(platform, region), configurationKeyArn: key.arn };
}

export function buildPlatform(options: PlatformStackOptions): BuiltPlatform {
  const { config, agent, emulated = false } = options;
  const names = namesOf(config);
  const stack = new TerraformStack(new App({ skipValidation: true }), 'platform');
  new S3Backend(stack, {
    bucket: names.platformStateBucket,
    key: STATE_KEY,
    region: config.region,
    encrypt: true,
    ...(emulated ? { usePathStyle: true, skipMetadataApiCheck: true, skipRegionValidation: true, maxRetries: 2 } : {}),
  });
  // cdktf 0.21 knows no such field.
  stack.addOverride('terraform.backend.s3.use_lockfile', true);
  stack.addOverride('terraform.required_version', TERRAFORM_VERSION);
  stack.addOverride('terraform.required_providers.aws', { source: 'hashicorp/aws', version: PROVIDER_VERSION });

  const platform: Platform = {
    stack,
    config,
    names,
    agent,
    emulated,
    provider: providers(stack, config, emulated),
    policies: new Map(),
  };
  const regions = new Map(Object.keys(config.regions).map((region) => [region, regionParts(platform, region)]));
  const home = regions.get(config.region);
  if (home === undefined) throw new Error(`regions lacks ${config.region}`);

  const key = dataKey(platform);
  tables(platform, key.arn);
  stateBucket(platform, key.arn);
  plansBucket(platform, key.arn);
  hostBoundary(platform);
  const logs = logGroups(platform, key.arn);
  const ours = roles(platform);
  const images = registries(platform);
  const { arn: clusterArn } = cluster(platform);
  const facts = platformFacts(platform, { dataKeyArn: key.arn, regions });
  runnerTask(platform, { roles: ours, registries: images, logs, facts });
  machines(platform, {
    clusterArn,
    network: home.network,
    groupId: taskGroup(platform, 'runner', home.network.vpcId).id,
    roleArn: ours.workflows.arn,
    logs,
    needs: ['aws_iam_role_policy.workflows-policy'],
  });
  const metrics = monitoring(platform, key.arn);
  operatorService(platform, {
    roles: ours,
    registries: images,
    logs,
    clusterArn,
    network: home.network,
    group: taskGroup(platform, 'operator', home.network.vpcId),
    monitoring: metrics,
  });
  const topic = alarms(platform, { keyId: key.keyId, logs });
  if (metrics !== undefined) sendAlerts(platform, metrics, topic);

  for (const [name, value] of Object.entries({
    operator_registry: images.operator.repositoryUrl,
    runner_registry: images.runner.repositoryUrl,
    platform_facts: facts,
    ...(metrics === undefined ? {} : { metrics_endpoint: metrics.endpoint }),
  })) {
    new TerraformOutput(stack, name, { value });
  }
  const adopted = imports(config, names);
  if (adopted.length > 0) stack.addOverride('import', adopted);
  stack.prepareStack();
  return { terraform: stack.toTerraform(), policies: platform.policies };
}
