/** The operator: two tasks, of which one leads; a deployment never leaves fewer. */
import { EcsService } from '@cdktf/provider-aws/lib/ecs-service/index.js';
import { EcsTaskDefinition } from '@cdktf/provider-aws/lib/ecs-task-definition/index.js';
import type { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js';
import { COLLECTOR_CPU, collectorContainer } from './collector.ts';
import type { PlacedConfig } from './config.ts';
import { container, WORK_VOLUME } from './container.ts';
import type { Platform } from './context.ts';
import type { LogGroups } from './logs.ts';
import type { Monitoring } from './monitoring.ts';
import type { RegionNetwork } from './network.ts';
import type { Registries } from './registries.ts';
import type { Roles } from './roles/index.ts';

const HTTP_PORT = 8080;
/** The operator gives its lease back within seconds; the rest is slack. */
const STOP_TIMEOUT_SECONDS = 30;

/** Answers only where a restart would help: see /healthz. */
const healthCheck = {
  command: [
    'CMD',
    'node',
    '-e',
    `fetch('http://127.0.0.1:${HTTP_PORT}/healthz').then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))`,
  ],
  interval: 30,
  timeout: 5,
  retries: 3,
  startPeriod: 60,
};

export interface OperatorParts {
  readonly roles: Roles;
  readonly registries: Registries;
  readonly logs: LogGroups;
  readonly clusterArn: string;
  readonly network: RegionNetwork;
  readonly group: SecurityGroup;
  /** Undefined: switched off. */
  readonly monitoring: Monitoring | undefined;
}

/** The operator's whole configuration, as `src/cli/config.ts` reads it. */
export function operatorEnvironment({ config, names }: Platform): Readonly<Record<string, string>> {
  const allowed = [...config.allowedReferences, ...config.amiParameters];
  return {
    AWS_REGION: config.region,
    ENCLAVE_OPERATOR_ACCOUNT_ID: config.accountId,
    ...(allowed.length === 0 ? {} : { ENCLAVE_OPERATOR_ALLOWED_REFERENCES: allowed.join(',') }),
    ENCLAVE_OPERATOR_ATTESTATION_TRAIL: String(config.operator.attestationTrail),
    ENCLAVE_OPERATOR_CLUSTER: config.cluster,
    ENCLAVE_OPERATOR_ENCLAVES_TABLE: config.enclavesTable,
    ENCLAVE_OPERATOR_ENVIRONMENT: config.environment,
    ENCLAVE_OPERATOR_HISTORY_TABLE: names.historyTable,
    ENCLAVE_OPERATOR_HTTP_PORT: String(HTTP_PORT),
    ENCLAVE_OPERATOR_MAX_RUNS: String(config.operator.maxRuns),
    ENCLAVE_OPERATOR_NOTIFY_TOPIC_ARN: names.alarmsTopicArn,
    ...(config.webhook === undefined ? {} : { ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_URL: config.webhook.url }),
    ENCLAVE_OPERATOR_OBSERVE_ONLY: String(config.operator.observeOnly),
    ENCLAVE_OPERATOR_PREFIX: config.prefix,
    ENCLAVE_OPERATOR_REGION: config.region,
    ENCLAVE_OPERATOR_REGIONS: Object.keys(config.regions).join(','),
    ENCLAVE_OPERATOR_ROLE_PATH: names.rolePath,
    ENCLAVE_OPERATOR_STATE_BUCKET: names.stateBucket,
    ENCLAVE_OPERATOR_STATE_TABLE: names.stateTable,
  };
}

/** What the task is given as a variable, and no plan or definition shows. */
function secretsOf({ webhook }: PlacedConfig): Readonly<Record<string, unknown>> {
  if (webhook === undefined) return {};
  return { secrets: [{ name: 'ENCLAVE_OPERATOR_NOTIFY_WEBHOOK_SECRET', valueFrom: webhook.secretArn }] };
}

export function operatorService(platform: Platform, parts: OperatorParts): EcsService {
  const { stack, config, names } = platform;
  const collector =
    parts.monitoring === undefined ? undefined : collectorContainer(platform, parts.monitoring, HTTP_PORT);
  const task = new EcsTaskDefinition(stack, 'operator-task', {
    family: names.operatorService,
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: String(config.operator.cpu),
    memory: String(config.operator.memoryMiB),
    runtimePlatform: { cpuArchitecture: 'X86_64', operatingSystemFamily: 'LINUX' },
    executionRoleArn: parts.roles.execution.arn,
    taskRoleArn: parts.roles.operator.arn,
    skipDestroy: true,
    volume: [WORK_VOLUME],
    containerDefinitions: JSON.stringify([
      container(platform, {
        name: 'operator',
        image: `${parts.registries.operator.repositoryUrl}:${config.images.operator}`,
        logGroup: parts.logs.operator.name,
        stopTimeoutSeconds: STOP_TIMEOUT_SECONDS,
        environment: operatorEnvironment(platform),
        more: {
          healthCheck,
          ...secretsOf(config),
          ...(collector === undefined ? {} : { cpu: config.operator.cpu - COLLECTOR_CPU }),
        },
      }),
      ...(collector === undefined ? [] : [collector]),
    ]),
  });
  const service = new EcsService(stack, 'operator-service', {
    name: names.operatorService,
    cluster: parts.clusterArn,
    taskDefinition: task.arn,
    desiredCount: config.operator.tasks,
    launchType: 'FARGATE',
    // Each new task is healthy before an old one goes: the lease moves once or twice, and nothing else.
    deploymentMinimumHealthyPercent: 100,
    deploymentMaximumPercent: 200,
    deploymentCircuitBreaker: { enable: true, rollback: true },
    availabilityZoneRebalancing: 'ENABLED',
    enableEcsManagedTags: true,
    propagateTags: 'SERVICE',
    networkConfiguration: {
      subnets: parts.network.subnets.map((subnet) => subnet.id),
      securityGroups: [parts.group.id],
      assignPublicIp: false,
    },
  }); // The first task finds what it may do; else it would be rolled back.
  service.addOverride('depends_on', ['aws_iam_role_policy.execution-policy', 'aws_iam_role_policy.operator-policy']);
  return service;
}
