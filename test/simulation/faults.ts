/** Mischief: what is done to a fleet behind everybody's back, for each row of the comparison. */
import type { Attribute } from '../../src/drift/index.ts';
import type { Reason } from '../../src/enclave/conditions.ts';
import type { Difference } from '../../src/enclave/items/plan.ts';
import type { Illness, MemoryHost } from '../support/memory-hosts.ts';
import type { MemorySurrounding } from '../support/memory-surroundings.ts';
import type { MemoryWorld } from '../support/memory-world.ts';
import { CHANGES, ILLNESSES } from './intruder.ts';

/** Whom it is done to, and with what. */
export interface Victim {
  readonly world: MemoryWorld;
  readonly host: MemoryHost;
  readonly around: MemorySurrounding;
  /** Its policy lets the host be replaced. */
  readonly replaceable: boolean;
  readonly now: number;
  /** The host may end from now on. */
  mayEnd(host: MemoryHost): void;
  /** What the next boot of the host puts right. */
  curedByBoot(cure: () => void): void;
  /** Terraform's state of the enclave is no longer where it was; answers how it comes back. */
  loseState(): () => void;
}

/** Does it, and answers how a person takes it back, where the operator tells it and leaves it. */
type Deed = (victim: Victim) => (() => void) | undefined;

export interface Mischief {
  /** Of an enclave that runs, of one of those whose policy is lenient, or of one that is paused. */
  readonly of: 'running' | 'lenient' | 'paused';
  /** Why InSync is False, where that is not the attribute's name. */
  readonly reason?: Reason;
  /** One of them is done. */
  readonly deeds: readonly Deed[];
}

export const PCR0 = 'a1'.repeat(48);
const OTHER_PCR0 = 'b2'.repeat(48);
const OPEN = JSON.stringify({ Statement: [{ Effect: 'Allow', Action: 'kms:Decrypt', Principal: '*', Resource: '*' }] });
const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess';

const running = (...deeds: readonly Deed[]): Mischief => ({ of: 'running', deeds });
const because = (reason: Reason, ...deeds: readonly Deed[]): Mischief => ({ of: 'running', reason, deeds });

/** The operator puts it right. */
const repaired =
  (act: (victim: Victim) => void): Deed =>
  (victim) => {
    act(victim);
    return undefined;
  };
const changed = (changes: (host: MemoryHost) => NonNullable<Partial<MemoryHost['posture']>>): Deed =>
  repaired(({ world, host }) => world.hosts.alter(host, changes(host)));
const ill = (illness: (host: MemoryHost) => Illness): Deed =>
  repaired(({ world, host }) => world.hosts.ail(host, illness(host)));
const surrounded = (change: (around: MemorySurrounding) => void): Deed => repaired(({ around }) => change(around));
const hidden = (difference: Difference): Deed =>
  surrounded((around) => {
    around.hidden = [...around.hidden, difference];
  });

/** Only another host is without it. */
const costly =
  (act: (victim: Victim) => () => void): Deed =>
  (victim) => {
    const takeBack = act(victim);
    if (!victim.replaceable) return takeBack;
    victim.mayEnd(victim.host);
    return undefined;
  };
const changedForGood = (changes: NonNullable<Partial<MemoryHost['posture']>>): Deed =>
  costly(({ world, host }) => {
    const before = host.posture;
    world.hosts.alter(host, changes);
    return () => world.hosts.alter(host, before ?? {});
  });

/** The check fails, and SSM has not heard of the host either: of silence alone nothing follows. */
const dead = (checks: MemoryHost['checks']): Deed =>
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

/** Every row, so that none is forgotten: a row without its mischief is an error of types. */
export const MISCHIEF: Readonly<Record<Attribute, Mischief>> = {
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
    deeds: [repaired(({ world, host }) => void world.hosts.start(host.region, host.instanceId))],
  },
  'host.instanceType': running(changed(CHANGES['another instance type'])),
  'host.ami': running(({ world, host }) => {
    const amiId = host.posture?.amiId;
    world.hosts.alter(host, { amiId: 'ami-9' });
    return () => world.hosts.alter(host, { amiId });
  }),
  'host.enclaveOptions': running(changedForGood({ enclavesEnabled: false })),
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
  // Else the restart for the check, which is seen earlier, cures both.
  'host.agent': { of: 'lenient', deeds: [dead({ system: 'ok', instance: 'impaired' })] },
  'network.groups': running(changed(CHANGES['one more group'])),
  'network.rules': running(
    surrounded((around) => {
      around.rules = around.rules.map((rule) => ({ ...rule, peer: '0.0.0.0/0' }));
    }),
    surrounded((around) => {
      around.rules = [];
    }),
  ),
  'network.publicIp': running(changedForGood({ publicIp: '192.0.2.1' })),
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
  // What nobody has asked for, and nothing is compared with: told of by an event.
  orphans: running(({ world, host: { enclaveId, region }, mayEnd }) => {
    const stray = world.hosts.launch({ enclaveId: strayOf(enclaveId), region, state: 'running', reports: false });
    return () => {
      mayEnd(stray);
      world.hosts.terminate(stray);
    };
  }),
};

/** The id of an enclave that no record is of. */
export const strayOf = (id: string) => `${id}_stray`;
