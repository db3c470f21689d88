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
  /** Environment of the task definition besides the fixed one. */
  taskEnvironment: z.record(z.string(), z.string()).default({}),
  logLevel: z.string().default('info'),
});
export type AwsConfig = z.infer<typeof AwsConfigSchema>;
export type AwsConfigInput = z.input<typeof AwsConfigSchema>;

/** The environment by which every SDK client finds the embedded AWS. */
export function clientEnvironment(config: Pick<AwsConfig, 'region' | 'dynamodb'>, aws: string): Record<string, string> {
  return {
    AWS_REGION: config.region,
    AWS_ENDPOINT_URL: aws,
    AWS_ENDPOINT_URL_DYNAMODB: config.dynamodb,
    AWS_ENDPOINT_URL_DYNAMODB_STREAMS: config.dynamodb,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
}
