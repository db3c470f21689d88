/** What preflight asks of an account, on AWS. */
import { LookupEventsCommand } from '@aws-sdk/client-cloudtrail';
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeTableCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { DescribeStreamCommand, GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-dynamodb-streams';
import {
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeVolumesCommand,
  type EC2Client,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { DescribeClustersCommand, DescribeTasksCommand, StopTaskCommand } from '@aws-sdk/client-ecs';
import { DescribeRuleCommand, EventBridgeClient, ListRuleNamesByTargetCommand } from '@aws-sdk/client-eventbridge';
import { GetAccountAuthorizationDetailsCommand } from '@aws-sdk/client-iam';
import { DescribeKeyCommand, GetKeyPolicyCommand, ListGrantsCommand } from '@aws-sdk/client-kms';
import { LambdaClient, paginateListEventSourceMappings } from '@aws-sdk/client-lambda';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm';
import { executionArn, functionArn, stateMachineArn } from '../aws/arns.ts';
import { createClients } from '../aws/clients.ts';
import { call, errorName } from '../aws/errors.ts';
import { logGroupName, STATES_PREFIX, TAG_ENCLAVE_ID, TAG_ENVIRONMENT } from '../enclave/names.ts';
import type { Config } from '../reconciler/config.ts';
import type { Call, Installation } from './preflight.ts';

const DENIED: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'AuthorizationError',
  'NotAuthorized',
  'UnauthorizedOperation',
]);
/** What AWS answers once it has let a call pass that nothing can come of. */
const PASSED: ReadonlySet<string> = new Set([
  'ConditionalCheckFailedException',
  'DryRunOperation',
  'ExecutionDoesNotExist',
]);
/** What S3 answers of a bucket that is not there, or lies in another region. */
const NO_BUCKET = ['NoSuchBucket', 'NotFound', 'PermanentRedirect', 'AuthorizationHeaderMalformed'];
/** ECS and KMS make ids of chance: this one is nobody's. */
const NO_TASK = '0'.repeat(32);
const NO_KEY = '00000000-0000-0000-0000-000000000000';
const OFF: ReadonlySet<string | undefined> = new Set(['Disabled', 'Disabling', 'Deleting']);

const ifDenied = (error: Error) => (DENIED.has(error.name) ? ('denied' as const) : undefined);
const either =
  <T>(value: T, ...names: readonly string[]) =>
  (error: Error) =>
    names.includes(error.name) ? value : ifDenied(error);

export interface AwsInstallation extends Installation {
  close(): void;
}

/** Opens no connection yet. Endpoints and credentials come from the SDK's own environment. */
export function createInstallation(config: Config): AwsInstallation {
  const { region, enclavesTable } = config;
  const clients = createClients(region);
  const lambda = new LambdaClient({ region });
  const events = new EventBridgeClient({ region });
  const ec2 = clients.ec2(region);
  const kms = clients.kms(region);
  const cluster = config.cluster;
  /** Runs are called `e-…` and `drift-…`: there is none of this name to be stopped. */
  const nowhere = executionArn(config, 'deploy', 'preflight');

  const table: Installation['table'] = (name) =>
    call(
      'dynamodb:DescribeTable',
      `table ${name}`,
      async () => {
        const { Table } = await clients.dynamodb.send(new DescribeTableCommand({ TableName: name }));
        const part = (type: string) => Table?.KeySchema?.find(({ KeyType }) => KeyType === type)?.AttributeName;
        const isOn = Table?.StreamSpecification?.StreamEnabled === true;
        return {
          key: [part('HASH'), part('RANGE')].filter((each) => each !== undefined),
          streamArn: isOn ? Table?.LatestStreamArn : undefined,
          view: Table?.StreamSpecification?.StreamViewType,
        };
      },
      either('missing' as const, 'ResourceNotFoundException'),
    );

  const tries: Readonly<Record<Call, () => Promise<unknown>>> = {
    'dynamodb:UpdateItem on the enclaves table': () => {
      // No item both exists and does not: the condition fails for whoever may ask.
      const never = 'attribute_exists(id) AND attribute_not_exists(id)';
      const Key = { id: { S: 'preflight' } };
      return clients.dynamodb.send(
        new UpdateItemCommand({ TableName: enclavesTable, Key, ConditionExpression: never }),
      );
    },
    'dynamodb:PutItem on the state table': () => neverPut(config.stateTable),
    'dynamodb:PutItem on the history table': () => neverPut(config.historyTable),
    'dynamodb:GetRecords on the stream': () => readStream(),
    'ec2:DescribeInstances': () => ec2.send(new DescribeInstancesCommand({ MaxResults: 5 })),
    'ec2:DescribeInstanceStatus': () => ec2.send(new DescribeInstanceStatusCommand({ MaxResults: 5 })),
    'ec2:DescribeSecurityGroups': () => ec2.send(new DescribeSecurityGroupsCommand({ MaxResults: 5 })),
    'ec2:DescribeVolumes': () => ec2.send(new DescribeVolumesCommand({ MaxResults: 5 })),
    'ec2:StartInstances': () => dryRun((input) => ec2.send(new StartInstancesCommand(input))),
    'ec2:StopInstances': () => dryRun((input) => ec2.send(new StopInstancesCommand(input))),
    'ecs:DescribeTasks': () => clients.ecs.send(new DescribeTasksCommand({ cluster, tasks: [NO_TASK] })),
    'ecs:StopTask': () => clients.ecs.send(new StopTaskCommand({ cluster, task: NO_TASK, reason: 'preflight' })),
    'iam:GetAccountAuthorizationDetails': () =>
      clients.iam.send(new GetAccountAuthorizationDetailsCommand({ Filter: ['Role'], MaxItems: 1 })),
    // A key's own policy is asked as well, and no key is known here: that there is none of this id is no leave.
    'kms:DescribeKey': () => kms.send(new DescribeKeyCommand({ KeyId: NO_KEY })),
    'kms:GetKeyPolicy': () => kms.send(new GetKeyPolicyCommand({ KeyId: NO_KEY })),
    'kms:ListGrants': () => kms.send(new ListGrantsCommand({ KeyId: NO_KEY, Limit: 1 })),
    'logs:DescribeLogGroups': () =>
      clients.logs(region).send(new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName(''), limit: 1 })),
    'states:DescribeExecution': () => clients.sfn.send(new DescribeExecutionCommand({ executionArn: nowhere })),
    'states:GetExecutionHistory': () =>
      clients.sfn.send(new GetExecutionHistoryCommand({ executionArn: nowhere, maxResults: 1 })),
    'states:StartExecution': () => untried(),
    'states:StopExecution': () => clients.sfn.send(new StopExecutionCommand({ executionArn: nowhere })),
    'ssm:DescribeInstanceInformation': () =>
      clients.ssm(region).send(new DescribeInstanceInformationCommand({ MaxResults: 5 })),
    'ssm:SendCommand': () => untried(),
    'cloudtrail:LookupEvents': () => clients.trail(region).send(new LookupEventsCommand({ MaxResults: 1 })),
  };

  const neverPut = (TableName: string) =>
    clients.dynamodb.send(
      new PutItemCommand({
        TableName,
        Item: { pk: { S: 'preflight' }, sk: { S: 'preflight' } },
        ConditionExpression: 'attribute_exists(pk) AND attribute_not_exists(pk)',
      }),
    );

  const readStream = async () => {
    const seen = await table(enclavesTable);
    if (typeof seen === 'string' || seen.streamArn === undefined) return untried();
    const StreamArn = seen.streamArn;
    const { StreamDescription } = await clients.streams.send(new DescribeStreamCommand({ StreamArn, Limit: 1 }));
    const ShardId = StreamDescription?.Shards?.[0]?.ShardId;
    if (ShardId === undefined) return untried();
    const place = { StreamArn, ShardId, ShardIteratorType: 'LATEST' as const };
    const { ShardIterator } = await clients.streams.send(new GetShardIteratorCommand(place));
    return clients.streams.send(new GetRecordsCommand({ ShardIterator, Limit: 1 }));
  };

  /** The permission asks for a host's tags, so it takes a host. */
  const dryRun = async (send: (input: { InstanceIds: string[]; DryRun: true }) => Promise<unknown>) => {
    const host = await anyHost(ec2, config.environment);
    return host === undefined ? untried() : send({ InstanceIds: [host], DryRun: true });
  };

  return {
    table,

    mappings: (streamArn) =>
      call(
        'lambda:ListEventSourceMappings',
        streamArn,
        async () => {
          const found: { functionName: string; isOff: boolean }[] = [];
          for await (const page of paginateListEventSourceMappings({ client: lambda }, { EventSourceArn: streamArn })) {
            for (const { FunctionArn = '', State } of page.EventSourceMappings ?? []) {
              found.push({ functionName: FunctionArn.split(':')[6] ?? FunctionArn, isOff: OFF.has(State) });
            }
          }
          return found;
        },
        ifDenied,
      ),

    rules: (functionName) =>
      call(
        'events:ListRuleNamesByTarget',
        functionName,
        async () => {
          const target = new ListRuleNamesByTargetCommand({ TargetArn: functionArn(config, functionName) });
          const { RuleNames = [] } = await events.send(target);
          return Promise.all(
            RuleNames.map(async (name) => {
              const { State } = await events.send(new DescribeRuleCommand({ Name: name }));
              return { name, isOff: State === 'DISABLED' };
            }),
          );
        },
        either([], 'ResourceNotFoundException'),
      ),

    machine: (action) =>
      call(
        'states:ListExecutions',
        `state machine of ${action}`,
        async () => {
          const { executions = [] } = await clients.sfn.send(
            new ListExecutionsCommand({ stateMachineArn: stateMachineArn(config, action), statusFilter: 'RUNNING' }),
          );
          return { running: executions.flatMap(({ name }) => (name === undefined ? [] : [name])) };
        },
        either('missing' as const, 'StateMachineDoesNotExist'),
      ),

    cluster: (name) =>
      call(
        'ecs:DescribeClusters',
        `cluster ${name}`,
        async () => {
          const { clusters = [] } = await clients.ecs.send(new DescribeClustersCommand({ clusters: [name] }));
          return clusters.some(({ status }) => status === 'ACTIVE') ? ('there' as const) : ('missing' as const);
        },
        either('missing' as const, 'ClusterNotFoundException'),
      ),

    states: (bucket) =>
      call(
        's3:ListObjectsV2',
        `bucket ${bucket}`,
        async () => {
          await clients.s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: STATES_PREFIX, MaxKeys: 1 }));
          return 'there' as const;
        },
        either('missing' as const, ...NO_BUCKET),
      ),

    permission: (name) =>
      call(
        name,
        'preflight',
        async () => ((await tries[name]()) === UNTRIED ? ('unsure' as const) : ('allowed' as const)),
        (error) => {
          if (PASSED.has(errorName(error)) || isNoTask(error)) return 'allowed' as const;
          // That a table or cluster is missing has been told already.
          return /NotFound/.test(errorName(error)) ? ('unsure' as const) : ifDenied(error);
        },
      ),

    close() {
      clients.close();
      lambda.destroy();
      events.destroy();
    },
  };
}

/** So it says of what was never there. */
function isNoTask(error: Error): boolean {
  return error.name === 'InvalidParameterException' && /task was not found/i.test(error.message);
}

const UNTRIED = Symbol('untried');
const untried = async () => UNTRIED;

async function anyHost(ec2: EC2Client, environment: string): Promise<string | undefined> {
  const Filters = [
    { Name: 'tag-key', Values: [TAG_ENCLAVE_ID] },
    { Name: `tag:${TAG_ENVIRONMENT}`, Values: [environment] },
    { Name: 'instance-state-name', Values: ['running', 'stopped'] },
  ];
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters }));
  return Reservations.flatMap(({ Instances = [] }) => Instances)[0]?.InstanceId;
}
