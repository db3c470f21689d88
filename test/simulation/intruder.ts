/** The intruder: somebody who changes what runs, behind everybody's back, row by row of the comparison. */
import type { Posture } from '../../src/reconciler/ports/index.ts';
import type { Illness, MemoryHost, MemoryHosts } from '../support/memory-hosts.ts';
import { SICK_ID } from './app.ts';
import type { SeededRandom } from './random.ts';

/** Each cures by an apply. */
export const CHANGES = {
  'another instance type': () => ({ instanceType: 'm6i.32xlarge' }),
  "another one's profile": () => ({ profile: 'somebody-elses' }),
  'no profile': () => ({ profile: null }),
  'a weak metadata service': () => ({ metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 64 } }),
  'one more group': ({ posture }: MemoryHost) => ({
    groups: [...(posture?.groups ?? []), { id: 'sg-9', name: 'open-to-all' }],
  }),
  'another name': ({ posture }: MemoryHost) => ({ tags: { ...posture?.tags, Name: 'mine' } }),
  'no tags': () => ({ tags: {} }),
} satisfies Readonly<Record<string, (host: MemoryHost) => Partial<Posture>>>;
type Change = keyof typeof CHANGES;
const KINDS = Object.keys(CHANGES) as readonly Change[];

const ENCLAVE = { name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 1_024, debug: false };

/** Each is what an agent reports until it is cured. */
export const ILLNESSES = {
  'debug mode': ({ enclave }: MemoryHost) => ({
    says: { enclaves: [{ ...ENCLAVE, ...enclave, debug: true }] },
    cure: 'restartEnclave',
  }),
  'too little memory': ({ enclave }: MemoryHost) => ({
    says: { enclaves: [{ ...ENCLAVE, ...enclave, memoryMiB: 64 }] },
    cure: 'restartEnclave',
  }),
  'a second enclave': ({ enclave }: MemoryHost) => ({
    says: {
      enclaves: [
        { ...ENCLAVE, ...enclave },
        { ...ENCLAVE, name: 'other' },
      ],
    },
    cure: 'restartEnclave',
  }),
  'an enclave that does not end': ({ enclave }: MemoryHost) => ({
    says: { enclaves: [{ ...ENCLAVE, ...enclave, state: 'TERMINATING' }] },
    cure: 'boot',
  }),
  'an allocator that lied': () => ({
    says: { enclaves: [], allocator: { cpuCount: 0, memoryMiB: 0, ok: false } },
    cure: 'restartAllocator',
  }),
} satisfies Readonly<Record<string, (host: MemoryHost) => Illness>>;
const ILLNESS_KINDS = Object.keys(ILLNESSES) as readonly (keyof typeof ILLNESSES)[];

/** What comes back more often within an hour is contested, and left. */
const MOST_OF_A_KIND = 2;

export class Intruder {
  readonly #hosts: MemoryHosts;
  readonly #random: SeededRandom;
  readonly #say: (what: string) => void;
  readonly #done = new Map<string, number>();

  constructor(hosts: MemoryHosts, random: SeededRandom, say: (what: string) => void) {
    this.#hosts = hosts;
    this.#random = random;
    this.#say = say;
  }

  /** Changes one host; says which. */
  act(): MemoryHost | undefined {
    const hosts = [...this.#hosts.all.values()].filter(isOurs);
    if (hosts.length === 0) return undefined;
    const host = this.#random.pick(hosts);
    if (this.#random.chance(0.6)) this.#alter(host);
    else this.#ail(host);
    return host;
  }

  /** The same of all at once: likelier an API that tells nonsense than somebody's doing. */
  actOnAll(): void {
    const kind = this.#random.pick(KINDS.filter((each) => each !== 'no tags'));
    for (const host of [...this.#hosts.all.values()].filter(isOurs)) this.#change(host, kind);
  }

  #alter(host: MemoryHost): void {
    this.#change(host, this.#random.pick(KINDS));
  }

  #change(host: MemoryHost, kind: Change): void {
    const changes = CHANGES[kind](host);
    // Tags are one attribute, whatever is done to them.
    if (!this.#mayOnceMore(`${host.enclaveId} ${Object.keys(changes).join()}`)) return;
    this.#say(`somebody gives ${host.instanceId.slice(-4)} of ${host.enclaveId} ${kind}`);
    this.#hosts.alter(host, changes);
  }

  #ail(host: MemoryHost): void {
    if (!host.reports || host.enclaveState !== 'RUNNING') return;
    const kind = this.#random.pick(ILLNESS_KINDS);
    const illness = ILLNESSES[kind](host);
    this.#say(`${host.instanceId.slice(-4)} of ${host.enclaveId} has ${kind}`);
    this.#hosts.ail(host, illness);
  }

  #mayOnceMore(key: string): boolean {
    const done = (this.#done.get(key) ?? 0) + 1;
    this.#done.set(key, done);
    return done <= MOST_OF_A_KIND;
  }
}

/** Made by a run, and running: of any other nobody says how it should be. */
function isOurs({ state, posture, legacy, enclaveId }: MemoryHost): boolean {
  return state === 'running' && posture !== undefined && !legacy && enclaveId !== SICK_ID;
}
