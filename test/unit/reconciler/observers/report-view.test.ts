/** What a host's report is taken for: one case for each thing that can be wrong with an enclave. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, reportFacts } from '../../../../src/drift/index.ts';
import type { Lifecycle } from '../../../../src/enclave/items/lifecycle.ts';
import type { Report } from '../../../../src/enclave/items/report.ts';
import { parseSpec } from '../../../../src/enclave/spec/spec.ts';
import { viewEnclave } from '../../../../src/reconciler/observers/report-view.ts';

const HOST = 'i-1';
const PCR = 'ab'.repeat(48);
const OTHER = 'cd'.repeat(48);

function spec(config: Record<string, unknown> = {}) {
  const result = parseSpec(
    { id: 'e', walletAddress: 'w', providerConfig: { dockerImage: 'a:1', cpuCount: 2, memoryMiB: 1024, ...config } },
    { regions: [], defaultRegion: 'us-west-2', environment: 'dev' },
  );
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.spec;
}

const RUNNING = { name: 'enclave', state: 'RUNNING', cpuCount: 2, memoryMiB: 1024, debug: false };

function view(report: Partial<Report>, options: { config?: Record<string, unknown>; lifecycle?: object } = {}) {
  const whole = {
    v: 1,
    minReader: 1,
    id: 'e',
    instanceId: HOST,
    bootId: 'boot',
    sequence: 5,
    appliedGeneration: 1,
    at: '',
    enclaves: [RUNNING],
    health: 'none',
    completed: false,
    measurements: {},
    ...report,
  } as Report;
  const lifecycle = { observedGeneration: 1, adopted: false, ...options.lifecycle } as Lifecycle;
  return viewEnclave({ reports: [whole], silentMs: 0 }, HOST, lifecycle, {
    debugAllowed: false,
    silenceMs: 1_000,
    applied: spec(options.config),
  });
}

it('takes an adopted host without a report for one without an agent only where it has never reported', () => {
  const view = (baseline?: Lifecycle['baseline']) => {
    const lifecycle = { observedGeneration: 1, adopted: true, baseline } as Lifecycle;
    const expected = { debugAllowed: false, silenceMs: 1_000, applied: undefined };
    return viewEnclave({ reports: [], silentMs: 0 }, HOST, lifecycle, expected).reason;
  };
  expect(view()).toBe('LegacyHost');
  expect(view({ at: '2030-01-01T00:00:00.000Z', newBoot: true })).toBe('LegacyHost');
  expect(view({ at: '2030-01-01T00:00:00.000Z', newBoot: true, bootId: 'boot' })).toBe('NoReport');
});

const expecting = (enforce: string) => ({
  attestation: { enforce, expectedMeasurements: [{ pcr0: PCR }, { pcr0: OTHER, pcr8: PCR }] },
});

describe('a report of a host', () => {
  it.each<[string, Partial<Report>, Record<string, unknown>, string, string]>([
    ['one that runs as it should', {}, {}, 'Match', 'Running'],
    ['more memory, for whole huge pages', { enclaves: [{ ...RUNNING, memoryMiB: 1026 }] }, {}, 'Match', 'Running'],
    ['no enclave', { enclaves: [] }, {}, 'Drift', 'EnclaveNotRunning'],
    ['one that ended', { enclaves: [{ ...RUNNING, state: 'TERMINATED' }] }, {}, 'Drift', 'EnclaveNotRunning'],
    ['one that does not end', { enclaves: [{ ...RUNNING, state: 'TERMINATING' }] }, {}, 'Drift', 'EnclaveTerminating'],
    ['debug mode', { enclaves: [{ ...RUNNING, debug: true }] }, {}, 'Drift', 'DebugEnclave'],
    ['fewer cores', { enclaves: [{ ...RUNNING, cpuCount: 1 }] }, {}, 'Drift', 'EnclaveSize'],
    ['more cores', { enclaves: [{ ...RUNNING, cpuCount: 4 }] }, {}, 'Drift', 'EnclaveSize'],
    ['less memory', { enclaves: [{ ...RUNNING, memoryMiB: 512 }] }, {}, 'Drift', 'EnclaveSize'],
    ['a second one', { enclaves: [RUNNING, { ...RUNNING, name: 'enclave_1' }] }, {}, 'Drift', 'ExtraEnclaves'],
    ['a host that cannot see', { observed: false, enclaves: [] }, {}, 'Unknown', 'EnclavesUnobserved'],
    [
      'a pool too small to start',
      { enclaves: [], allocator: { cpuCount: 0, memoryMiB: 0, ok: false } },
      {},
      'Drift',
      'AllocatorShort',
    ],
    [
      'a pool that was changed under an enclave that runs',
      { allocator: { cpuCount: 0, memoryMiB: 0, ok: false } },
      {},
      'Match',
      'Running',
    ],
    [
      'a way out that is not there',
      { proxies: [{ destination: 'a.example:443', state: 'inactive' }] },
      {},
      'Drift',
      'ProxyDown',
    ],
    [
      'ways out that are as the spec has them, and those nobody knows of',
      { proxies: ['active', 'refused', 'activating', 'unknown', ''].map((state) => ({ destination: 'a:443', state })) },
      {},
      'Match',
      'Running',
    ],
    ['a failing health check', { health: 'failing' }, { exposePorts: [80] }, 'Drift', 'HealthCheckFailing'],
    ['one that shall never restart', { health: 'failing' }, { restartPolicy: 'Never' }, 'Match', 'Running'],
    [
      'one that the host starts again',
      { enclaves: [], error: { class: 'workload', code: 'restarting', message: 'exit status 1' } },
      {},
      'Unknown',
      'EnclaveNotRunning',
    ],
    [
      'one that its policy lets be',
      { enclaves: [], error: { class: 'workload', code: 'ended', message: 'exit status 0' } },
      {},
      'Unknown',
      'EnclaveNotRunning',
    ],
    [
      'one whose restarts are used up',
      { enclaves: [], error: { class: 'workload', code: 'restarts', message: 'exit status 1' } },
      {},
      'Drift',
      'EnclaveNotRunning',
    ],
    [
      'the size of a newer generation',
      { appliedGeneration: 2, enclaves: [{ ...RUNNING, cpuCount: 4 }] },
      {},
      'Match',
      'Running',
    ],
    ['a batch that is done', { completed: true, enclaves: [] }, { workloadType: 'batch' }, 'Match', 'Completed'],
    ['an old generation', { appliedGeneration: 0 }, {}, 'Unknown', 'GenerationPending'],
    [
      'the expected measurements',
      { measurements: { PCR0: PCR.toUpperCase() } },
      expecting('quarantine'),
      'Match',
      'Running',
    ],
    ['no measurements', { measurements: {} }, expecting('quarantine'), 'Unknown', 'MeasurementsUnverified'],
    ['no measurements, alert only', { measurements: {} }, expecting('alert'), 'Match', 'Running'],
    [
      'other measurements',
      { measurements: { PCR0: 'ef'.repeat(48) } },
      expecting('quarantine'),
      'Drift',
      'MeasurementMismatch',
    ],
    ['half of a set', { measurements: { PCR0: OTHER } }, expecting('quarantine'), 'Unknown', 'MeasurementsUnverified'],
    [
      'a generation that was not applied',
      { measurements: { PCR0: PCR }, appliedGeneration: 99 },
      expecting('quarantine'),
      'Unknown',
      'GenerationMismatch',
    ],
    ['a service that claims to be done', { completed: true, enclaves: [] }, {}, 'Drift', 'EnclaveNotRunning'],
    [
      'a service that claims to be done, with other measurements',
      { completed: true, measurements: { PCR0: 'ef'.repeat(48) } },
      expecting('quarantine'),
      'Drift',
      'MeasurementMismatch',
    ],
    [
      'a batch that is done and runs in debug mode',
      { completed: true, enclaves: [{ ...RUNNING, debug: true }] },
      { workloadType: 'batch' },
      'Drift',
      'DebugEnclave',
    ],
    [
      'a batch that is done and has other measurements',
      { completed: true, enclaves: [], measurements: { PCR0: 'ef'.repeat(48) } },
      { workloadType: 'batch', ...expecting('quarantine') },
      'Unknown',
      'MeasurementMismatch',
    ],
    [
      'a batch that is done without measurements',
      { completed: true, enclaves: [] },
      { workloadType: 'batch', ...expecting('quarantine') },
      'Unknown',
      'MeasurementsUnverified',
    ],
    [
      'a batch that is done with the expected measurements',
      { completed: true, enclaves: [], measurements: { PCR0: PCR } },
      { workloadType: 'batch', ...expecting('quarantine') },
      'Match',
      'Completed',
    ],
    ['other measurements, alert only', { measurements: { PCR0: OTHER } }, expecting('alert'), 'Match', 'Running'],
  ])('%s', (_, report, config, verdict, reason) => {
    expect(view(report, { config })).toMatchObject({ verdict, reason });
  });

  it.each([
    ['quarantine', true],
    ['alert', true],
    ['off', false],
  ])('with enforce %s other measurements weaken it: %s', (enforce, mismeasured) => {
    const measurements = { PCR0: 'ef'.repeat(48) };
    expect(view({ measurements }, { config: expecting(enforce) })).toMatchObject({ mismeasured });
  });

  it.each<[string, Partial<Report>, string, string]>([
    [
      'an enclave of the wrong size before a second one',
      { enclaves: [{ ...RUNNING, cpuCount: 4 }, RUNNING] },
      'enclave.cpuCount',
      'it has 4 vCPU and 1024 MiB, and should have 2 and 1024',
    ],
    [
      'debug mode before everything else',
      { enclaves: [{ ...RUNNING, debug: true, memoryMiB: 1 }], health: 'failing' },
      'enclave.debug',
      '',
    ],
    [
      'the pool that keeps the enclave from starting before that it does not run',
      { enclaves: [], allocator: { cpuCount: 1, memoryMiB: 0, ok: false }, health: 'failing' },
      'enclave.allocator',
      'the host holds 1 vCPU and 0 MiB for enclaves, and needs more',
    ],
    [
      'an enclave that does not end before what only a running one can be',
      {
        enclaves: [{ ...RUNNING, state: 'TERMINATING' }],
        health: 'failing',
        measurements: { PCR0: 'ef'.repeat(48) },
        proxies: [{ destination: 'a.example:443', state: 'failed' }],
      },
      'enclave.terminating',
      '',
    ],
    [
      'that nothing runs before what only a running one can be',
      { enclaves: [], measurements: { PCR0: 'ef'.repeat(48) }, error: { class: 'host', message: 'it ended' } },
      'enclave.running',
      'it ended',
    ],
  ])('leads with %s', (_, report, attribute, message) => {
    const seen = view(report, { config: { exposePorts: [80], ...expecting('quarantine') } });
    expect([seen.verdict, seen.attribute, seen.message ?? '']).toEqual(['Drift', attribute, message]);
    expect(seen.findings?.some((each) => each.attribute === attribute && each.verdict === 'Drift')).toBe(true);
  });

  it('is Unknown, and no finding, where a register that the spec expects is missing', () => {
    const config = { attestation: { enforce: 'quarantine', expectedMeasurements: [{ pcr0: PCR, pcr8: PCR }] } };
    const seen = view({ measurements: { PCR0: PCR } }, { config });
    expect(seen).toMatchObject({ verdict: 'Unknown', reason: 'MeasurementsUnverified', mismeasured: false });
    expect(seen.withheld).toMatchObject({ reason: 'MeasurementsUnverified' });
    expect(seen.findings?.filter(({ verdict }) => verdict === 'Drift')).toEqual([]);
    expect(seen.findings?.find(({ attribute }) => attribute === 'enclave.measurements')?.verdict).toBe('Unknown');
  });

  it('differs by the rows of the comparison and by nothing else', () => {
    const enclave = fc.record({
      name: fc.constant('enclave'),
      state: fc.constantFrom('RUNNING', 'TERMINATING', 'TERMINATED', 'EMPTY'),
      cpuCount: fc.constantFrom(1, 2, 4),
      memoryMiB: fc.constantFrom(512, 1024, 2048),
      debug: fc.boolean(),
    });
    const reports = fc.record({
      enclaves: fc.array(enclave, { maxLength: 2 }),
      health: fc.constantFrom<Report['health'][]>('passing', 'failing', 'none'),
      measurements: fc.constantFrom<Record<string, string>[]>({}, { PCR0: PCR }, { PCR0: 'ef'.repeat(48) }),
      allocator: fc.record({ cpuCount: fc.constant(2), memoryMiB: fc.constant(1024), ok: fc.boolean() }),
      proxies: fc.array(
        fc.record({ destination: fc.constant('a:443'), state: fc.constantFrom('active', 'failed', 'activating') }),
        { maxLength: 2 },
      ),
    });
    const config = { exposePorts: [80], ...expecting('quarantine') };
    const wanted = { enclaveId: 'e', environment: 'dev', running: true, spec: spec(config) };
    fc.assert(
      fc.property(reports, (report) => {
        const { verdict, attribute, findings = [] } = view(report, { config });
        const facts = reportFacts({ ...report, completed: false } as Report, { tracksTime: true });
        const rows = new Map(
          compare(wanted, { observedAt: 0, report: facts }).map((each) => [each.attribute, each.verdict]),
        );
        if (verdict === 'Drift') expect(rows.get(attribute ?? 'orphans')).toBe('Drift');
        if (verdict === 'Match') expect([...rows.values()]).not.toContain('Drift');
        for (const each of findings) expect(rows.get(each.attribute), each.attribute).toBe(each.verdict);
      }),
    );
  });

  it('of before the last start is not believed, whatever it says', () => {
    const baseline = { bootId: 'boot', sequence: 5, newBoot: false, at: '' };
    expect(view({}, { lifecycle: { baseline } })).toMatchObject({ verdict: 'Unknown', reason: 'StaleReport' });
    expect(view({ sequence: 6 }, { lifecycle: { baseline } })).toMatchObject({ verdict: 'Match' });
    const resumed = { ...baseline, newBoot: true };
    expect(view({ sequence: 9 }, { lifecycle: { baseline: resumed } })).toMatchObject({ reason: 'StaleReport' });
    expect(view({ bootId: 'next' }, { lifecycle: { baseline: resumed } })).toMatchObject({ verdict: 'Match' });
  });

  it('never makes Drift of what the host could not see', () => {
    const enclave = fc.record({
      name: fc.string(),
      state: fc.constantFrom('RUNNING', 'TERMINATING', 'TERMINATED', 'EMPTY', ''),
      cpuCount: fc.nat(),
      memoryMiB: fc.nat(),
      debug: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(enclave), fc.constantFrom('passing', 'failing', 'none'), (enclaves, health) => {
        const seen = view({ observed: false, enclaves, health: health as Report['health'] });
        expect(seen.verdict).toBe('Unknown');
        expect(seen.running).toBeUndefined();
      }),
    );
  });
});
