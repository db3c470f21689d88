/** Rows of the EC2 host. */
import type { Observed, Posture, Wanted } from './observed.ts';
import { type Facet, facet, type Judgement, judged, type Row } from './row.ts';
import { instanceProfileOf, isOwnership, tagsOf } from './wanted-values.ts';

const ALIVE: ReadonlySet<string> = new Set(['pending', 'running', 'stopping', 'stopped']);

const operator = { owned: 'operator', security: false } as const;
const guarded = { owned: 'operator', security: true } as const;
const of = (...facets: Facet[]): Judgement => ({ facets });

/** What of a host that was taken over stays as it was found is not the operator's. */
const unlessLegacy = ({ legacy }: Wanted, ...facets: Facet[]): Judgement =>
  legacy === undefined ? { facets } : { facets, owned: 'foreign', rung: 'alert' };

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
  return of(facet('', desired, state === 'running' || state === 'stopped' ? state : undefined));
}

const posture =
  <K extends keyof Posture>(key: K, desired: (wanted: Wanted) => unknown) =>
  (wanted: Wanted, observed: Observed) =>
    of(facet('', desired(wanted), observed.posture?.[key]));

export const HOST_ROWS: readonly Row[] = [
  {
    attribute: 'host.exists',
    severity: 'critical',
    rung: 'apply',
    ...operator,
    judge(_wanted, observed) {
      const hosts = living(observed);
      // One on its way out is neither there nor gone.
      const leaving = observed.hosts?.some(({ state }) => !ALIVE.has(state) && state !== 'terminated');
      const exists = hosts === undefined ? undefined : hosts.length > 0 ? true : leaving === true ? undefined : false;
      return of(facet('', true, exists));
    },
  },
  {
    attribute: 'host.duplicate',
    severity: 'high',
    rung: 'alert',
    owned: 'foreign',
    security: false,
    judge(_wanted, observed) {
      const count = living(observed)?.length;
      return of(judged('', 1, count, count === undefined ? undefined : count <= 1));
    },
  },
  {
    attribute: 'host.running',
    severity: 'critical',
    rung: 'startHost',
    ...operator,
    judge: (wanted, observed) => (wanted.running ? inState(wanted, observed, 'running') : undefined),
  },
  {
    attribute: 'host.paused',
    severity: 'medium',
    rung: 'stopHost',
    ...operator,
    judge: (wanted, observed) => (wanted.running ? undefined : inState(wanted, observed, 'stopped')),
  },
  {
    attribute: 'host.instanceType',
    severity: 'high',
    rung: 'apply',
    ...operator,
    judge: posture('instanceType', ({ spec }) => spec.instanceType),
  },
  {
    attribute: 'host.ami',
    severity: 'low',
    rung: 'alert',
    ...operator,
    judge: (wanted, observed) =>
      unlessLegacy(wanted, facet('', wanted.spec.host.amiId ?? wanted.amiId, observed.posture?.amiId)),
  },
  {
    attribute: 'host.enclaveOptions',
    severity: 'critical',
    rung: 'replace',
    ...operator,
    judge: posture('enclavesEnabled', () => true),
  },
  {
    attribute: 'host.profile',
    severity: 'critical',
    rung: 'apply',
    ...guarded,
    judge: posture('profile', ({ enclaveId }) => instanceProfileOf(enclaveId)),
  },
  {
    attribute: 'host.metadata',
    severity: 'high',
    rung: 'apply',
    ...guarded,
    judge(wanted, { posture: { metadata } = {} }) {
      return unlessLegacy(
        wanted,
        facet('endpoint', 'enabled', metadata?.endpoint),
        facet('tokens', 'required', metadata?.tokens),
        facet('hopLimit', wanted.spec.host.imdsHopLimit, metadata?.hopLimit),
      );
    },
  },
  {
    attribute: 'host.userData',
    severity: 'medium',
    rung: 'replace',
    ...operator,
    judge: (wanted, observed) => unlessLegacy(wanted, facet('', wanted.made?.userData, observed.userData)),
  },
  {
    attribute: 'host.terminationProtection',
    severity: 'low',
    rung: 'apply',
    ...operator,
    judge: ({ spec }, observed) => of(facet('', spec.host.terminationProtection, observed.terminationProtection)),
  },
  {
    attribute: 'host.volume',
    severity: 'high',
    rung: 'replace',
    ...operator,
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
  {
    attribute: 'host.statusChecks',
    severity: 'high',
    rung: 'restartHost',
    ...operator,
    judge(_wanted, { checks }) {
      const told = (name: 'system' | 'instance' | 'ebs') => {
        const word = checks?.[name];
        return facet(name, 'ok', word === 'ok' || word === 'impaired' ? word : undefined);
      };
      // Not every host has a check of its volumes.
      return of(told('system'), told('instance'), ...(checks?.ebs === undefined ? [] : [told('ebs')]));
    },
  },
  {
    attribute: 'host.events',
    severity: 'medium',
    rung: 'alert',
    owned: 'foreign',
    security: false,
    judge(_wanted, { events }) {
      const ahead = events?.filter(({ description = '' }) => !/^\[(Completed|Canceled)\]/.test(description));
      return of(
        facet(
          '',
          [],
          ahead?.map(({ code, notBefore }) => (notBefore ? `${code} at ${notBefore}` : code)),
        ),
      );
    },
  },
  {
    attribute: 'host.agent',
    severity: 'medium',
    rung: 'restartHost',
    ...operator,
    judge(_wanted, { agentOnline, checks }) {
      const impaired = checks?.system === 'impaired' || checks?.instance === 'impaired';
      // Silence alone proves nothing: the way to SSM may be what fails.
      return of(facet('', true, agentOnline === false && !impaired ? undefined : agentOnline));
    },
  },
  {
    attribute: 'network.publicIp',
    severity: 'high',
    rung: 'replace',
    ...guarded,
    judge(wanted, observed) {
      if (wanted.spec.host.publicIp) return undefined;
      return unlessLegacy(wanted, facet('', null, observed.posture?.publicIp));
    },
  },
  {
    attribute: 'tags',
    severity: 'low',
    rung: 'apply',
    ...operator,
    judge(wanted, { posture: { tags } = {} }) {
      const facets = Object.entries(tagsOf(wanted)).map(([key, value]) =>
        facet(key, value, tags === undefined ? undefined : Object.hasOwn(tags, key) ? tags[key] : null),
      );
      const lost = facets.some(({ name, verdict }) => verdict === 'Drift' && isOwnership(name));
      return lost ? { facets, severity: 'medium' } : { facets };
    },
  },
];
