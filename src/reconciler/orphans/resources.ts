/** Orphaned resources: groups, volumes, log groups and roles that belong to no enclave. */
import type { LifecycleListener } from '../lifecycle-listener.ts';
import type { Listener, Listing } from '../observers/inventory-listener.ts';
import type { Ports } from '../ports/index.ts';
import { YOUNG_MS } from './hosts.ts';
import type { Ownership } from './ownership.ts';
import { isHost, NO_HOST, namesOf, type Orphan, type OrphanRegistry, type OrphanResource } from './registry.ts';

/** Lists that show what is left; what one shows is called so. */
const KINDS = { groups: 'security group', volumes: 'volume', logGroups: 'log group', roles: 'role' } as const;
export type OrphanedResourceKind = keyof typeof KINDS;

export interface OrphanedResourcesOptions {
  readonly ports: Pick<Ports, 'clock' | 'log'>;
  readonly list: OrphanRegistry;
  readonly ownership: Ownership;
  /** True once all lifecycles were listed. */
  readonly synced: () => boolean;
  /** True of an enclave that was listed or committed. */
  readonly exists: (id: string) => boolean;
}

interface Sight {
  readonly names: readonly string[];
  /** Wall time, ms, of the first list in a row that showed it: it is at least as old. Undefined: none counts yet. */
  readonly since: number | undefined;
  /** Shown by two lists in a row, the first of them long enough ago. */
  readonly sure: boolean;
  /** Between two lists that showed it, one of roles has shown none of another environment. */
  readonly cleared: boolean;
}

interface Whole {
  readonly kind: OrphanedResourceKind;
  readonly region: string;
  /** Wall time, ms. */
  readonly at: number;
  readonly strays: Map<string, Sight>;
  readonly foreign: ReadonlySet<string>;
}

/** Of so many at once the operator has lost its memory, and they have not lost their enclaves. */
const MOST_STRAYS = 1_000;
/** Of one kind and enclave; an enclave has one of most. */
const MOST_NAMED = 5;
/** IAM knows no regions. */
const GLOBAL = 'global';

/**
 * Joins every whole list with what is remembered, with no call to AWS of its own.
 *
 * *Guarantees*: an orphan was in two whole lists in a row, the first at least ten minutes ago, since it was last known and
 * last had a host, and neither record nor lifecycle was there when both were read. It is one an enclave, with whatever
 * else was seen of it; none beside a host that is one. *Caveats*: a log group has no tags: where another environment has
 * a role for the same enclave it is that one's, and without a list of roles nobody can say. Only strays are kept, and no
 * list of more than a thousand.
 */
export class OrphanedResources implements Listener, LifecycleListener {
  readonly #options: OrphanedResourcesOptions;
  readonly #lists = new Map<string, Whole>();
  #isNews = false;

  constructor(options: OrphanedResourcesOptions) {
    this.#options = options;
  }

  begin(kind: string, region: string): Listing | undefined {
    const { synced, exists } = this.#options;
    if (!isLeftoverKind(kind) || !synced()) return undefined;
    const strays = new Map<string, string[]>();
    const foreign = new Set<string>();
    return {
      saw: (enclaveId, name, isForeign) => {
        if (enclaveId === '' || exists(enclaveId)) return;
        if (isForeign) {
          foreign.add(enclaveId);
          return;
        }
        const names = strays.get(enclaveId) ?? [];
        if (names.length < MOST_NAMED) names.push(name);
        // One more than counts is enough to know that they are too many.
        if (strays.size <= MOST_STRAYS) strays.set(enclaveId, names);
      },
      end: () => this.#came(kind, region, strays, foreign),
    };
  }

  onUpsert(id: string): void {
    this.#discount(id);
  }

  onDelete(id: string): void {
    this.#discount(id);
  }

  /** The enclave is known, or was until now: what was listed before says nothing of what is left of it. */
  #discount(id: string): void {
    for (const { strays } of this.#lists.values()) {
      const sight = strays.get(id);
      if (sight !== undefined) strays.set(id, { ...sight, since: undefined, sure: false, cleared: false });
    }
  }

  /** Told of a host that nobody knows, at every sweep that shows it; answers what lists have shown beside it. */
  withHost(id: string): readonly OrphanResource[] {
    this.#discount(id);
    return this.#resourcesOf(id).map(({ kind, name }) => ({ kind, name }));
  }

  async looked(): Promise<void> {
    const { ports, list } = this.#options;
    if (!this.#isNews) return;
    try {
      await list.change((orphan) => !isHost(orphan), await this.#found());
      this.#isNews = false;
    } catch (error) {
      ports.log.warn({ error: String(error) }, 'what is left of enclaves could not be told; the next look tries again');
    }
  }

  #came(
    kind: OrphanedResourceKind,
    region: string,
    strays: ReadonlyMap<string, readonly string[]>,
    foreign: ReadonlySet<string>,
  ): void {
    const { ports } = this.#options;
    if (strays.size > MOST_STRAYS) {
      ports.log.warn({ kind, region }, 'so much at once is of no enclave that it is not told: look for the records');
      return;
    }
    const now = ports.clock.now();
    const before = this.#lists.get(`${kind} ${region}`)?.strays;
    const sights = [...strays].map(([id, names]): [string, Sight] => {
      const last = before?.get(id);
      const since = last?.since ?? now;
      const sure = last?.since !== undefined && now - since >= YOUNG_MS;
      return [
        id,
        { names: [...names].sort(), since, sure, cleared: last?.cleared === true || this.#clears(id, since) },
      ];
    });
    this.#lists.set(`${kind} ${region}`, { kind, region, at: now, strays: new Map(sights), foreign });
    this.#isNews = true;
  }

  /** Every enclave with something left that is sure, and those an earlier leader was sure of. */
  async #found(): Promise<readonly Omit<Orphan, 'since'>[]> {
    const { list, ownership, exists } = this.#options;
    const hosts = new Set(list.all.filter(isHost).map(({ id }) => id));
    const known = new Map(list.all.flatMap((orphan) => (isHost(orphan) ? [] : [[orphan.id, orphan] as const])));
    const ids = new Set(known.keys());
    for (const { strays } of this.#lists.values()) for (const [id, { sure }] of strays) if (sure) ids.add(id);
    const found: Omit<Orphan, 'since'>[] = [];
    for (const id of ids) {
      const before = known.get(id);
      // Once it is sure that there is no such enclave, what one list has shown is named as well.
      const seen = this.#resourcesOf(id, before);
      const unseen = (before?.resources ?? []).filter(({ kind }) => !this.#hasCome(kind, before?.region));
      const resources = [...seen.map(({ kind, name }) => ({ kind, name })), ...unseen];
      if (resources.length === 0 || hosts.has(id) || exists(id) || (await ownership.isOwned(id))) continue;
      const region = seen.find((each) => each.region !== GLOBAL)?.region ?? before?.region ?? GLOBAL;
      // `state` is what people are shown of an orphan.
      found.push({ id, region, instanceId: NO_HOST, state: `no host: ${namesOf(resources)}`, resources });
    }
    return found;
  }

  #resourcesOf(id: string, before?: Orphan): readonly (OrphanResource & { readonly region: string })[] {
    const found: (OrphanResource & { readonly region: string })[] = [];
    for (const { kind, region, strays } of this.#inOrder()) {
      const sight = strays.get(id);
      if (sight === undefined || (kind === 'logGroups' && !this.#isOurs(id, sight, before))) continue;
      for (const name of sight.names) found.push({ kind: KINDS[kind], name, region: region || GLOBAL });
    }
    return found;
  }

  #inOrder(): readonly Whole[] {
    const all = [...this.#lists.values()];
    return Object.keys(KINDS).flatMap((kind) => all.filter((each) => each.kind === kind));
  }

  /** Names of log groups tell no environment; tags of ours on what else is left do, and roles that another one has. */
  #isOurs(id: string, { cleared }: Sight, before: Orphan | undefined): boolean {
    if (this.#roles()?.foreign.has(id) === true) return false;
    const isTagged = [...this.#lists.values()].some(({ kind, strays }) => kind !== 'logGroups' && strays.has(id));
    return cleared || isTagged || before?.resources?.some(({ kind }) => kind === KINDS.logGroups) === true;
  }

  /** While another environment makes or destroys an enclave, an older list of roles says nothing of a newer log group. */
  #clears(id: string, since: number): boolean {
    const roles = this.#roles();
    return roles !== undefined && roles.at >= since && !roles.foreign.has(id);
  }

  #roles(): Whole | undefined {
    return [...this.#lists.values()].find(({ kind }) => kind === 'roles');
  }

  /** True where this leader has seen a whole list of what is called so. */
  #hasCome(called: string, region: string | undefined): boolean {
    if (called === KINDS.logGroups && this.#roles() === undefined) return false;
    const isOf = (each: Whole) => each.kind === 'roles' || each.region === region;
    return [...this.#lists.values()].some((each) => KINDS[each.kind] === called && isOf(each));
  }
}

function isLeftoverKind(kind: string): kind is OrphanedResourceKind {
  return Object.hasOwn(KINDS, kind);
}
