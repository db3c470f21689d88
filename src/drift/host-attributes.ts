/** The drift table: attributes of the host. */
import { type AttributeEntry, by } from './attribute-entry.ts';
import { facet, type Judgement, judged, judgement, unlessLegacy } from './judgement.ts';
import type { Observed, Posture, Wanted } from './observed.ts';
import { instanceProfileOf } from './wanted-values.ts';

const ofHosts = by('DescribeInstances', 'posture');

const ALIVE: ReadonlySet<string> = new Set(['pending', 'running', 'stopping', 'stopped']);

function living({ hosts }: Observed) {
  return hosts?.filter(({ state }) => ALIVE.has(state));
}

/** The enclave's host: the one that is known, else the only one there is. */
function stateOf({ instanceId }: Wanted, observed: Observed): string | undefined {
  const hosts = living(observed) ?? [];
  return (hosts.find((host) => host.instanceId === instanceId) ?? (hosts.length === 1 ? hosts[0] : undefined))?.state;
}

/** Between two states it is in neither. */
function inState(wanted: Wanted, observed: Observed, desired: 'running' | 'stopped'): Judgement {
  const state = stateOf(wanted, observed);
  return judgement(facet('', desired, state === 'running' || state === 'stopped' ? state : undefined));
}

const posture =
  <K extends keyof Posture>(key: K, desired: (wanted: Wanted) => unknown) =>
  (wanted: Wanted, observed: Observed) =>
    judgement(facet('', desired(wanted), observed.posture?.[key]));

export const HOST_ATTRIBUTES = {
  'host.exists': {
    ...by('DescribeInstances, by tag and by the known id', 'hostState'),
    severity: 'critical',
    steps: ['apply'],
    reason: 'HostMissing',
    hostState: 'gone',
    compares: 'A host that is not terminated exists. One that is shutting down is Unknown.',
    judge(_wanted, observed) {
      const hosts = living(observed);
      // One on its way out is neither there nor gone.
      const leaving = observed.hosts?.some(({ state }) => !ALIVE.has(state) && state !== 'terminated');
      const exists = hosts === undefined ? undefined : hosts.length > 0 ? true : leaving === true ? undefined : false;
      return judgement(facet('', true, exists));
    },
  },
  'host.duplicate': {
    ...by('DescribeInstances, by tag', 'hosts'),
    severity: 'high',
    steps: [],
    owned: 'foreign',
    compares: "At most one living host carries the enclave's tag. The operator never terminates one for it.",
    judge(_wanted, observed) {
      const count = living(observed)?.length;
      return judgement(judged('', 1, count, count === undefined ? undefined : count <= 1));
    },
  },
  'host.running': {
    ...by('DescribeInstances', 'hostState'),
    severity: 'critical',
    steps: ['startHost', 'apply'],
    reason: 'HostStopped',
    hostState: 'stopped',
    compares: 'The host runs, where the enclave should.',
    judge: (wanted, observed) => (wanted.running ? inState(wanted, observed, 'running') : undefined),
  },
  'host.paused': {
    ...by('DescribeInstances', 'hostState'),
    severity: 'medium',
    steps: ['stopHost'],
    reason: 'HostRunningUnwanted',
    hostState: 'running',
    compares: 'The host is stopped, where the enclave is paused.',
    judge: (wanted, observed) => (wanted.running ? undefined : inState(wanted, observed, 'stopped')),
  },
  'host.instanceType': {
    ...ofHosts,
    severity: 'high',
    steps: ['apply'],
    // AWS changes the type of a stopped host only.
    interrupts: true,
    terraform: ['aws_instance.instance_type'],
    compares: '`instanceType`.',
    judge: posture('instanceType', ({ spec }) => spec.instanceType),
  },
  'host.ami': {
    ...ofHosts,
    severity: 'low',
    steps: [],
    terraform: ['aws_instance.ami'],
    compares: '`host.amiId`, else the image that was pinned when the host was made.',
    judge: (wanted, observed) =>
      unlessLegacy(wanted, facet('', wanted.spec.host.amiId ?? wanted.amiId, observed.posture?.amiId)),
  },
  'host.enclaveOptions': {
    ...ofHosts,
    severity: 'critical',
    steps: ['replace'],
    terraform: ['aws_instance.enclave_options'],
    compares: 'The host is enabled for enclaves.',
    judge: posture('enclavesEnabled', () => true),
  },
  'host.profile': {
    ...ofHosts,
    severity: 'critical',
    steps: ['apply'],
    security: true,
    terraform: ['aws_instance.iam_instance_profile'],
    compares: 'The instance profile, by its name. Another one changes PCR3.',
    judge: posture('profile', ({ enclaveId }) => instanceProfileOf(enclaveId)),
  },
  'host.metadata': {
    ...ofHosts,
    severity: 'high',
    steps: ['apply'],
    security: true,
    terraform: ['aws_instance.metadata_options'],
    compares: 'The metadata service is on, requires tokens, and answers as many hops as `host.imdsHopLimit` says.',
    judge(wanted, { posture: { metadata } = {} }) {
      return unlessLegacy(
        wanted,
        facet('endpoint', 'enabled', metadata?.endpoint),
        facet('tokens', 'required', metadata?.tokens),
        facet('hopLimit', wanted.spec.host.imdsHopLimit, metadata?.hopLimit),
      );
    },
  },
  'host.userData': {
    ...by('DescribeInstanceAttribute', 'userData'),
    severity: 'medium',
    steps: ['replace'],
    // The host follows the object that holds its configuration.
    terraform: ['aws_instance.user_data'],
    compares: 'The digest of the user data.',
    judge: (wanted, observed) => unlessLegacy(wanted, facet('', wanted.made?.userData, observed.userData)),
  },
  'host.terminationProtection': {
    ...by('DescribeInstanceAttribute', 'terminationProtection'),
    severity: 'low',
    steps: ['apply'],
    terraform: ['aws_instance.disable_api_termination'],
    compares: '`host.terminationProtection`.',
    judge: ({ spec }, observed) =>
      judgement(facet('', spec.host.terminationProtection, observed.terminationProtection)),
  },
  'host.volume': {
    ...by('DescribeVolumes', 'rootVolume'),
    severity: 'high',
    steps: ['replace'],
    terraform: ['aws_instance.root_block_device'],
    compares: 'The root volume is at least as encrypted as `host.rootEncrypted` says, and is deleted with the host.',
    judge(wanted, { rootVolume }) {
      const { rootEncrypted } = wanted.spec.host;
      const encrypted = rootVolume?.encrypted;
      return unlessLegacy(
        wanted,
        // An account may encrypt every volume: more than was asked for is no difference.
        judged(
          'encrypted',
          rootEncrypted,
          encrypted,
          encrypted === undefined ? undefined : encrypted || !rootEncrypted,
        ),
        facet('deleteOnTermination', true, rootVolume?.deleteOnTermination),
      );
    },
  },
  'host.statusChecks': {
    ...by('DescribeInstanceStatus', 'checks'),
    severity: 'high',
    steps: ['restartHost', 'apply'],
    compares: 'System, instance and (where there is one) volume check are not impaired.',
    judge(_wanted, { checks }) {
      const told = (name: 'system' | 'instance' | 'ebs') => {
        const word = checks?.[name];
        return facet(name, 'ok', word === 'ok' || word === 'impaired' ? word : undefined);
      };
      // Not every host has a check of its volumes.
      return judgement(told('system'), told('instance'), ...(checks?.ebs === undefined ? [] : [told('ebs')]));
    },
  },
  'host.events': {
    ...by('DescribeInstanceStatus', 'events'),
    severity: 'medium',
    steps: [],
    owned: 'foreign',
    compares: 'AWS has scheduled nothing for the host, such as its retirement.',
    judge(_wanted, { events }) {
      const ahead = events?.filter(({ description = '' }) => !/^\[(Completed|Canceled)\]/.test(description));
      return judgement(
        facet(
          '',
          [],
          ahead?.map(({ code, notBefore }) => (notBefore ? `${code} at ${notBefore}` : code)),
        ),
      );
    },
  },
  'host.agent': {
    ...by('DescribeInstanceInformation of SSM', 'agentOnline'),
    severity: 'medium',
    steps: ['restartHost', 'apply'],
    compares: 'SSM hears from the host. Silence alone is Unknown; together with an impaired check it is Drift.',
    judge(_wanted, { agentOnline, checks }) {
      const impaired = checks?.system === 'impaired' || checks?.instance === 'impaired';
      // Silence alone proves nothing: the way to SSM may be what fails.
      return judgement(facet('', true, agentOnline === false && !impaired ? undefined : agentOnline));
    },
  },
} as const satisfies Readonly<Record<string, AttributeEntry>>;
