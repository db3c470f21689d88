/** Preflight: what must hold of an account before an operator takes it over. Looks, and changes nothing. */
import type { AnyRunAction } from '../enclave/names.ts';
import type { Config } from '../reconciler/config.ts';

/** What is asked of the account; `denied`: these credentials may not ask. */
export interface Installation {
  table(name: string): Promise<TableView | 'missing' | 'denied'>;
  /** Of everything that reads a stream by way of Lambda. */
  mappings(streamArn: string): Promise<readonly Mapping[] | 'denied'>;
  /** Rules of EventBridge that call a function of this name. */
  rules(functionName: string): Promise<readonly Rule[] | 'denied'>;
  machine(action: AnyRunAction): Promise<MachineView | 'missing' | 'denied'>;
  cluster(name: string): Promise<'there' | 'missing' | 'denied'>;
  /** The bucket of Terraform states, by listing it as the operator does. */
  states(bucket: string): Promise<'there' | 'missing' | 'denied'>;
  /** Tries a call so that nothing comes of it. `unsure`: AWS offers no way to try it here and now. */
  permission(call: Call): Promise<'allowed' | 'denied' | 'unsure'>;
}

export interface TableView {
  readonly key: readonly string[];
  /** Undefined: no stream. */
  readonly streamArn: string | undefined;
  readonly view: string | undefined;
}
export interface Mapping {
  readonly functionName: string;
  readonly isOff: boolean;
}
export interface Rule {
  readonly name: string;
  readonly isOff: boolean;
}
export interface MachineView {
  /** Names of executions that run now, no more than a page of them. */
  readonly running: readonly string[];
}

/** Calls the operator makes, beside those by which the rest is looked up. */
export const CALLS = [
  'dynamodb:UpdateItem on the enclaves table',
  'dynamodb:PutItem on the state table',
  'dynamodb:PutItem on the history table',
  'dynamodb:GetRecords on the stream',
  'ec2:DescribeInstances',
  'ec2:DescribeInstanceStatus',
  'ec2:DescribeSecurityGroups',
  'ec2:DescribeVolumes',
  'ec2:StartInstances',
  'ec2:StopInstances',
  'ecs:DescribeTasks',
  'ecs:StopTask',
  'iam:GetAccountAuthorizationDetails',
  'kms:DescribeKey',
  'kms:GetKeyPolicy',
  'kms:ListGrants',
  'logs:DescribeLogGroups',
  'states:DescribeExecution',
  'states:GetExecutionHistory',
  'states:StartExecution',
  'states:StopExecution',
  'ssm:DescribeInstanceInformation',
  'ssm:SendCommand',
  'cloudtrail:LookupEvents',
] as const;
export type Call = (typeof CALLS)[number];

export type Finding =
  | { readonly verdict: 'pass'; readonly what: string }
  | { readonly verdict: 'fail'; readonly what: string; readonly fix: string }
  /** It could not be told, and a person should look. */
  | { readonly verdict: 'unsure'; readonly what: string; readonly fix: string };

type Place = Pick<
  Config,
  | 'accountId'
  | 'region'
  | 'prefix'
  | 'cluster'
  | 'enclavesTable'
  | 'stateTable'
  | 'historyTable'
  | 'stateBucket'
  | 'attestationTrail'
>;

/** DynamoDB throttles a shard that more than two processes read; the operator is one. */
const OTHER_READERS = 1;
/** Names of our own executions, beside which any other is the old pipeline's. */
const OURS = /^e-.+-[a-z0-9]{6}-[0-9]+-(deploy|destroy)$/;

const pass = (what: string): Finding => ({ verdict: 'pass', what });
const fail = (what: string, fix: string): Finding => ({ verdict: 'fail', what, fix });
const unsure = (what: string, fix: string): Finding => ({ verdict: 'unsure', what, fix });
const unseen = (what: string, action: string): Finding => fail(`${what} cannot be seen`, `allow yourself ${action}`);

/** Every check, in the order of a cut-over. Errors of the network are thrown; everything else is a finding. */
export async function preflight(installation: Installation, place: Place): Promise<readonly Finding[]> {
  const enclaves = await installation.table(place.enclavesTable);
  const found = [
    tableFinding(place.enclavesTable, enclaves, ['id'], 'name the application’s table (--enclaves-table)'),
    ...(await ownTables(installation, place)),
    ...(typeof enclaves === 'string' ? [] : await streamFindings(installation, enclaves, place)),
    await monitorFinding(installation, `${place.prefix}-status-monitor`),
    ...(await machineFindings(installation, place)),
    clusterFinding(place.cluster, await installation.cluster(place.cluster)),
    await statesFinding(installation, place),
  ];
  const calls = CALLS.filter((call) => call !== 'cloudtrail:LookupEvents' || place.attestationTrail);
  for (const call of calls) found.push(permissionFinding(call, await installation.permission(call)));
  return found;
}

async function ownTables(installation: Installation, { stateTable, historyTable }: Place): Promise<Finding[]> {
  const fix = 'deploy the platform (docs/platform.md), or name the table';
  const findings: Finding[] = [];
  for (const name of [stateTable, historyTable]) {
    const table = await installation.table(name);
    findings.push(tableFinding(name, table, ['pk', 'sk'], fix));
    if (typeof table !== 'string') findings.push(streamFinding(name, table, name === stateTable ? 'keys' : 'images'));
  }
  return findings;
}

function tableFinding(
  name: string,
  table: TableView | 'missing' | 'denied',
  key: readonly string[],
  fix: string,
): Finding {
  if (table === 'denied') return unseen(`table ${name}`, 'dynamodb:DescribeTable');
  if (table === 'missing') return fail(`table ${name} does not exist`, fix);
  if (table.key.join() === key.join()) return pass(`table ${name} exists`);
  return fail(`table ${name} has the key ${table.key.join(', ')}, not ${key.join(', ')}`, fix);
}

function streamFinding(name: string, { streamArn, view }: TableView, needs: 'keys' | 'images' = 'images'): Finding {
  if (streamArn === undefined) {
    return fail(`table ${name} has no stream`, 'switch on its stream, with new and old images');
  }
  if (needs === 'keys' || view === 'NEW_IMAGE' || view === 'NEW_AND_OLD_IMAGES')
    return pass(`table ${name} has a stream`);
  return fail(`the stream of ${name} holds ${view ?? 'nothing known'}`, 'make it NEW_AND_OLD_IMAGES');
}

async function streamFindings(installation: Installation, table: TableView, place: Place): Promise<Finding[]> {
  const findings = [streamFinding(place.enclavesTable, table)];
  if (table.streamArn === undefined) return findings;
  findings.push(accountFinding(table.streamArn, place.accountId));
  const mappings = await installation.mappings(table.streamArn);
  if (mappings === 'denied') return [...findings, unseen('who reads the stream', 'lambda:ListEventSourceMappings')];
  const trigger = `${place.prefix}-enclave-trigger`;
  const on = mappings.filter(({ isOff }) => !isOff).map(({ functionName }) => functionName);
  findings.push(
    on.includes(trigger)
      ? fail(`${trigger} still starts runs from the stream`, 'switch its event source mapping off (docs/migrate.md)')
      : pass(`${trigger} does not follow the stream`),
  );
  const others = on.filter((name) => name !== trigger);
  findings.push(
    others.length <= OTHER_READERS
      ? pass(`${others.length} others read the stream by way of Lambda: with the operator no more than two a shard`)
      : fail(
          `${others.join(', ')} read the stream: with the operator more than two a shard, and DynamoDB throttles them`,
          'let one of them feed the others',
        ),
  );
  return findings;
}

/** Of another account's machines and functions everything below would be told. */
function accountFinding(streamArn: string, accountId: string): Finding {
  const account = streamArn.split(':')[4] ?? '';
  if (account === accountId) return pass(`account ${accountId} is the configured one`);
  return fail(
    `accountId is ${accountId}, and these credentials are of ${account}`,
    'correct accountId, or sign in there',
  );
}

async function monitorFinding(installation: Installation, monitor: string): Promise<Finding> {
  const rules = await installation.rules(monitor);
  if (rules === 'denied')
    return unseen(`what calls ${monitor}`, 'events:ListRuleNamesByTarget and events:DescribeRule');
  const on = rules.filter(({ isOff }) => !isOff).map(({ name }) => name);
  if (on.length === 0) return pass(`no rule calls ${monitor}`);
  return fail(`${on.join(', ')} still calls ${monitor}, which writes statuses`, 'disable the rule (docs/migrate.md)');
}

async function machineFindings(installation: Installation, { prefix }: Place): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [action, name] of [
    ['deploy', `${prefix}-deployment`],
    ['destroy', `${prefix}-cleanup`],
  ] as const) {
    const machine = await installation.machine(action);
    if (machine === 'denied') findings.push(unseen(`state machine ${name}`, 'states:ListExecutions'));
    else if (machine === 'missing') {
      findings.push(
        fail(`state machine ${name} does not exist`, 'deploy the platform, or check --prefix and accountId'),
      );
    } else findings.push(pass(`state machine ${name} exists`), drained(name, machine));
  }
  return [...findings, await planMachineFinding(installation, `${prefix}-drift`)];
}

/** The old pipeline has none of the kind: before the platform is deployed it is not there, and nothing runs in it. */
async function planMachineFinding(installation: Installation, name: string): Promise<Finding> {
  const machine = await installation.machine('drift');
  if (machine === 'denied') return unseen(`state machine ${name}`, 'states:ListExecutions');
  if (machine !== 'missing') return pass(`state machine ${name} exists`);
  const fix = 'it comes with the platform (docs/platform.md); without it nothing is planned';
  return unsure(`state machine ${name} does not exist`, fix);
}

function drained(name: string, { running }: MachineView): Finding {
  const others = running.filter((execution) => !OURS.test(execution));
  if (others.length === 0) return pass(`no run of the old pipeline is under way in ${name}`);
  const some = others.slice(0, 3).join(', ');
  return fail(
    `${others.length} runs of the old pipeline are under way in ${name}: ${some}`,
    'wait until they have ended',
  );
}

function clusterFinding(name: string, cluster: 'there' | 'missing' | 'denied'): Finding {
  if (cluster === 'denied') return unseen(`cluster ${name}`, 'ecs:DescribeClusters');
  if (cluster === 'there') return pass(`cluster ${name} exists`);
  return fail(`cluster ${name} does not exist`, 'deploy the platform, or name the cluster in the configuration');
}

async function statesFinding(installation: Installation, { stateBucket, region }: Place): Promise<Finding> {
  if (stateBucket === '') {
    const fix = 'name stateBucket in the configuration: without it, lost states and those of no enclave go unnoticed';
    return unsure('no bucket of Terraform states is named', fix);
  }
  const bucket = `bucket ${stateBucket} of Terraform states`;
  const states = await installation.states(stateBucket);
  if (states === 'denied') return unseen(bucket, 's3:ListBucket');
  if (states === 'there') return pass(`${bucket} can be listed`);
  return fail(`${bucket} does not exist in ${region}`, 'deploy the platform, or correct stateBucket');
}

function permissionFinding(call: Call, answer: 'allowed' | 'denied' | 'unsure'): Finding {
  if (answer === 'allowed') return pass(`${call} is allowed`);
  if (answer === 'unsure') return unsure(`${call} could not be tried`, "compare the role's policy");
  return fail(`${call} is refused to these credentials`, "run preflight as the operator's role, and mend its policy");
}
