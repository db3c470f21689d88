/** Metrics of calls to AWS: every attempt, as the SDK makes it, and the budgets before them. */
import { type ApiFamily, AWS_LIMITS } from '../limits/api-rate-limits.ts';
import type { OperatorErrorClass } from '../ports/index.ts';
import type { Declarations } from './declare.ts';

/** Every operation an adapter uses. */
export const AWS_OPERATIONS = {
  dynamodb: [
    'DeleteItem',
    'DescribeTable',
    'GetItem',
    'PutItem',
    'Query',
    'Scan',
    'TransactGetItems',
    'TransactWriteItems',
    'UpdateItem',
  ],
  streams: ['DescribeStream', 'GetRecords', 'GetShardIterator'],
  sfn: ['DescribeExecution', 'GetExecutionHistory', 'ListExecutions', 'StartExecution', 'StopExecution'],
  ecs: ['DescribeTasks', 'StopTask'],
  ec2: [
    'DescribeInstanceAttribute',
    'DescribeInstances',
    'DescribeInstanceStatus',
    'DescribeSecurityGroups',
    'DescribeVolumes',
    'StartInstances',
    'StopInstances',
  ],
  ssm: ['DescribeInstanceInformation', 'SendCommand'],
  sns: ['Publish'],
  logs: ['DescribeLogGroups'],
  iam: ['GetAccountAuthorizationDetails', 'GetRole', 'GetRolePolicy', 'ListAttachedRolePolicies', 'ListRolePolicies'],
  kms: ['DescribeKey', 'GetKeyPolicy', 'ListGrants'],
  cloudtrail: ['LookupEvents'],
  s3: ['ListObjectsV2'],
} as const;
export type AwsService = keyof typeof AWS_OPERATIONS;

const SERVICES = Object.keys(AWS_OPERATIONS) as AwsService[];
const OTHER = 'other';
/** Classes, not AWS' own codes: of those nobody has a list. */
export const AWS_CODES = ['ok', 'Transient', 'Throttled', 'Conflict', 'Terminal', 'Blocked', 'Unexpected'] as const;
export type AwsCode = 'ok' | OperatorErrorClass | 'Unexpected';

/** Hears every attempt of every call. */
export interface AwsInstruments {
  called(service: AwsService, operation: string, code: AwsCode, seconds: number): void;
}

/** Tokens of each family's bucket; of the emptiest, where there are several regions. */
export type BudgetTokens = () => ReadonlyMap<ApiFamily, number>;

const CALL_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 20];
const FAMILIES = Object.keys(AWS_LIMITS) as ApiFamily[];

export function awsMetrics(declare: Declarations, tokens: BudgetTokens): AwsInstruments {
  const requests = declare.counter({
    name: 'aws_requests_total',
    help: 'Attempts of calls to AWS, by the class of their answer.',
    unit: 'requests',
    labels: {
      service: SERVICES,
      operation: [...Object.values(AWS_OPERATIONS).flat(), OTHER],
      code: AWS_CODES,
    },
    occurs: ({ service, operation }) => operation === OTHER || isKnown(service, operation),
  });
  const durations = declare.histogram({
    name: 'aws_request_duration_seconds',
    help: 'Duration of attempts of calls to AWS.',
    unit: 'seconds',
    labels: { service: SERVICES },
    buckets: CALL_BUCKETS,
  });
  const throttled = declare.counter({
    name: 'throttled_total',
    help: 'Attempts that AWS refused because they were too many.',
    unit: 'requests',
    labels: { service: SERVICES },
  });
  declare.gauge(
    {
      name: 'budget_tokens',
      help: 'Calls that could be made at once; of the emptiest region. Families that were never called are full.',
      unit: 'tokens',
      labels: { family: FAMILIES },
    },
    () => [...tokens()].map(([family, count]) => [{ family }, count] as const),
  );
  return {
    called(service, operation, code, seconds) {
      requests({ service, operation: isKnown(service, operation) ? operation : OTHER, code });
      durations({ service }, seconds);
      if (code === 'Throttled') throttled({ service });
    },
  };
}

type Operation = (typeof AWS_OPERATIONS)[AwsService][number];

function isKnown(service: AwsService, operation: string): operation is Operation {
  return (AWS_OPERATIONS[service] as readonly string[]).includes(operation);
}
