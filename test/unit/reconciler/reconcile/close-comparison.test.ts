/** Close comparison: the rows that an inspection, the host's report and the operator's findings are shown as. */
import { describe, expect, it } from 'vitest';
import type { DriftRow } from '../../../../src/enclave/items/drift-answer.ts';
import type { Lifecycle } from '../../../../src/enclave/items/lifecycle.ts';
import type { Report } from '../../../../src/enclave/items/report.ts';
import type { Inspection } from '../../../../src/reconciler/observers/inspection.ts';
import type { Host } from '../../../../src/reconciler/ports/index.ts';
import { compareClosely } from '../../../../src/reconciler/reconcile/close-comparison.ts';
import { aLifecycle } from '../../../support/conformance-harness.ts';
import { record, specOf } from '../../enclave/spec/spec-records.ts';

const ID = 'enc_1';
const HOST = 'i-1';
const NOW = Date.parse('2030-01-01T12:00:00.000Z');
const SINCE = '2030-01-01T00:00:00.000Z';
const PCR = 'ab'.repeat(48);
const ENCLAVE = { name: 'enclave', cpuCount: 2, memoryMiB: 1024, debug: false };

const applied = (config: object = {}) => ({ ...specOf(record(config)) });
const expecting = { attestation: { expectedMeasurements: [{ pcr0: PCR }] } };

function lifecycleOf(changes: object = {}): Lifecycle {
  return { ...aLifecycle(ID), observedGeneration: 1, pinned: { instanceId: HOST }, applied: applied(), ...changes };
}

function reportOf(changes: object): Report {
  return {
    v: 1,
    minReader: 1,
    id: ID,
    instanceId: HOST,
    bootId: 'boot',
    sequence: 5,
    appliedGeneration: 1,
    at: new Date(NOW - 1_000).toISOString(),
    enclaves: [],
    health: 'none',
    completed: false,
    measurements: {},
    ...changes,
  };
}

/** A host that differs by its metadata service, and carries no tag of a run's. */
const HOSTS = [
  {
    instanceId: HOST,
    state: 'running',
    enclaveId: ID,
    posture: { metadata: { endpoint: 'enabled', tokens: 'optional', hopLimit: 1 }, tags: { EnclaveId: ID } },
  },
] as unknown as readonly Host[];

function rowsOf(lifecycle: Lifecycle, reports: readonly Report[] = [], inspection: Partial<Inspection> = {}) {
  const inspected = { hosts: HOSTS, observedAt: {}, unseen: [], ...inspection };
  const rows = compareClosely(lifecycle, inspected, reports, 'test', NOW);
  return Object.fromEntries(rows.map((row) => [row.attribute, row])) as Record<string, DriftRow>;
}
const reported = (changes: object, lifecycle: object = {}) => rowsOf(lifecycleOf(lifecycle), [reportOf(changes)]);

const TERMINATING = { enclaves: [{ ...ENCLAVE, state: 'TERMINATING' }] };
const failure = (of: string, code: string) => ({ error: { class: of, code, message: 'm' } });

describe('what the host reports', () => {
  it.each<[string, object, string, string]>([
    ['nothing runs, and nobody is about to start it', {}, 'enclave.running', 'Drift'],
    ['nothing runs after another failure', failure('image', 'E1'), 'enclave.running', 'Drift'],
    ['the host restarts it by itself', failure('workload', 'restarting'), 'enclave.running', 'Unknown'],
    ['the restart policy lets it be', failure('workload', 'ended'), 'enclave.running', 'Unknown'],
    ['it has been terminating for a while', TERMINATING, 'enclave.terminating', 'Unknown'],
    ['it does not end', { ...TERMINATING, ...failure('host', 'stuck') }, 'enclave.terminating', 'Drift'],
    [
      'it is terminating after another failure',
      { ...TERMINATING, ...failure('host', 'E36') },
      'enclave.terminating',
      'Unknown',
    ],
    [
      'it runs',
      { enclaves: [{ ...ENCLAVE, state: 'RUNNING' }], ...failure('host', 'stuck') },
      'enclave.terminating',
      'Match',
    ],
  ])('%s', (_why, changes, attribute, verdict) => {
    expect(reported(changes)[attribute]).toMatchObject({ verdict });
  });

  it('says nothing once the host has been started again since', () => {
    const baseline = { bootId: 'boot', sequence: 5, newBoot: true, at: SINCE };
    expect(reported({}, { baseline })['enclave.running']).toMatchObject({ verdict: 'Unknown' });
    expect(reported({ bootId: 'next' }, { baseline })['enclave.running']).toMatchObject({ verdict: 'Drift' });
  });
});

describe('what only the operator sees', () => {
  const noted = (attribute: string, severity: string) => ({
    findings: [{ attribute, severity, repair: 'alert', since: SINCE }],
  });
  const watched = { applied: applied(expecting) };

  it.each([
    ['enclave.attested', 'critical'],
    ['terraform.state', 'medium'],
  ])('shows %s as it has noted it', (attribute, severity) => {
    expect(rowsOf(lifecycleOf({ ...watched, ...noted(attribute, severity) }))[attribute]).toMatchObject({
      verdict: 'Drift',
      severity,
      repair: 'alert',
      since: SINCE,
      why: 'noted by the operator',
    });
  });

  it('says what a plan has found in the words of the plan', () => {
    const planned = {
      askedAt: SINCE,
      at: SINCE,
      run: 'drift-1-1',
      generation: 1,
      verdict: 'Drift',
      differences: [{ address: 'aws_eip.own', attributes: ['*'] }],
      failures: 0,
    };
    const row = rowsOf(lifecycleOf({ planned, ...noted('terraform.state', 'medium') }))['terraform.state'];
    expect(row).toMatchObject({ verdict: 'Drift', observed: 'aws_eip.own', since: SINCE });
    expect(row).not.toHaveProperty('why');
  });

  it.each(['enclave.attested', 'terraform.state', 'orphans'])(
    'says of %s who looks, where nothing is noted',
    (attribute) => {
      const row = rowsOf(lifecycleOf(watched))[attribute];
      expect(row).toMatchObject({
        verdict: 'Unknown',
        observed: null,
        why: expect.stringMatching(/operator|enclavectl/),
      });
    },
  );

  it('shows no row of attestations that nobody compares', () => {
    expect(rowsOf(lifecycleOf())).not.toHaveProperty(['enclave.attested']);
    const off = { attestation: { ...expecting.attestation, enforce: 'off' } };
    expect(rowsOf(lifecycleOf({ applied: applied(off) }))).not.toHaveProperty(['enclave.attested']);
    expect(rowsOf(lifecycleOf({ ...watched, desired: 'Paused' }))).not.toHaveProperty(['enclave.attested']);
  });

  it('leaves to a look of its own what it has seen, whatever was noted', () => {
    const rows = rowsOf(lifecycleOf(noted('logs.group', 'low')), [], {
      logGroup: { exists: true, retentionDays: specOf(record()).logs.retentionDays, kmsKeyArn: null },
    });
    expect(rows['logs.group']).toMatchObject({ verdict: 'Match' });
    expect(rows['logs.group']).not.toHaveProperty('why');
  });
});

describe('a host that was taken over', () => {
  const legacy = { security_group: { name: 'sg', description: 'd' } };

  it('is compared by its existence and state alone until a run has prepared it', () => {
    const found = lifecycleOf({ adopted: true, applied: applied(expecting) });
    expect(Object.keys(rowsOf(found, [reportOf({})]))).toEqual(['host.exists', 'host.duplicate', 'host.running']);
    expect(Object.keys(rowsOf({ ...found, desired: 'Paused' }))).toEqual([
      'host.exists',
      'host.duplicate',
      'host.paused',
    ]);
  });

  it.each([
    ['a run has made what surrounds it', { adopted: true, made: {} }],
    ['its state is prepared', { adopted: true, pinned: { instanceId: HOST, legacy } }],
    ['it was never taken over', {}],
  ])('is compared whole where %s', (_why, changes) => {
    expect(rowsOf(lifecycleOf(changes))['host.metadata']).toMatchObject({ verdict: 'Drift' });
  });
});

describe('when each attribute was observed', () => {
  const at = (ms: number) => new Date(ms).toISOString();

  it('is when the operator began to read the part that shows it', () => {
    const logGroup = { exists: true as const, retentionDays: 30, kmsKeyArn: null };
    const observedAt = { hosts: NOW - 3_000, logGroup: NOW - 2_000 };
    const rows = rowsOf(lifecycleOf(), [], { logGroup, observedAt });
    expect(rows['host.exists']?.observedAt).toBe(at(NOW - 3_000));
    expect(rows.tags?.observedAt).toBe(at(NOW - 3_000));
    expect(rows['logs.group']?.observedAt).toBe(at(NOW - 2_000));
  });

  it('is null of a part that could not be read', () => {
    expect(rowsOf(lifecycleOf())['network.rules']).toMatchObject({ verdict: 'Unknown', observedAt: null });
  });

  it("is the report's own time of what the host reports, and null where no report may be believed", () => {
    const report = reportOf({});
    expect(rowsOf(lifecycleOf(), [report])['enclave.running']?.observedAt).toBe(report.at);
    expect(rowsOf(lifecycleOf(), [reportOf({ at: 'soon' })])['enclave.running']?.observedAt).toBeNull();
    const old = reportOf({ at: at(NOW - 16 * 60_000) });
    expect(rowsOf(lifecycleOf(), [old])['enclave.running']?.observedAt).toBeNull();
  });

  it('is when the plan was asked for of what a plan has found, and null of what the operator has stored', () => {
    const findings = [{ attribute: 'enclave.attested', severity: 'critical', repair: 'alert', since: SINCE }];
    const planned = { askedAt: SINCE, at: SINCE, run: 'drift-1-1', generation: 1, verdict: 'Drift', failures: 0 };
    const differences = [{ address: 'aws_eip.own', attributes: ['*'] }];
    const rows = rowsOf(lifecycleOf({ findings, planned: { ...planned, differences } }));
    expect(rows['terraform.state']?.observedAt).toBe(SINCE);
    expect(rows['enclave.attested']?.observedAt).toBeNull();
  });

  it('comes with texts of a bounded length', () => {
    const attributes = Array.from({ length: 200 }, (_, n) => `attribute_${n}`);
    const planned = { askedAt: SINCE, at: SINCE, run: 'drift-1-1', generation: 1, verdict: 'Drift', failures: 0 };
    const differences = [{ address: 'aws_eip.own', attributes }];
    const row = rowsOf(lifecycleOf({ planned: { ...planned, differences } }))['terraform.state'];
    expect(row?.observed).toHaveLength(400);
  });
});
