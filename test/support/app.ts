/** The application, as far as the table can tell: what its routes write, with the plain SDK. */
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { ListExecutionsCommand, type SFNClient } from '@aws-sdk/client-sfn';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { type Embedded, type EmbeddedOptions, eventually, startEmbedded } from './embedded.ts';

/** Production's behaviour with shorter pauses: tests count and order, they do not wait for minutes. */
export const FAST: Readonly<Record<string, string>> = {
  ENCLAVE_OPERATOR_OBSERVE_MS: '300',
  ENCLAVE_OPERATOR_SWEEP_MS: '1000',
  ENCLAVE_OPERATOR_FEED_IDLE_MAX_MS: '300',
  ENCLAVE_OPERATOR_RUN_BACKSTOP_MS: '2000',
  ENCLAVE_OPERATOR_SETTLE_MS: '2000',
  ENCLAVE_OPERATOR_RETRY_BASE_MS: '500',
  ENCLAVE_OPERATOR_RETRY_MAX_MS: '2000',
  ENCLAVE_OPERATOR_ERROR_BACKOFF_BASE_MS: '200',
  ENCLAVE_OPERATOR_ERROR_BACKOFF_MAX_MS: '2000',
  ENCLAVE_OPERATOR_DELETION_GRACE_MS: '3000',
};

/** A short lease, for tests that kill the leader and wait for the next one. */
export const SHORT_LEASE: Readonly<Record<string, string>> = {
  ENCLAVE_OPERATOR_LEASE_MS: '4000',
  ENCLAVE_OPERATOR_LEASE_RENEW_MS: '500',
  ENCLAVE_OPERATOR_LEASE_STEP_DOWN_MS: '3000',
  ENCLAVE_OPERATOR_LEASE_RETRY_MS: '200',
};

export const WALLET = '0x1111111111111111111111111111111111111111';
const PATIENCE_MS = 60_000;

export interface Item {
  readonly [name: string]: unknown;
  readonly status?: string;
  readonly operator?: {
    readonly phase: string;
    readonly observedGeneration: number;
    readonly message: string;
    readonly nextAttemptAt?: string;
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  };
}

export interface App {
  readonly embedded: Embedded;
  readonly dynamodb: DynamoDBClient;
  readonly sfn: SFNClient;
  /** POST: a new item. */
  post(id: string, fields?: Readonly<Record<string, unknown>>): Promise<void>;
  /** PATCH: the status, unconditionally. */
  patch(id: string, status: string): Promise<void>;
  /** PUT: named attributes; `providerConfig` is replaced as a whole. */
  put(id: string, fields: Readonly<Record<string, unknown>>): Promise<void>;
  delete(id: string): Promise<void>;
  get(id: string): Promise<Item | undefined>;
  status(id: string): Promise<string | undefined>;
  /** Waits until the record has this status; answers the item. */
  until(id: string, status: string, timeoutMs?: number): Promise<Item>;
  /** Waits until the record's item satisfies the condition. */
  untilItem(id: string, what: string, condition: (item: Item) => boolean, timeoutMs?: number): Promise<Item>;
  /** Executions of both machines that carry the id in their name, oldest first: name and status. */
  executions(id?: string): Promise<readonly { readonly name: string; readonly status: string }[]>;
  condition(item: Item | undefined, type: string): string | undefined;
  /** What the cloud still has of an enclave, by named look-up of every type. */
  inventory(id: string): Promise<readonly unknown[]>;
  hosts(id: string): Promise<readonly { readonly instanceId: string; readonly state: string }[]>;
}

export async function startApp(options: EmbeddedOptions = {}): Promise<App> {
  const embedded = await startEmbedded({ ...options, operatorEnv: { ...FAST, ...options.operatorEnv } });
  return appOf(embedded);
}

export function appOf(embedded: Embedded): App {
  const { dynamodb, sfn, endpoints } = embedded;
  const TableName = endpoints.enclavesTable;
  const key = (id: string) => ({ id: { S: id } });
  const now = () => new Date().toISOString();

  const app: App = {
    embedded,
    dynamodb,
    sfn,
    async post(id, fields = {}) {
      const at = now();
      const item = {
        id,
        name: `name of ${id}`,
        description: 'made by a test',
        region: 'us-west-2',
        walletAddress: WALLET,
        providerId: 'aws-nitro',
        status: 'PENDING_DEPLOY',
        createdAt: at,
        updatedAt: at,
        providerConfig: {
          dockerImage: 'nginx:1.27',
          cpuCount: '2',
          memoryMiB: '1024',
          instanceType: 'm6i.xlarge',
          enableDebug: false,
          workloadType: 'service',
          exposePorts: '8080',
        },
        ...fields,
      };
      await dynamodb.send(new PutItemCommand({ TableName, Item: marshall(item, { removeUndefinedValues: true }) }));
    },
    patch: (id, status) => app.put(id, { status }),
    async put(id, fields) {
      const names = Object.keys({ ...fields, updatedAt: '' });
      const values = { updatedAt: now(), ...fields };
      await dynamodb.send(
        new UpdateItemCommand({
          TableName,
          Key: key(id),
          UpdateExpression: `SET ${names.map((_, n) => `#${n} = :${n}`).join(', ')}`,
          ExpressionAttributeNames: Object.fromEntries(names.map((name, n) => [`#${n}`, name])),
          ExpressionAttributeValues: marshall(
            Object.fromEntries(names.map((name, n) => [`:${n}`, values[name as keyof typeof values]])),
          ),
        }),
      );
    },
    async delete(id) {
      await dynamodb.send(new DeleteItemCommand({ TableName, Key: key(id) }));
    },
    async get(id) {
      const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key: key(id), ConsistentRead: true }));
      return Item === undefined ? undefined : (unmarshall(Item) as Item);
    },
    status: async (id) => (await app.get(id))?.status,
    until: (id, status, timeoutMs) => app.untilItem(id, status, (item) => item.status === status, timeoutMs),
    async untilItem(id, what, condition, timeoutMs = PATIENCE_MS) {
      let last: Item | undefined;
      return eventually(
        `${id}: ${what}`,
        async () => {
          last = await app.get(id);
          return last !== undefined && condition(last) ? last : undefined;
        },
        timeoutMs,
      ).catch((error: Error) => {
        throw new Error(`${error.message}; last seen: ${JSON.stringify(last)?.slice(0, 2_000)}`);
      });
    },
    async executions(id) {
      const found: { name: string; status: string; at: number }[] = [];
      for (const machine of ['deployment', 'cleanup']) {
        const stateMachineArn = `arn:aws:states:${endpoints.region}:000000000000:stateMachine:${endpoints.prefix}-${machine}`;
        let nextToken: string | undefined;
        do {
          const page = await sfn.send(new ListExecutionsCommand({ stateMachineArn, nextToken, maxResults: 1_000 }));
          for (const each of page.executions ?? []) {
            const name = each.name ?? '';
            if (id === undefined || name.includes(`${id}-`)) {
              found.push({ name, status: each.status ?? '', at: each.startDate?.getTime() ?? 0 });
            }
          }
          nextToken = page.nextToken;
        } while (nextToken !== undefined);
      }
      return found.sort((a, b) => a.at - b.at).map(({ name, status }) => ({ name, status }));
    },
    condition: (item, type) => item?.operator?.conditions.find((each) => each.type === type)?.status,
    async inventory(id) {
      const response = await fetch(`${endpoints.aws}/_sim/inventory?enclaveId=${encodeURIComponent(id)}`);
      return ((await response.json()) as { resources: unknown[] }).resources;
    },
    async hosts(id) {
      const { hosts } = (await embedded.sim('hosts', { enclaveId: id })) as {
        hosts: { instanceId: string; state: string }[];
      };
      return hosts.filter(({ state }) => state !== 'terminated' && state !== 'shutting-down');
    },
  };
  return app;
}
