/** What each role may do, decided by action, resource and condition on the policies that are synthesized. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import type { PlacedConfig } from '../../../../infra/platform/index.ts';
import { namesOf } from '../../../../infra/platform/names.ts';
import { createFleetStore } from '../../../../runner/src/fleet-store.ts';
import { createLockEvidence } from '../../../../runner/src/lock-evidence.ts';
import { createRunStore } from '../../../../runner/src/store.ts';
import { createFleetRunStore } from '../../../../src/aws/dynamodb/fleet-runs.ts';
import { createHistoryStore } from '../../../../src/aws/dynamodb/history.ts';
import { createLeaseStore } from '../../../../src/aws/dynamodb/leases.ts';
import { createRecordStore } from '../../../../src/aws/dynamodb/records.ts';
import { createStateStore } from '../../../../src/aws/dynamodb/state.ts';
import type { FleetRunItem } from '../../../../src/enclave/items/fleet-run.ts';
import { isPlainMap, type JsonMap } from '../../../../src/enclave/json.ts';
import { aLifecycle, aLock, anEvent, aPlanResult, aRequest, aRun } from '../../../support/conformance-harness.ts';
import { type Call, decide, type JsonPolicy } from '../../../support/iam.ts';
import { build, configs, type Synthesized } from '../../../support/platform.ts';
import { dynamodbCall, recordedCalls } from '../../../support/recorded-calls.ts';

type RoleId = 'operator' | 'runner' | 'workflows';

/** The inline policy of a role and those of its regions. */
function policiesOf({ resource }: Synthesized, role: RoleId): readonly JsonPolicy[] {
  const own = Object.entries(resource.aws_iam_role_policy ?? {}).filter(([id]) => id === `${role}-policy`);
  const regional = Object.entries(resource.aws_iam_policy ?? {}).filter(([id]) => id.startsWith(`${role}-`));
  expect(own).toHaveLength(1);
  return [...own, ...regional].map(([, { policy }]) => JSON.parse(String(policy)) as JsonPolicy);
}

/** The DynamoDB calls of the state machines, from their documents. */
function callsOfMachines({ resource }: Synthesized, arnOf: (table: string) => string): readonly Call[] {
  /** Of an attribute that the document fills in, a value it may have. */
  const filledIn = (key: JsonMap) =>
    Object.fromEntries(
      Object.entries(key).map(([name, value]) => {
        const { S, 'S.$': formula } = isPlainMap(value) ? value : {};
        return [name, { S: String(S ?? /'([^']*)'/.exec(String(formula))?.[1]?.replace('{}', 'enc_1') ?? 'e-1') }];
      }),
    );
  return Object.values(resource.aws_sfn_state_machine ?? {}).flatMap(({ definition }) => {
    const { States } = JSON.parse(String(definition)) as { States: Record<string, Record<string, unknown>> };
    return Object.values(States).flatMap((state) => {
      const [, action] = /^arn:aws:states:::dynamodb:(\w+)$/.exec(String(state.Resource)) ?? [];
      if (action === undefined) return [];
      const { TableName, Key } = state.Parameters as { TableName: string; Key: JsonMap };
      const name = action[0]?.toUpperCase() + action.slice(1);
      return [dynamodbCall(name, { TableName, Key: filledIn(Key) }, arnOf)];
    });
  });
}

const NOW = '2030-01-01T00:00:00.000Z';
const outcome = { result: 'succeeded', at: NOW, by: 'runner' } as const;
const silent = () => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent };

function callsOfRunner(names: ReturnType<typeof namesOf>) {
  const { stateTable, historyTable } = names;
  const claimant = { taskArn: 't', executionArn: 'e', host: 'h', startedAt: NOW };
  return recordedCalls(names.tableArn, (client) => {
    const run = createRunStore({ client, stateTable, historyTable, enclaveId: 'enc_1', run: 'e-1', action: 'deploy' });
    const fleet = createFleetStore({ client, historyTable, run: 'd-1' });
    const evidence = createLockEvidence({ dynamodb: client, ecs: {} as never, historyTable, enclaveId: 'enc_1' });
    return [
      () => run.claim(claimant),
      () => run.lock(),
      () => run.advance('t', 'applying', { create: 0, update: 0, replace: 0, delete: 0 }),
      () => run.settle('t', outcome),
      () => fleet.claim(claimant),
      () => fleet.record('t', {}),
      () => fleet.settle('t', outcome),
      () => evidence.runsOn('h'),
    ];
  });
}

function callsOfOperator(names: ReturnType<typeof namesOf>, config: PlacedConfig) {
  const { enclavesTable } = config;
  const { stateTable, historyTable } = names;
  const all = async (pages: AsyncIterable<unknown>) => {
    for await (const _ of pages);
  };
  return recordedCalls(names.tableArn, (client: DynamoDBClient) => {
    const options = { client, stateTable, historyTable, expiresAt: () => 1, log };
    const state = createStateStore({ ...options, place: config });
    const history = createHistoryStore(options);
    const fleetRuns = createFleetRunStore(options);
    const leases = createLeaseStore(client, stateTable);
    const records = createRecordStore(client, enclavesTable);
    const { signal } = new AbortController();
    const lifecycle = aLifecycle('enc_1');
    const request = aRequest('enc_1', 'k');
    const ledger = { v: 1, minReader: 1, runs: [], revision: 1, epoch: 1 };
    const fleetRun: FleetRunItem = { v: 1, minReader: 1, name: 'd-1', action: 'drift', requestedAt: NOW, enclaves: [] };
    return [
      () => records.get('enc_1'),
      () => records.publish('enc_1', { id: 'enc_1' } as never, { set: {}, remove: [] } as never),
      () => all(records.scan(signal)),
      () => state.read('enc_1'),
      () => state.reports('enc_1', ['i-1']),
      () => state.requests('enc_1'),
      () => state.commit({ lifecycle, readRevision: 1, consumed: [] }),
      () =>
        state.commit({
          lifecycle,
          readRevision: undefined,
          start: { lock: aLock('e-1'), run: aRun('enc_1', 'e-1') },
          consumed: [request],
        }),
      () => state.planResults('enc_1'),
      () => state.commit({ lifecycle, readRevision: 1, consumed: [], planResults: [aPlanResult('enc_1', 'd-1')] }),
      () => state.discardPlanResults([aPlanResult('enc_1', 'd-1')]),
      () => state.dismiss([request]),
      () => state.forget('enc_1', 1),
      () => state.release('enc_1', 'e-1', ['intended']),
      () => all(state.scan(signal)),
      () => state.control(),
      () => state.install({ v: 1, minReader: 1 } as never),
      () => state.amendControl({ v: 1 }),
      () => leases.read(),
      () => leases.replace({ nonce: 'n' } as never, undefined),
      () => history.run('enc_1', 'e-1'),
      () => history.runs('enc_1', 5),
      () => history.requestCancel('enc_1', 'e-1', NOW),
      () => history.settle('enc_1', 'e-1', outcome),
      () => history.append([anEvent('enc_1')]),
      () => history.answer({ ...anEvent('enc_1'), key: 'k', rows: [], unseen: [], expiresAt: 1 }),
      () => fleetRuns.ledger(),
      () => fleetRuns.commit({ ledger, readRevision: undefined, start: fleetRun }),
      () => fleetRuns.commit({ ledger, readRevision: 1 }),
      () => fleetRuns.run('d-1'),
      () => fleetRuns.settle('d-1', outcome),
      () => fleetRuns.deliver([aPlanResult('enc_1', 'd-1')]),
    ];
  });
}

describe.each(configs)('%s', (_name, config) => {
  const { terraform } = build(config);
  const names = namesOf(config);
  const decisionsOf = (role: RoleId, calls: readonly Call[]) => {
    const policies = policiesOf(terraform, role);
    return calls.map((call) => ({ ...call, decision: decide(policies, call) }));
  };
  const refused = (role: RoleId, calls: readonly Call[]) =>
    decisionsOf(role, calls).filter(({ decision }) => decision !== 'allowed');
  const allowed = (role: RoleId, calls: readonly Call[]) =>
    decisionsOf(role, calls).filter(({ decision }) => decision === 'allowed');
  const item = (action: string, table: string, key?: string): Call => ({
    action: `dynamodb:${action}`,
    resource: names.tableArn(table),
    ...(key === undefined ? {} : { context: { 'dynamodb:LeadingKeys': [key] } }),
  });

  it('the state machines may make every DynamoDB call of their documents', () => {
    const calls = callsOfMachines(terraform, names.tableArn);
    const keys = new Set(calls.flatMap(({ context }) => context?.['dynamodb:LeadingKeys'] ?? []));
    expect(keys).toEqual(new Set(['enclave#enc_1', 'run#enc_1', 'fleet']));
    expect(refused('workflows', calls)).toEqual([]);
  });

  it('the runner may make every DynamoDB call of its stores', async () => {
    const calls = await callsOfRunner(names);
    const keys = new Set(calls.flatMap(({ context }) => context?.['dynamodb:LeadingKeys'] ?? []));
    expect(keys).toEqual(new Set(['enclave#enc_1', 'run#enc_1', 'fleet']));
    expect(refused('runner', calls)).toEqual([]);
  });

  it('the operator may make every DynamoDB call of its stores', async () => {
    const calls = await callsOfOperator(names, config);
    expect(new Set(calls.map(({ resource }) => resource)).size).toBe(3);
    expect(refused('operator', calls)).toEqual([]);
  });

  it('the operator reads the roles of hosts, and no other role', () => {
    const reads = ['GetRole', 'GetRolePolicy', 'ListAttachedRolePolicies', 'ListRolePolicies'];
    const of = (resource: string) => reads.map((action): Call => ({ action: `iam:${action}`, resource }));
    const host = 'treza-enclave-instance-role-enc_1';
    expect(refused('operator', of(names.roleArn(host, names.rolePath)))).toEqual([]);
    const legacy = allowed('operator', of(names.roleArn(host)));
    expect(legacy).toHaveLength(config.legacyHosts ? reads.length : 0);
    const strange = [
      ...of(names.roleArn(names.roles.runner)),
      ...of(names.roleArn('treza-enclave-other', names.rolePath)),
      ...['DeleteRolePolicy', 'PutRolePolicy'].map((action) => ({
        action: `iam:${action}`,
        resource: names.roleArn(host, names.rolePath),
      })),
    ];
    expect(allowed('operator', strange)).toEqual([]);
  });

  it('the runner and the state machines reach no other partition of either table', () => {
    const { stateTable, historyTable } = names;
    const actions = ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'];
    const strange = [
      ...actions.flatMap((action) => [
        ...['report#enc_1', 'request#enc_1', 'plan#enc_1', 'fleet'].map((key) => item(action, stateTable, key)),
        ...['event#enc_1', 'enclave#enc_1', 'fleet2'].map((key) => item(action, historyTable, key)),
        ...[stateTable, historyTable].map((table) => item(action, table)),
      ]),
      ...[stateTable, historyTable].map((table) => item('Scan', table)),
    ];
    expect(allowed('runner', strange)).toEqual([]);
    expect(allowed('workflows', strange)).toEqual([]);
    const writing = ['PutItem', 'UpdateItem', 'DeleteItem'].map((action) => item(action, stateTable, 'enclave#enc_1'));
    expect(allowed('runner', writing)).toEqual([]);
    expect(
      allowed('runner', [item('DeleteItem', historyTable, 'fleet'), item('Query', historyTable, 'fleet')]),
    ).toEqual([]);
  });

  it('a host may write its report, and neither a lock nor a run', () => {
    const boundary = JSON.parse(String(terraform.resource.aws_iam_policy?.['host-boundary']?.policy)) as JsonPolicy;
    const whatever = [{ Statement: [{ Effect: 'Allow' as const, Action: '*', Resource: '*' }] }];
    const decision = (call: Call) => decide(whatever, call, boundary);
    expect(decision(item('PutItem', names.stateTable, 'report#enc_1'))).toBe('allowed');
    expect(decision(item('PutItem', names.stateTable, 'enclave#enc_1'))).toBe('denied');
    expect(decision(item('UpdateItem', names.historyTable, 'run#enc_1'))).toBe('denied');
  });

  describe.each(Object.keys(config.regions))('in %s', (region) => {
    const arn = (resource: string) => names.arn('ec2', resource, region);
    const network = config.regions[region]?.network;
    const ownVpc =
      network?.kind === 'existing'
        ? arn(`vpc/${network.vpcId}`)
        : `\${aws_vpc.${region === config.region ? 'vpc' : `vpc-${region}`}.arn}`;
    const tag = (name: string, value: string) => ({ [`aws:ResourceTag/${name}`]: value });
    const environment = tag('Environment', config.environment);
    const ofEnclave = { ...environment, ...tag('EnclaveId', 'enc_1') };
    const instance = arn('instance/i-0123456789abcdef0');
    const groups = (context: NonNullable<Call['context']>): Call => ({
      action: 'ec2:ModifyNetworkInterfaceAttribute',
      resource: arn('security-group/sg-0123456789abcdef0'),
      context,
    });
    const interfaceIn = (vpc: string): Call => ({
      action: 'ec2:ModifyNetworkInterfaceAttribute',
      resource: arn('network-interface/eni-0123456789abcdef0'),
      context: { 'ec2:Vpc': vpc },
    });
    const profile = ['Associate', 'Disassociate', 'Replace'].map(
      (verb) => `ec2:${verb}IamInstanceProfile${verb === 'Replace' ? 'Association' : ''}`,
    );

    if (network?.kind === 'new') {
      it('the stack creates the VPC that the policy names', () => {
        const [, id] = /^\$\{aws_vpc\.(.+)\.arn\}$/.exec(ownVpc) ?? [];
        expect(id).toBeDefined();
        expect(Object.keys(terraform.resource.aws_vpc ?? {})).toContain(id);
      });
    }

    it('the runner may undo a change of the groups or the profile of a host, and grow its volume', () => {
      const calls: Call[] = [
        // A foreign group is taken off a host: the interface, the groups that stay, and the host it belongs to.
        interfaceIn(ownVpc),
        groups(ofEnclave),
        groups(environment),
        { action: 'ec2:ModifyNetworkInterfaceAttribute', resource: instance, context: ofEnclave },
        { action: 'ec2:DescribeIamInstanceProfileAssociations', resource: '*' },
        ...profile.map((action) => ({ action, resource: instance, context: ofEnclave })),
        {
          action: 'iam:PassRole',
          resource: names.roleArn('treza-enclave-instance-role-enc_1', names.rolePath),
          context: { 'iam:PassedToService': 'ec2.amazonaws.com' },
        },
        { action: 'ec2:ModifyVolume', resource: arn('volume/vol-1'), context: ofEnclave },
        { action: 'ec2:DescribeVolumesModifications', resource: '*' },
        { action: 'ec2:DescribeInstances', resource: '*' },
      ];
      expect(refused('runner', calls)).toEqual([]);
    });

    it('the operator reads attributes of the hosts of this environment, and changes none', () => {
      const read = { action: 'ec2:DescribeInstanceAttribute', resource: instance };
      expect(refused('operator', [{ ...read, context: ofEnclave }])).toEqual([]);
      const another = { ...ofEnclave, ...tag('Environment', 'another') };
      const strange: Call[] = [
        ...[{}, environment, another].map((context) => ({ ...read, context })),
        { action: 'ec2:ModifyInstanceAttribute', resource: instance, context: ofEnclave },
      ];
      expect(allowed('operator', strange)).toEqual([]);
    });

    it('the runner may do so to no other host, network or group, and pass no other role', () => {
      const another = { ...ofEnclave, ...tag('Environment', 'another') };
      const calls: Call[] = [
        interfaceIn(names.arn('ec2', 'vpc/vpc-0fedcba9876543210', region)),
        { ...interfaceIn(ownVpc), context: {} },
        groups({}),
        groups(another),
        { action: 'ec2:ModifyNetworkInterfaceAttribute', resource: instance, context: environment },
        ...profile.flatMap((action) =>
          [{}, environment, another].map((context) => ({ action, resource: instance, context })),
        ),
        {
          action: 'iam:PassRole',
          resource: names.roleArn(names.roles.runner),
          context: { 'iam:PassedToService': 'ec2.amazonaws.com' },
        },
      ];
      expect(allowed('runner', calls)).toEqual([]);
    });
  });
});
