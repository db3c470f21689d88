/** What the supervisor tells the process of the embedded AWS: one JSON argument. */
import { z } from 'zod';

export const ACCOUNT_ID = '000000000000';

export const AwsConfigSchema = z.object({
  dataDir: z.string(),
  /** 0: any free one. */
  port: z.number().int(),
  region: z.string(),
  environment: z.string(),
  prefix: z.string(),
  stateTable: z.string(),
  historyTable: z.string(),
  cluster: z.string(),
  /** URL of DynamoDB and its streams. */
  dynamodb: z.string(),
  /** Divides the simulated cloud's delays. */
  speed: z.number().positive(),
  /** The program tasks run; the runner's by default. */
  taskProgram: z.string().optional(),
  /** Seconds; the workflows' own defaults where absent. */
  taskTimeoutSeconds: z.number().positive().optional(),
  timeoutSeconds: z.number().positive().optional(),
  launchPauseSeconds: z.number().positive().optional(),
  /** ECS' stop timeout of the runner's task definition. */
  stopTimeoutMs: z.number().positive().default(120_000),
  /** An AWS endpoint for which runs use real Terraform; absent: the simulated cloud. */
  awsEndpoint: z.string().optional(),
  /** Environment of the task definition besides the fixed one. */
  taskEnvironment: z.record(z.string(), z.string()).default({}),
  logLevel: z.string().default('info'),
});
export type AwsConfig = z.infer<typeof AwsConfigSchema>;
export type AwsConfigInput = z.input<typeof AwsConfigSchema>;

type Endpoints = Pick<AwsConfig, 'region' | 'dynamodb' | 'awsEndpoint'>;

function environmentOf(
  { region, dynamodb }: Endpoints,
  others: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    AWS_REGION: region,
    ...others,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb,
    AWS_ENDPOINT_URL_DYNAMODB_STREAMS: dynamodb,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
}

/** Services that show what Terraform makes: hosts, and all that surrounds them. */
const OF_HOSTS = ['EC2', 'SSM', 'IAM', 'KMS', 'CLOUDWATCH_LOGS', 'S3'];

/** The environment by which the operator's clients find the embedded AWS, and hosts where the endpoint has them. */
export function clientEnvironment(config: Endpoints, aws: string): Record<string, string> {
  const { awsEndpoint } = config;
  const there =
    awsEndpoint === undefined ? [] : OF_HOSTS.map((service) => [`AWS_ENDPOINT_URL_${service}`, awsEndpoint]);
  return environmentOf(config, { AWS_ENDPOINT_URL: aws, ...Object.fromEntries(there) });
}

/** The environment of tasks: with an endpoint, all of AWS is there but the tables and the tasks themselves. */
export function taskEnvironment(config: Endpoints, aws: string): Record<string, string> {
  const { awsEndpoint } = config;
  if (awsEndpoint === undefined) {
    return {
      RUNNER_ENGINE: 'simulated',
      SIMULATED_CLOUD_URL: aws,
      ...environmentOf(config, { AWS_ENDPOINT_URL: aws }),
    };
  }
  const endpoints = { AWS_ENDPOINT_URL: awsEndpoint, AWS_ENDPOINT_URL_ECS: aws };
  return { RUNNER_ENGINE: 'terraform', ...environmentOf(config, endpoints) };
}
