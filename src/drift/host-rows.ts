/** Rows of the EC2 host. */
import type { Observed, Posture, Wanted } from './observed.ts';
import { type Facet, facet, type Judgement, judged, type Row } from './row.ts';
import { instanceProfileOf, isOwnership, tagsOf } from './wanted-values.ts';

const ALIVE: ReadonlySet<string> = new Set(['pending', 'running', 'stopping', 'stopped']);

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
    judge(_wanted, observed) {
      const count = living(observed)?.length;
      return of(judged('', 1, count, count === undefined ? undefined : count <= 1));
    },
  },
  {
    attribute: 'host.running',
    judge: (wanted, observed) => (wanted.running ? inState(wanted, observed, 'running') : undefined),
  },
  {
    attribute: 'host.paused',
    judge: (wanted, observed) => (wanted.running ? undefined : inState(wanted, observed, 'stopped')),
  },
  {
    attribute: 'host.instanceType',
    judge: posture('instanceType', ({ spec }) => spec.instanceType),
  },
  {
    attribute: 'host.ami',
    judge: (wanted, observed) =>
      unlessLegacy(wanted, facet('', wanted.spec.host.amiId ?? wanted.amiId, observed.posture?.amiId)),
  },
  {
    attribute: 'host.enclaveOptions',
    judge: posture('enclavesEnabled', () => true),
  },
  {
    attribute: 'host.profile',
    judge: posture('profile', ({ enclaveId }) => instanceProfileOf(enclaveId)),
  },
  {
    attribute: 'host.metadata',
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
    judge: (wanted, observed) => unlessLegacy(wanted, facet('', wanted.made?.userData, observed.userData)),
  },
  {
    attribute: 'host.terminationProtection',
    judge: ({ spec }, observed) => of(facet('', spec.host.terminationProtection, observed.terminationProtection)),
  },
  {
    attribute: 'host.volume',
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
    judge(_wanted, { agentOnline, checks }) {
      const impaired = checks?.system === 'impaired' || checks?.instance === 'impaired';
      // Silence alone proves nothing: the way to SSM may be what fails.
      return of(facet('', true, agentOnline === false && !impaired ? undefined : agentOnline));
    },
  },
  {
    attribute: 'network.publicIp',
    judge(wanted, observed) {
      if (wanted.spec.host.publicIp) return undefined;
      return unlessLegacy(wanted, facet('', null, observed.posture?.publicIp));
    },
  },
  {
    attribute: 'tags',
    judge(wanted, { posture: { tags } = {} }) {
      const facets = Object.entries(tagsOf(wanted)).map(([key, value]) =>
        facet(key, value, tags === undefined ? undefined : Object.hasOwn(tags, key) ? tags[key] : null),
      );
      const lost = facets.some(({ name, verdict }) => verdict === 'Drift' && isOwnership(name));
      return lost ? { facets, severity: 'medium' } : { facets };
    },
  },
];
