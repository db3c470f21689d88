/** Rows of the enclave on the host, as the host's agent reports it. */
import { compareMeasurements } from '../enclave/measurements.ts';
import { ENTRIES } from './attributes.ts';
import type { EnclaveFacts, Observed, Wanted } from './observed.ts';
import { type Facet, facet, type Judgement, judged, type Row } from './row.ts';

const TERMINATING_MS = ENTRIES['enclave.terminating'].patienceMs ?? 0;
/** States of systemd that pass by themselves, and its silence. */
const UNDECIDED: ReadonlySet<string> = new Set(['activating', 'reloading', 'deactivating', 'unknown', '']);
/** As the specification has it: nothing that was begun again would let a refused one through. */
const AS_IT_SHOULD_BE: ReadonlySet<string> = new Set(['active', 'refused']);

/** Whether a way out of the enclave is not there, by its state; undefined: that is not yet, or not, known. */
export function isDown({ state }: { readonly state: string }): boolean | undefined {
  return UNDECIDED.has(state) ? undefined : !AS_IT_SHOULD_BE.has(state);
}

const of = (...facets: Facet[]): Judgement => ({ facets });

const isRunning = ({ state }: EnclaveFacts) => state.toUpperCase() === 'RUNNING';
const isTerminating = ({ state }: EnclaveFacts) => state.toUpperCase() === 'TERMINATING';

function running({ report }: Observed): readonly EnclaveFacts[] | undefined {
  return report?.enclaves?.filter(isRunning);
}

/** Of a stopped host no enclave is wanted. */
const whileRunning =
  (judge: Row['judge']): Row['judge'] =>
  (wanted, observed) =>
    wanted.running ? judge(wanted, observed) : undefined;

/** What is running, unless it is not for anybody else to start it. */
function whatRuns({ spec }: Wanted, { report }: Observed): 'running' | 'completed' | 'nothing' | undefined {
  const enclaves = report?.enclaves;
  if (enclaves?.some(isRunning) === true) return 'running';
  // A service has no end, whatever its host claims.
  if (report?.completed === true && spec.workloadType === 'batch') return 'completed';
  if (enclaves === undefined || enclaves.some(isTerminating)) return undefined;
  return report?.completed !== undefined && report.leftToHost === false ? 'nothing' : undefined;
}

/** True where any is, false where all are known not to be. */
function any<T>(list: readonly T[] | undefined, test: (each: T) => boolean | undefined): boolean | undefined {
  if (list === undefined) return undefined;
  const answers = list.map(test);
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

/** One set that matches is enough. */
function measured({ spec }: Wanted, registers: Readonly<Record<string, string>> | undefined): Facet {
  const { expectedMeasurements } = spec.attestation;
  const verdict = registers === undefined ? 'unknown' : compareMeasurements(expectedMeasurements, registers);
  const same = verdict === 'unknown' ? undefined : verdict !== 'mismatch';
  return judged('', expectedMeasurements, registers, same);
}

export const ENCLAVE_ROWS: readonly Row[] = [
  {
    attribute: 'enclave.running',
    judge: whileRunning((wanted, observed) => {
      const seen = whatRuns(wanted, observed);
      return of(judged('', 'running', seen, seen === undefined ? undefined : seen !== 'nothing'));
    }),
  },
  {
    attribute: 'enclave.terminating',
    judge: whileRunning((_wanted, observed) => {
      const { report } = observed;
      // One that runs beside it has replaced it.
      if (running(observed)?.length) return of(facet('', false, false));
      const stuck = any(report?.enclaves, (each) => {
        if (!isTerminating(each)) return false;
        return each.terminatingMs === undefined ? undefined : each.terminatingMs > TERMINATING_MS;
      });
      return of(facet('', false, stuck));
    }),
  },
  {
    attribute: 'enclave.debug',
    judge: whileRunning(({ spec }, observed) => {
      if (spec.enableDebug) return undefined;
      const runs = running(observed)?.length !== 0;
      const isDebug = runs ? any(observed.report?.enclaves, ({ debug }) => debug) : undefined;
      return of(facet('', false, isDebug));
    }),
  },
  {
    attribute: 'enclave.cpuCount',
    judge: whileRunning(({ spec }, observed) => of(facet('', spec.cpuCount, running(observed)?.[0]?.cpuCount))),
  },
  {
    attribute: 'enclave.memory',
    judge: whileRunning(({ spec }, observed) => {
      const has = running(observed)?.[0]?.memoryMiB;
      // The driver rounds up to whole huge pages: more than was asked for is no difference.
      return of(judged('', spec.memoryMiB, has, has === undefined ? undefined : has >= spec.memoryMiB));
    }),
  },
  {
    attribute: 'enclave.extra',
    judge: whileRunning((_wanted, observed) => {
      const count = running(observed)?.length;
      return of(judged('', 1, count, count === undefined ? undefined : count <= 1));
    }),
  },
  {
    attribute: 'enclave.measurements',
    judge: whileRunning((wanted, { report }) => {
      const { enforce, expectedMeasurements } = wanted.spec.attestation;
      if (enforce === 'off' || expectedMeasurements.length === 0) return undefined;
      const facets = [measured(wanted, report?.measurements)];
      return enforce === 'quarantine' ? { facets } : { facets, rung: 'alert' };
    }),
  },
  {
    attribute: 'enclave.attested',
    judge: whileRunning((wanted, { attested }) => {
      const { enforce, expectedMeasurements } = wanted.spec.attestation;
      if (attested === undefined || enforce === 'off' || expectedMeasurements.length === 0) return undefined;
      // A row that is left out takes back what was told: where nobody attested there is one set that nobody knows.
      const sets = attested.length === 0 ? [undefined] : attested;
      return of(...sets.map((registers) => measured(wanted, registers)));
    }),
  },
  {
    attribute: 'enclave.health',
    judge: whileRunning(({ spec }, { report }) => {
      // A host may run a check that the spec does not name; that it fails counts all the same.
      if (spec.healthCheck.port === undefined && report?.health !== 'failing') return undefined;
      const facets = [facet('', 'passing', report?.health === 'none' ? undefined : report?.health)];
      return spec.restartPolicy === 'Never' ? { facets, rung: 'alert' } : { facets };
    }),
  },
  {
    attribute: 'enclave.allocator',
    judge: whileRunning((_wanted, observed) => {
      const isOk = observed.report?.allocatorOk;
      const count = running(observed)?.length;
      // An enclave that runs has what it needs, whatever is left of the pool for others.
      const same = isOk === true ? true : isOk === undefined || count === undefined ? undefined : count > 0;
      return of(judged('', true, isOk, same));
    }),
  },
  {
    attribute: 'enclave.proxies',
    judge: whileRunning((_wanted, { report }) => {
      const proxies = report?.proxies;
      const down = any(proxies, isDown);
      const failed = proxies?.filter(({ state }) => !AS_IT_SHOULD_BE.has(state));
      const seen = failed?.map(({ destination, state }) => `${destination}: ${state}`);
      return of(judged('', [], seen, down === undefined ? undefined : !down));
    }),
  },
];
