/** The drift table: attributes of the enclave, as its host reports them. */
import { compareMeasurements } from '../enclave/measurements.ts';
import { type AttributeEntry, by } from './attribute-entry.ts';
import { type Facet, facet, judged, judgement } from './judgement.ts';
import type { EnclaveFacts, Observed, Wanted } from './observed.ts';

const MINUTE_MS = 60_000;

const ofReport = { ...by('host report', 'report'), steps: ['restartEnclave', 'restartHost', 'apply'] } as const;
/** What only an enclave that runs can be. */
const WHILE_RUNNING = ['measurements', 'health', 'proxies'].map((name) => `enclave.${name}`);

const TERMINATING_MS = 2 * MINUTE_MS;
/** States of systemd that pass by themselves, and its silence. */
const UNDECIDED: ReadonlySet<string> = new Set(['activating', 'reloading', 'deactivating', 'unknown', '']);
/** As the specification has it: nothing that was begun again would let a refused one through. */
const AS_IT_SHOULD_BE: ReadonlySet<string> = new Set(['active', 'refused']);

/** Whether a way out of the enclave is not there, by its state; undefined: that is not yet, or not, known. */
export function isDown({ state }: { readonly state: string }): boolean | undefined {
  return UNDECIDED.has(state) ? undefined : !AS_IT_SHOULD_BE.has(state);
}

const isRunning = ({ state }: EnclaveFacts) => state.toUpperCase() === 'RUNNING';
const isTerminating = ({ state }: EnclaveFacts) => state.toUpperCase() === 'TERMINATING';

function running({ report }: Observed): readonly EnclaveFacts[] | undefined {
  return report?.enclaves?.filter(isRunning);
}

/** Judged only while the host should run: no enclave should run on a host that should be stopped. */
const whileRunning =
  (judge: AttributeEntry['judge']): AttributeEntry['judge'] =>
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

export const ENCLAVE_ATTRIBUTES = {
  'enclave.running': {
    ...ofReport,
    severity: 'critical',
    interrupts: false,
    explains: WHILE_RUNNING,
    reason: 'EnclaveNotRunning',
    compares: 'An enclave runs, or a batch has completed. Unknown while the host starts it again by itself.',
    judge: whileRunning((wanted, observed) => {
      const seen = whatRuns(wanted, observed);
      return judgement(judged('', 'running', seen, seen === undefined ? undefined : seen !== 'nothing'));
    }),
  },
  'enclave.terminating': {
    ...ofReport,
    severity: 'high',
    steps: ['restartHost', 'apply'],
    interrupts: false,
    explains: WHILE_RUNNING,
    patienceMs: TERMINATING_MS,
    reason: 'EnclaveTerminating',
    compares: 'Where no enclave runs: none has been terminating for more than two minutes.',
    judge: whileRunning((_wanted, observed) => {
      const { report } = observed;
      // One that runs beside it has replaced it.
      if (running(observed)?.length) return judgement(facet('', false, false));
      const stuck = any(report?.enclaves, (each) => {
        if (!isTerminating(each)) return false;
        return each.terminatingMs === undefined ? undefined : each.terminatingMs > TERMINATING_MS;
      });
      return judgement(facet('', false, stuck));
    }),
  },
  'enclave.debug': {
    ...ofReport,
    severity: 'critical',
    security: true,
    reason: 'DebugEnclave',
    compares: 'Where an enclave runs: none is in debug mode, unless `enableDebug` says so.',
    judge: whileRunning(({ spec }, observed) => {
      if (spec.enableDebug) return undefined;
      const runs = running(observed)?.length !== 0;
      const isDebug = runs ? any(observed.report?.enclaves, ({ debug }) => debug) : undefined;
      return judgement(facet('', false, isDebug));
    }),
  },
  'enclave.cpuCount': {
    ...ofReport,
    severity: 'high',
    reason: 'EnclaveSize',
    compares: '`cpuCount`.',
    judge: whileRunning(({ spec }, observed) => judgement(facet('', spec.cpuCount, running(observed)?.[0]?.cpuCount))),
  },
  'enclave.memory': {
    ...ofReport,
    severity: 'high',
    reason: 'EnclaveSize',
    compares: 'At least `memoryMiB`.',
    judge: whileRunning(({ spec }, observed) => {
      const has = running(observed)?.[0]?.memoryMiB;
      // The driver rounds up to whole huge pages: more than was asked for is no difference.
      return judgement(judged('', spec.memoryMiB, has, has === undefined ? undefined : has >= spec.memoryMiB));
    }),
  },
  'enclave.extra': {
    ...ofReport,
    severity: 'medium',
    reason: 'ExtraEnclaves',
    compares: 'One enclave, and no more.',
    judge: whileRunning((_wanted, observed) => {
      const count = running(observed)?.length;
      return judgement(judged('', 1, count, count === undefined ? undefined : count <= 1));
    }),
  },
  'enclave.measurements': {
    ...ofReport,
    severity: 'critical',
    security: true,
    reason: 'MeasurementMismatch',
    compares:
      "One of `attestation.expectedMeasurements`. `alert` unless `attestation.enforce` is `quarantine`. The host's own word, no attestation.",
    judge: whileRunning((wanted, { report }) => {
      const { enforce, expectedMeasurements } = wanted.spec.attestation;
      if (enforce === 'off' || expectedMeasurements.length === 0) return undefined;
      const facets = [measured(wanted, report?.measurements)];
      return enforce === 'quarantine' ? { facets } : { facets, rung: 'alert' };
    }),
  },
  'enclave.attested': {
    ...by('LookupEvents of CloudTrail', 'attested'),
    severity: 'critical',
    steps: [],
    security: true,
    compares: 'The same, as KMS has verified it in a Decrypt. Off unless `attestationTrail` is on.',
    judge: whileRunning((wanted, { attested }) => {
      const { enforce, expectedMeasurements } = wanted.spec.attestation;
      if (attested === undefined || enforce === 'off' || expectedMeasurements.length === 0) return undefined;
      // A row that is left out takes back what was told: where nobody attested there is one set that nobody knows.
      const sets = attested.length === 0 ? [undefined] : attested;
      return judgement(...sets.map((registers) => measured(wanted, registers)));
    }),
  },
  'enclave.health': {
    ...ofReport,
    severity: 'high',
    // An enclave whose health check fails serves nobody.
    interrupts: false,
    // The agent restarts by the spec's restart policy first, as often as its backoff allows.
    patienceMs: 10 * MINUTE_MS,
    reason: 'HealthCheckFailing',
    compares: 'No health check fails. `alert` where `restartPolicy` is `Never`.',
    judge: whileRunning(({ spec }, { report }) => {
      // A host may run a check that the spec does not name; that it fails counts all the same.
      if (spec.healthCheck.port === undefined && report?.health !== 'failing') return undefined;
      const facets = [facet('', 'passing', report?.health === 'none' ? undefined : report?.health)];
      return spec.restartPolicy === 'Never' ? { facets, rung: 'alert' } : { facets };
    }),
  },
  'enclave.allocator': {
    ...ofReport,
    severity: 'high',
    steps: ['restartAllocator', 'restartHost', 'apply'],
    interrupts: false,
    reason: 'AllocatorShort',
    explains: ['enclave.running', ...WHILE_RUNNING],
    compares: 'Where no enclave runs: the host holds as many cores and as much memory for enclaves as are needed.',
    judge: whileRunning((_wanted, observed) => {
      const isOk = observed.report?.allocatorOk;
      const count = running(observed)?.length;
      // An enclave that runs has what it needs, whatever is left of the pool for others.
      const same = isOk === true ? true : isOk === undefined || count === undefined ? undefined : count > 0;
      return judgement(judged('', true, isOk, same));
    }),
  },
  'enclave.proxies': {
    ...ofReport,
    // The enclave serves meanwhile, so graver differences and the maintenance window come first.
    severity: 'medium',
    // A new configuration restarts every proxy.
    patienceMs: 2 * MINUTE_MS,
    reason: 'ProxyDown',
    compares: 'Every egress proxy of the enclave is active, or refused by the rules.',
    judge: whileRunning((_wanted, { report }) => {
      const proxies = report?.proxies;
      const down = any(proxies, isDown);
      const failed = proxies?.filter(({ state }) => !AS_IT_SHOULD_BE.has(state));
      const seen = failed?.map(({ destination, state }) => `${destination}: ${state}`);
      return judgement(judged('', [], seen, down === undefined ? undefined : !down));
    }),
  },
} as const satisfies Readonly<Record<string, AttributeEntry>>;
