/** Entry of the process that is the embedded AWS. */
import { join } from 'node:path';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { pino } from 'pino';
import {
  CONTAINER_NAME,
  driftWorkflow,
  stateMachineName,
  taskDefinitionFamily,
  workflow,
} from '../../infra/workflows/index.ts';
import { keys } from '../enclave/items/items.ts';
import type { FleetRunAction, RunAction } from '../enclave/names.ts';
import { systemClock as clock, systemRandom as random } from '../reconciler/ports/system-clock.ts';
import { ecs, taskMetadata } from './aws/ecs.ts';
import { listen } from './aws/server.ts';
import { stepFunctions } from './aws/step-functions.ts';
import { ACCOUNT_ID, AwsConfigSchema, taskEnvironment } from './aws-config.ts';
import { createCloud } from './cloud/index.ts';
import { createExecutions } from './engine/executions.ts';
import { RUNNER_PROGRAM } from './engine/programs.ts';
import { callService } from './engine/service-calls.ts';
import { createTasks } from './engine/tasks.ts';
import { openJournal } from './journal.ts';

/** Time tasks have to end when the whole stack stops. */
const CLOSE_GRACE_MS = 5_000;

const config = AwsConfigSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
const log = pino({ name: 'aws', level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
const journal = openJournal(join(config.dataDir, 'aws.journal'));
const dynamodb = new DynamoDBClient({
  region: config.region,
  endpoint: config.dynamodb,
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
});

const cloud = createCloud({
  clock,
  random,
  log,
  region: config.region,
  environment: config.environment,
  journalFile: join(config.dataDir, 'cloud.journal'),
  speed: config.speed,
  async writeReport(report) {
    const item = { ...keys.report(report.id, report.instanceId), ...report };
    const options = { removeUndefinedValues: true };
    await dynamodb.send(new PutItemCommand({ TableName: config.stateTable, Item: marshall(item, options) }));
  },
});

// Known once the server listens, and no task starts before that.
let url = '';

const tasks = createTasks({
  clock,
  random,
  log,
  journal,
  arnPrefix: `arn:aws:ecs:${config.region}:${ACCOUNT_ID}`,
  program: config.taskProgram ?? RUNNER_PROGRAM,
  environment: (taskId) => ({
    STATE_TABLE: config.stateTable,
    HISTORY_TABLE: config.historyTable,
    ENCLAVE_ENVIRONMENT: config.environment,
    ECS_CONTAINER_METADATA_URI_V4: `${url}/v4/${taskId}`,
    NODE_COMPILE_CACHE: join(config.dataDir, 'compiled'),
    ...taskEnvironment(config, url),
    ...config.taskEnvironment,
  }),
  logFolder: join(config.dataDir, 'logs'),
  stopTimeoutMs: config.stopTimeoutMs,
});

const machine = (action: RunAction | FleetRunAction) => {
  const name = stateMachineName(config.prefix, action);
  const parameters = {
    stateTable: config.stateTable,
    historyTable: config.historyTable,
    cluster: config.cluster,
    taskDefinition: taskDefinitionFamily(config.prefix),
    containerName: CONTAINER_NAME,
    subnets: ['subnet-local'],
    securityGroups: ['sg-local'],
    ...(config.taskTimeoutSeconds === undefined ? {} : { taskTimeoutSeconds: config.taskTimeoutSeconds }),
    ...(config.timeoutSeconds === undefined ? {} : { timeoutSeconds: config.timeoutSeconds }),
    ...(config.launchPauseSeconds === undefined ? {} : { launchPauseSeconds: config.launchPauseSeconds }),
  };
  const document = action === 'drift' ? driftWorkflow(parameters) : workflow(action, parameters);
  return [`arn:aws:states:${config.region}:${ACCOUNT_ID}:stateMachine:${name}`, document] as const;
};

const executions = createExecutions({
  clock,
  log,
  journal,
  machines: new Map([machine('deploy'), machine('destroy'), machine('drift')]),
  call: (call, notes) => callService(call, { dynamodb, tasks }, notes),
});

const listening = await listen(config.port, {
  log,
  services: {
    AWSStepFunctions: stepFunctions(executions, random),
    AmazonEC2ContainerServiceV20141113: ecs(tasks, config.cluster),
    EnclaveOperatorLocal: {
      /** ECS has no room: the next `times` launches fail. For tests and demonstrations. */
      FailLaunches(input) {
        tasks.failLaunches(Number(input.times ?? 1), String(input.reason ?? 'Capacity is unavailable at this time.'));
        return {};
      },
    },
  },
  get: (path) => (path === '/health' ? { status: 'ok' } : taskMetadata(tasks, path)),
  others: cloud,
});
url = listening.url;
await cloud.start();
process.stdout.write(`${JSON.stringify({ url })}\n`);

/** Tasks first: they may still need the server and the cloud behind it to end well. */
async function stop(): Promise<void> {
  executions.close();
  await tasks.close(CLOSE_GRACE_MS);
  await cloud.stop();
  listening.server.close();
  listening.server.closeAllConnections();
  journal.close();
  process.exit(0);
}

process.once('SIGTERM', () => void stop());
// A second one, while the first is still being obeyed, changes nothing.
process.on('SIGTERM', () => undefined);
