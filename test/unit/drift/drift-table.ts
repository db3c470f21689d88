/** Looks at an enclave: one that is as it should be, and all that differ. */
import {
  ATTRIBUTES,
  type Attribute,
  digestKey,
  digestRole,
  digestRules,
  type KeyDocuments,
  type Observed,
  type Posture,
  type ReportFacts,
  type RoleDocuments,
  type Wanted,
} from '../../../src/drift/index.ts';
import { namesDigest, policiesDigest, policyDigest, rulesDigest } from '../../../src/enclave/digests.ts';
import { HOST_FACTS, type HostDrift, hostDrifts, isHostDrift } from '../../support/host-facts.ts';
import { record, specOf } from '../enclave/spec/spec-records.ts';

export const PCR0 = 'a1'.repeat(48);
export const OTHER = 'b2'.repeat(48);
export const TRUST = JSON.stringify({ Statement: [{ Effect: 'Allow', Action: ['sts:AssumeRole'], Principal: {} }] });
export const KEY_POLICY = JSON.stringify({
  Statement: [
    { Effect: 'Allow', Action: ['kms:PutKeyPolicy', 'kms:DescribeKey'], Principal: { AWS: 'admin' }, Resource: ['*'] },
    {
      Effect: 'Allow',
      Action: ['kms:Decrypt'],
      Principal: { AWS: 'role' },
      Resource: ['*'],
      Condition: { StringEqualsIgnoreCase: { 'kms:RecipientAttestation:PCR0': PCR0 } },
    },
  ],
});

export const spec = specOf(
  record(
    {
      cpuCount: 2,
      memoryMiB: 1_024,
      exposePorts: [8_080],
      attestation: { expectedMeasurements: [{ pcr0: PCR0 }], enforce: 'quarantine' },
      host: { securityGroupIds: ['sg-0123456789abcdef0'] },
    },
    { tags: { Team: 'payments' } },
  ),
);

const rule = (peer: string) =>
  ({ direction: 'ingress', protocol: 'tcp', fromPort: 8_080, toPort: 8_080, peer }) as const;

export const wanted: Wanted = {
  enclaveId: 'enc_1',
  environment: 'dev',
  running: true,
  spec,
  generation: 3,
  instanceId: 'i-1',
  amiId: 'ami-1',
  made: {
    groupId: 'sg-1',
    rules: rulesDigest([rule('10.0.0.0/8'), rule('10.1.0.0/16')]),
    trust: policyDigest(TRUST),
    attached: namesDigest([]),
    inline: policiesDigest({ 'enclave-host': TRUST }),
    keyArn: 'arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    keyPolicy: policyDigest(KEY_POLICY),
    userData: 'cafe',
  },
};

export const posture: Posture = {
  ...HOST_FACTS,
  instanceType: spec.instanceType,
  amiId: 'ami-1',
  profile: 'treza-enclave-instance-profile-enc_1',
  groups: [
    { id: 'sg-0123456789abcdef0', name: 'extra' },
    { id: 'sg-1', name: 'treza-enclave-sg-enc_1' },
  ],
  tags: {
    Name: 'treza-enclave-enc_1',
    EnclaveId: 'enc_1',
    Environment: 'dev',
    ManagedBy: 'terraform',
    Generation: '3',
    Team: 'payments',
    CostCenter: 'somebody put it there',
  },
  metadata: { endpoint: 'enabled', tokens: 'required', hopLimit: 1 },
};

const enclave = { state: 'RUNNING', cpuCount: 2, memoryMiB: 1_024, debug: false };
const report: ReportFacts = {
  enclaves: [enclave],
  completed: false,
  leftToHost: false,
  health: 'passing',
  measurements: { PCR0 },
  allocatorOk: true,
  proxies: [{ destination: 'kms', state: 'active' }],
};

const RULES = [rule('10.1.0.0/16'), rule('10.0.0.0/8')];
const ROLE: RoleDocuments = { trust: TRUST, attachedArns: [], inline: { 'enclave-host': TRUST } };
const KEY: KeyDocuments = { state: 'Enabled', policy: KEY_POLICY, grantIds: [] };

/** All as it should be. */
export const observed: Observed = {
  observedAt: Date.parse('2030-01-01T00:00:00.000Z'),
  hosts: [{ instanceId: 'i-1', state: 'running' }],
  posture,
  userData: 'cafe',
  terminationProtection: false,
  rootVolume: { encrypted: true, deleteOnTermination: true },
  checks: { system: 'ok', instance: 'ok', ebs: 'ok' },
  events: [],
  agentOnline: true,
  report,
  attested: [{ pcr0: PCR0 }],
  rules: digestRules(RULES),
  role: digestRole(ROLE),
  key: digestKey(KEY),
  logGroup: { exists: true, retentionDays: 30, kmsKeyArn: null },
  terraform: { state: true, lockStale: false },
  strays: [],
};

const hosts = (...states: string[]): Partial<Observed> => ({
  hosts: states.map((state, index) => ({ instanceId: `i-${index + 1}`, state })),
});
export const has = (changes: Partial<Posture>): Partial<Observed> => ({ posture: { ...posture, ...changes } });
const reports = (changes: Partial<ReportFacts>): Partial<Observed> => ({ report: { ...report, ...changes } });
const runs = (changes: object): Partial<Observed> => reports({ enclaves: [{ ...enclave, ...changes }] });
export const keeps = (changes: KeyDocuments): Partial<Observed> => ({ key: digestKey({ ...KEY, ...changes }) });
const bears = (changes: RoleDocuments): Partial<Observed> => ({ role: digestRole({ ...ROLE, ...changes }) });
export const opened = (...more: object[]) =>
  JSON.stringify({ Statement: [...JSON.parse(KEY_POLICY).Statement, ...more] });

/** The looks at one attribute, by their reasons. */
export interface Case {
  readonly attribute: Attribute;
  /** Looks that make Drift, each with its reason. */
  readonly drift: Readonly<Record<string, Partial<Observed>>>;
  readonly unknown: Readonly<Record<string, Partial<Observed>>>;
  /** Further looks that match, beside {@link observed}. */
  readonly match?: Readonly<Record<string, Partial<Observed>>>;
  readonly want?: Partial<Wanted>;
  /** What matches where `want` asks for something else. */
  readonly base?: Partial<Observed>;
}

const OTHER_CASES: readonly Case[] = [
  {
    attribute: 'host.exists',
    drift: { 'nothing carries the tag': hosts(), terminated: hosts('terminated') },
    unknown: { 'not swept': { hosts: undefined }, 'on its way out': hosts('shutting-down') },
    match: { stopped: hosts('stopped') },
  },
  {
    attribute: 'host.duplicate',
    drift: { two: hosts('running', 'stopped') },
    unknown: { 'not swept': { hosts: undefined } },
    match: { 'one of two is gone': hosts('running', 'terminated'), none: hosts() },
  },
  {
    attribute: 'host.running',
    drift: { stopped: hosts('stopped'), 'the known one of two': hosts('stopped', 'running') },
    unknown: { 'not swept': { hosts: undefined }, starting: hosts('pending'), gone: hosts() },
  },
  {
    attribute: 'host.paused',
    want: { running: false },
    base: hosts('stopped'),
    drift: { running: hosts('running') },
    unknown: { 'not swept': { hosts: undefined }, stopping: hosts('stopping') },
  },
  {
    attribute: 'host.instanceType',
    drift: { another: has({ instanceType: 'c5.large' }) },
    unknown: { 'not described': { posture: undefined }, 'not told': has({ instanceType: undefined }) },
  },
  {
    attribute: 'host.ami',
    drift: { another: has({ amiId: 'ami-2' }) },
    unknown: { 'not told': has({ amiId: undefined }) },
  },
  {
    attribute: 'host.profile',
    drift: { another: has({ profile: 'admin' }), none: has({ profile: null }) },
    unknown: { 'not told': has({ profile: undefined }) },
  },
  {
    attribute: 'host.metadata',
    drift: {
      'version 1 allowed': has({ metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 1 } }),
      'more hops': has({ metadata: { hopLimit: 2 } }),
      disabled: has({ metadata: { endpoint: 'disabled' } }),
    },
    unknown: { 'in part': has({ metadata: { tokens: 'required' } }), 'not at all': has({ metadata: undefined }) },
  },
  {
    attribute: 'host.userData',
    drift: { another: { userData: 'beef' } },
    unknown: { 'not asked': { userData: undefined } },
  },
  {
    attribute: 'host.terminationProtection',
    drift: { on: { terminationProtection: true } },
    unknown: { 'not asked': { terminationProtection: undefined } },
  },
  {
    attribute: 'host.volume',
    drift: {
      'not encrypted': { rootVolume: { encrypted: false, deleteOnTermination: true } },
      'left behind': { rootVolume: { encrypted: true, deleteOnTermination: false } },
    },
    unknown: { 'not asked': { rootVolume: undefined }, 'in part': { rootVolume: { encrypted: true } } },
  },
  {
    attribute: 'host.statusChecks',
    drift: {
      system: { checks: { system: 'impaired', instance: 'ok' } },
      instance: { checks: { instance: 'impaired' } },
      volumes: { checks: { system: 'ok', instance: 'ok', ebs: 'impaired' } },
    },
    unknown: {
      'not asked': { checks: undefined },
      initializing: { checks: { system: 'ok', instance: 'initializing' } },
      'a stopped host': { checks: { system: 'not-applicable', instance: 'not-applicable' } },
    },
    match: { 'no check of volumes': { checks: { system: 'ok', instance: 'ok' } } },
  },
  {
    attribute: 'host.events',
    drift: { retirement: { events: [{ code: 'instance-retirement', notBefore: '2030-01-15T00:00:00.000Z' }] } },
    unknown: { 'not asked': { events: undefined } },
    match: { over: { events: [{ code: 'system-reboot', description: '[Completed] Scheduled reboot' }] } },
  },
  {
    attribute: 'host.agent',
    drift: { 'silent on an impaired host': { agentOnline: false, checks: { instance: 'impaired' } } },
    unknown: { 'not asked': { agentOnline: undefined }, 'silent alone': { agentOnline: false } },
  },
  {
    attribute: 'network.groups',
    drift: {
      'one too many': has({ groups: [...(posture.groups ?? []), { id: 'sg-2', name: 'open' }] }),
      'one too few': has({ groups: [{ id: 'sg-1', name: 'treza-enclave-sg-enc_1' }] }),
      'its own is gone': has({ groups: [{ id: 'sg-0123456789abcdef0', name: 'extra' }] }),
    },
    unknown: {
      'not told': has({ groups: undefined }),
      'a group without a name': has({ groups: [{ id: 'sg-0123456789abcdef0' }, { id: 'sg-1' }] }),
    },
  },
  {
    attribute: 'network.rules',
    drift: {
      widened: { rules: digestRules([...RULES, rule('0.0.0.0/0')]) },
      narrowed: { rules: digestRules([rule('10.0.0.0/8')]) },
    },
    unknown: { 'not asked': { rules: undefined } },
  },
  {
    attribute: 'tags',
    drift: {
      changed: has({ tags: { ...posture.tags, Team: 'other' } }),
      'ownership lost': has({ tags: {} }),
    },
    unknown: { 'not told': has({ tags: undefined }) },
  },
  {
    attribute: 'enclave.running',
    drift: {
      none: reports({ enclaves: [] }),
      empty: runs({ state: 'EMPTY' }),
      'a service that claims to be done': reports({ enclaves: [], completed: true }),
    },
    unknown: {
      'no report': { report: undefined },
      'the host could not see': reports({ enclaves: undefined }),
      'the host starts it again': reports({ enclaves: [], leftToHost: true }),
      'nothing is said of the restart': reports({ enclaves: [], leftToHost: undefined }),
      terminating: runs({ state: 'TERMINATING' }),
    },
    match: { 'other case': runs({ state: 'running' }) },
  },
  {
    attribute: 'enclave.terminating',
    drift: { 'for too long': runs({ state: 'TERMINATING', terminatingMs: 121_000 }) },
    unknown: { 'no report': { report: undefined }, 'since when is not known': runs({ state: 'TERMINATING' }) },
    match: { 'for a while': runs({ state: 'TERMINATING', terminatingMs: 60_000 }) },
  },
  {
    attribute: 'enclave.debug',
    drift: {
      debug: runs({ debug: true }),
      'another one': reports({ enclaves: [enclave, { ...enclave, debug: true }] }),
    },
    unknown: { 'no report': { report: undefined }, 'not told': runs({ debug: undefined }) },
  },
  {
    attribute: 'enclave.cpuCount',
    drift: { more: runs({ cpuCount: 4 }) },
    unknown: { 'no report': { report: undefined }, 'none runs': reports({ enclaves: [] }) },
  },
  {
    attribute: 'enclave.memory',
    drift: { less: runs({ memoryMiB: 1_023 }) },
    unknown: { 'no report': { report: undefined }, 'not told': runs({ memoryMiB: undefined }) },
    match: { 'rounded up to huge pages': runs({ memoryMiB: 2_048 }) },
  },
  {
    attribute: 'enclave.extra',
    drift: { two: reports({ enclaves: [enclave, enclave] }) },
    unknown: { 'the host could not see': reports({ enclaves: undefined }) },
    match: { 'one on its way out': reports({ enclaves: [enclave, { state: 'TERMINATING' }] }) },
  },
  {
    attribute: 'enclave.measurements',
    drift: { another: reports({ measurements: { PCR0: OTHER } }) },
    unknown: {
      'not told': reports({ measurements: undefined }),
      'another register': reports({ measurements: { PCR8: OTHER } }),
    },
    match: { 'upper case': reports({ measurements: { PCR0: PCR0.toUpperCase() } }) },
  },
  {
    attribute: 'enclave.attested',
    drift: {
      another: { attested: [{ pcr0: OTHER }] },
      'another, and the right one after it': { attested: [{ pcr0: OTHER }, { pcr0: PCR0 }] },
    },
    unknown: {
      'nobody attested': { attested: [] },
      'without the register': { attested: [{}] },
      'one of them without the register': { attested: [{ pcr0: PCR0 }, {}] },
    },
    match: { 'another register beside it': { attested: [{ pcr0: PCR0 }, { pcr0: PCR0, pcr4: OTHER }] } },
  },
  {
    attribute: 'enclave.health',
    drift: { failing: reports({ health: 'failing' }) },
    unknown: { 'not probed yet': reports({ health: 'none' }), 'no report': { report: undefined } },
  },
  {
    attribute: 'enclave.allocator',
    drift: { short: reports({ allocatorOk: false, enclaves: [] }) },
    unknown: {
      'not told': reports({ allocatorOk: undefined }),
      'nor what runs': reports({ allocatorOk: false, enclaves: undefined }),
    },
    match: { 'short, and one runs': reports({ allocatorOk: false }) },
  },
  {
    attribute: 'enclave.proxies',
    drift: { failed: reports({ proxies: [{ destination: 'kms', state: 'failed' }] }) },
    unknown: {
      'not told': reports({ proxies: undefined }),
      starting: reports({ proxies: [{ destination: 'kms', state: 'activating' }] }),
      'not told by systemd': reports({ proxies: [{ destination: 'kms', state: '' }] }),
    },
    match: { refused: reports({ proxies: [{ destination: '*.example.com', state: 'refused' }] }) },
  },
  {
    attribute: 'role.policies',
    drift: {
      'one attached': bears({ attachedArns: ['arn:aws:iam::aws:policy/AdministratorAccess'] }),
      'one added': bears({ inline: { 'enclave-host': TRUST, more: TRUST } }),
      'one taken away': bears({ inline: {} }),
      'one changed': bears({ inline: { 'enclave-host': '{"Statement":[]}' } }),
      'trusts another': bears({ trust: '{"Statement":[]}' }),
    },
    unknown: {
      'not asked': { role: undefined },
      'in part': bears({ attachedArns: undefined }),
      'not understood': bears({ trust: 'no JSON' }),
    },
    match: {
      'as IAM writes a list of one': bears({ trust: TRUST.replace('["sts:AssumeRole"]', '"sts:AssumeRole"') }),
    },
  },
  {
    attribute: 'key.policy',
    drift: {
      'the account may decrypt': keeps({
        policy: opened({ Effect: 'Allow', Action: 'kms:*', Principal: { AWS: 'root' } }),
      }),
      'zeros are attested': keeps({ policy: KEY_POLICY.replace(PCR0, '0'.repeat(96)) }),
      'a grant': keeps({ grantIds: ['g-1'] }),
      'another policy': keeps({ policy: KEY_POLICY.replace(PCR0, OTHER) }),
    },
    unknown: {
      'not asked': { key: undefined },
      'grants not asked': keeps({ grantIds: undefined }),
      'not understood': keeps({ policy: '[' }),
    },
  },
  {
    attribute: 'key.state',
    drift: { disabled: keeps({ state: 'Disabled' }), leaving: keeps({ state: 'PendingDeletion' }) },
    unknown: { 'not asked': { key: undefined }, 'being made': keeps({ state: 'Creating' }) },
  },
  {
    attribute: 'logs.group',
    drift: {
      gone: { logGroup: { exists: false } },
      'kept for ever': { logGroup: { exists: true, retentionDays: null, kmsKeyArn: null } },
    },
    unknown: { 'not asked': { logGroup: undefined }, 'in part': { logGroup: { exists: true, retentionDays: 30 } } },
  },
  {
    attribute: 'terraform.state',
    drift: {
      gone: { terraform: { state: false } },
      'locked for long': { terraform: { state: true, lockStale: true } },
    },
    unknown: { 'not asked': { terraform: undefined }, 'in part': { terraform: { state: true } } },
  },
  {
    attribute: 'orphans',
    drift: { 'a forgotten host': { strays: ['i-9'] } },
    unknown: { 'not asked': { strays: undefined } },
  },
];

/** Of an attribute that one fact of the host decides. */
function hostCase(attribute: HostDrift): Case {
  const drifts = Object.entries(hostDrifts[attribute]);
  const unreported = (changes: Posture) => Object.fromEntries(Object.keys(changes).map((fact) => [fact, undefined]));
  return {
    attribute,
    drift: Object.fromEntries(drifts.map(([reason, changes]) => [reason, has(changes)])),
    unknown: Object.fromEntries(
      drifts.map(([reason, changes]) => [`${reason}, not reported`, has(unreported(changes))]),
    ),
  };
}

/** In the order of the drift table. */
export const CASES: readonly Case[] = ATTRIBUTES.flatMap((attribute) => [
  ...OTHER_CASES.filter((each) => each.attribute === attribute),
  ...(isHostDrift(attribute) ? [hostCase(attribute)] : []),
]);
