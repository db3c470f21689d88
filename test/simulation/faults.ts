/** The faults that the simulation injects into a fleet, for each drift attribute. */
import { ATTRIBUTES, type Attribute, ENTRIES, type Posture } from '../../src/drift/index.ts';
import type { Reason } from '../../src/enclave/conditions.ts';
import type { Difference } from '../../src/enclave/items/plan.ts';
import { type HostDrift, hostDrifts, isHostDrift } from '../support/host-facts.ts';
import type { Illness, MemoryHost } from '../support/memory-hosts.ts';
import type { MemorySurrounding } from '../support/memory-surroundings.ts';
import type { MemoryWorld } from '../support/memory-world.ts';
import { CHANGES, ILLNESSES } from './intruder.ts';

/** What a fault acts on. */
export interface Target {
  readonly world: MemoryWorld;
  readonly host: MemoryHost;
  readonly around: MemorySurrounding;
  /** The policy allows the operator to replace the host. */
  readonly replaceable: boolean;
  readonly now: number;
  /** From now on the operator may terminate the host. */
  mayEnd(host: MemoryHost): void;
  /** The next boot of the host ends the fault by `cure`. */
  curedByBoot(cure: () => void): void;
  /** Removes the Terraform state of the enclave; returns how to restore it. */
  loseState(): () => void;
}

/** Injects the fault. Returns how a person reverts it, if the operator only reports it. */
type Fault = (target: Target) => (() => void) | undefined;

export interface AttributeFaults {
  /** Which enclaves it acts on: running ones, running ones with a lenient policy, or paused ones. */
  readonly of: 'running' | 'lenient' | 'paused';
  /** The reason of InSync, if it is not the name of the attribute. */
  readonly reason?: Reason;
  /** One of them is injected. */
  readonly faults: readonly Fault[];
}

export const PCR0 = 'a1'.repeat(48);
const OTHER_PCR0 = 'b2'.repeat(48);
const OPEN = JSON.stringify({ Statement: [{ Effect: 'Allow', Action: 'kms:Decrypt', Principal: '*', Resource: '*' }] });
const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess';

const running = (...faults: readonly Fault[]): AttributeFaults => ({ of: 'running', faults });
const because = (reason: Reason, ...faults: readonly Fault[]): AttributeFaults => ({ of: 'running', reason, faults });

/** The operator repairs it. */
const repaired =
  (act: (target: Target) => void): Fault =>
  (target) => {
    act(target);
    return undefined;
  };
const changed = (changes: (host: MemoryHost) => NonNullable<Partial<MemoryHost['posture']>>): Fault =>
  repaired(({ world, host }) => world.hosts.alter(host, changes(host)));
const ill = (illness: (host: MemoryHost) => Illness): Fault =>
  repaired(({ world, host }) => world.hosts.ail(host, illness(host)));
const surrounded = (change: (around: MemorySurrounding) => void): Fault => repaired(({ around }) => change(around));
const hidden = (difference: Difference): Fault =>
  surrounded((around) => {
    around.hidden = [...around.hidden, difference];
  });

/** Only a replacement of the host repairs it. */
const costly =
  (act: (target: Target) => () => void): Fault =>
  (target) => {
    const revert = act(target);
    if (!target.replaceable) return revert;
    target.mayEnd(target.host);
    return undefined;
  };
const changedForGood = (changes: NonNullable<Partial<MemoryHost['posture']>>): Fault =>
  costly(({ world, host }) => {
    const before = host.posture;
    world.hosts.alter(host, changes);
    return () => world.hosts.alter(host, before ?? {});
  });

/** The check fails and SSM has lost the host: silence alone is no reason to act. */
const dead = (checks: MemoryHost['checks']): Fault =>
  repaired(({ world, host, curedByBoot }) => {
    const before = host.checks;
    host.checks = checks;
    host.managed = false;
    world.hosts.freezeReports(host);
    curedByBoot(() => {
      host.checks = before;
      host.managed = true;
      world.hosts.freezeReports(host, false);
    });
  });

/** One changed fact of the host: an apply cures it where the drift table says so, otherwise only a new host. */
function factChanged(attribute: HostDrift): AttributeFaults {
  const change = ENTRIES[attribute].steps[0] === 'apply' ? (facts: Posture) => changed(() => facts) : changedForGood;
  return running(...Object.values(hostDrifts[attribute]).map(change));
}

/** Every other attribute: tsc rejects an attribute without faults. */
const OTHERS: Readonly<Record<Exclude<Attribute, HostDrift>, AttributeFaults>> = {
  'host.exists': because(
    'HostMissing',
    repaired(({ world, host, mayEnd }) => {
      mayEnd(host);
      world.hosts.terminate(host);
    }),
  ),
  'host.duplicate': running(({ world, host: { enclaveId, region }, mayEnd }) => {
    const twin = world.hosts.launch({ enclaveId, region, state: 'running', reports: false });
    return () => {
      mayEnd(twin);
      world.hosts.terminate(twin);
    };
  }),
  'host.running': because(
    'HostStopped',
    repaired(({ world, host }) => void world.hosts.stop(host.region, host.instanceId)),
  ),
  'host.paused': {
    of: 'paused',
    reason: 'HostRunningUnwanted',
    faults: [repaired(({ world, host }) => void world.hosts.start(host.region, host.instanceId))],
  },
  'host.instanceType': running(changed(CHANGES['another instance type'])),
  'host.ami': running(({ world, host }) => {
    const amiId = host.posture?.amiId;
    world.hosts.alter(host, { amiId: 'ami-9' });
    return () => world.hosts.alter(host, { amiId });
  }),
  'host.profile': running(changed(CHANGES["another one's profile"]), changed(CHANGES['no profile'])),
  'host.metadata': running(changed(CHANGES['a weak metadata service'])),
  'host.userData': running(hidden({ address: 'aws_s3_object.configuration', attributes: ['etag'] })),
  'host.terminationProtection': running(
    hidden({ address: 'aws_instance.host', attributes: ['disable_api_termination'] }),
  ),
  'host.volume': running(
    costly(({ around }) => {
      const { volume } = around;
      around.volume = { encrypted: false, deleteOnTermination: true };
      return () => {
        around.volume = volume;
      };
    }),
  ),
  'host.statusChecks': running(dead({ system: 'impaired', instance: 'ok' })),
  'host.events': running(({ host }) => {
    host.events = [{ code: 'instance-retirement', description: 'Degraded hardware', notBefore: '2031-01-01' }];
    return () => {
      host.events = [];
    };
  }),
  // With another policy the restart for the failed check, which is observed earlier, would repair both.
  'host.agent': { of: 'lenient', faults: [dead({ system: 'ok', instance: 'impaired' })] },
  'network.groups': running(changed(CHANGES['one more group'])),
  'network.rules': running(
    surrounded((around) => {
      around.rules = around.rules.map((rule) => ({ ...rule, peer: '0.0.0.0/0' }));
    }),
    surrounded((around) => {
      around.rules = [];
    }),
  ),
  tags: running(changed(CHANGES['another name']), changed(CHANGES['no tags'])),
  'enclave.running': because(
    'EnclaveNotRunning',
    repaired(({ world, host }) => world.hosts.crashEnclave(host)),
  ),
  'enclave.terminating': because('EnclaveTerminating', ill(ILLNESSES['an enclave that does not end'])),
  'enclave.debug': because('DebugEnclave', ill(ILLNESSES['debug mode'])),
  'enclave.cpuCount': because(
    'EnclaveSize',
    ill(({ enclave }) => ({
      says: { enclaves: [{ ...enclave, state: 'RUNNING', cpuCount: 2 * enclave.cpuCount }] },
      cure: 'restartEnclave',
    })),
  ),
  'enclave.memory': because('EnclaveSize', ill(ILLNESSES['too little memory'])),
  'enclave.extra': because('ExtraEnclaves', ill(ILLNESSES['a second enclave'])),
  'enclave.measurements': because(
    'MeasurementMismatch',
    ill(() => ({ says: { measurements: { PCR0: OTHER_PCR0 } }, cure: 'restartEnclave' })),
  ),
  'enclave.attested': running(({ world: { surroundings }, host: { instanceId }, now }) => {
    const attest = (pcr0: string, at: number) => surroundings.attested.push({ instanceId, at, measurements: { pcr0 } });
    attest(OTHER_PCR0, now);
    return () => attest(PCR0, now + 1);
  }),
  'enclave.health': because(
    'HealthCheckFailing',
    ill(() => ({ says: { health: 'failing' }, cure: 'restartEnclave' })),
  ),
  'enclave.allocator': because('AllocatorShort', ill(ILLNESSES['an allocator that lied'])),
  'enclave.proxies': because(
    'ProxyDown',
    ill(() => ({ says: { proxies: [{ destination: 'a.example:443', state: 'failed' }] }, cure: 'restartEnclave' })),
  ),
  'role.policies': running(
    surrounded((around) => {
      around.role = { ...around.role, attachedArns: [ADMINISTRATOR] };
    }),
    surrounded((around) => {
      around.role = { ...around.role, trust: OPEN };
    }),
    surrounded((around) => {
      around.role = { ...around.role, inline: {} };
    }),
  ),
  'key.policy': running(
    surrounded((around) => {
      around.key = around.key && { ...around.key, policy: OPEN };
    }),
    surrounded((around) => {
      around.key = around.key && { ...around.key, grantIds: ['g-1'] };
    }),
  ),
  'key.state': running(({ around }) => {
    around.key = around.key && { ...around.key, state: 'PendingDeletion' };
    return () => {
      around.key = around.key && { ...around.key, state: 'Enabled' };
    };
  }),
  'logs.group': running(
    surrounded((around) => {
      around.logGroup = undefined;
    }),
    surrounded((around) => {
      around.logGroup = { retentionDays: 1, kmsKeyArn: null };
    }),
  ),
  'terraform.state': running(({ loseState }) => loseState()),
  // An orphan is compared with nothing: the operator reports it by an event.
  orphans: running(({ world, host: { enclaveId, region }, mayEnd }) => {
    const stray = world.hosts.launch({ enclaveId: strayOf(enclaveId), region, state: 'running', reports: false });
    return () => {
      mayEnd(stray);
      world.hosts.terminate(stray);
    };
  }),
};

/** Every attribute, in the order of the drift table. */
export const FAULTS_BY_ATTRIBUTE = Object.fromEntries(
  ATTRIBUTES.map((each) => [each, isHostDrift(each) ? factChanged(each) : OTHERS[each]]),
) as Readonly<Record<Attribute, AttributeFaults>>;

/** The id of an enclave without a record. */
export const strayOf = (id: string) => `${id}_stray`;
