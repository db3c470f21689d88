/** Stored drifts: items of earlier versions are read, and earlier versions can read what is written now. */
import { describe, expect, it } from 'vitest';
import {
  ATTRIBUTES,
  attemptsKey,
  attributesOfDrift,
  type Drift,
  ENTRIES,
  isRepairKey,
  namesOfDrift,
  readDrift,
  repairNames,
  storedAttemptsKey,
  writeDrift,
} from '../../../src/drift/index.ts';
import { LifecycleSchema } from '../../../src/enclave/items/lifecycle.ts';
import { conflictingUntil } from '../../../src/machines/index.ts';
import { aLifecycle } from '../../support/conformance-harness.ts';

const AT = '2030-01-01T00:00:00.000Z';

/** As earlier versions store them. */
const OLD: readonly (readonly [fingerprint: string, drift: Drift])[] = [
  ['host:gone', { kind: 'host', state: 'gone' }],
  ['host:stopped', { kind: 'host', state: 'stopped' }],
  ['host:running', { kind: 'host', state: 'running' }],
  ['enclave:EnclaveNotRunning', { kind: 'report', attribute: 'enclave.running' }],
  ['enclave:EnclaveTerminating', { kind: 'report', attribute: 'enclave.terminating' }],
  ['enclave:DebugEnclave', { kind: 'report', attribute: 'enclave.debug' }],
  ['enclave:EnclaveSize', { kind: 'report', attribute: 'enclave.cpuCount' }],
  ['enclave:ExtraEnclaves', { kind: 'report', attribute: 'enclave.extra' }],
  ['enclave:MeasurementMismatch', { kind: 'report', attribute: 'enclave.measurements' }],
  ['enclave:HealthCheckFailing', { kind: 'report', attribute: 'enclave.health' }],
  ['enclave:AllocatorShort', { kind: 'report', attribute: 'enclave.allocator' }],
  ['enclave:ProxyDown', { kind: 'report', attribute: 'enclave.proxies' }],
  ['apply:host.metadata,tags', { kind: 'attributes', step: 'apply', attributes: ['host.metadata', 'tags'] }],
  ['restartHost:host.statusChecks', { kind: 'attributes', step: 'restartHost', attributes: ['host.statusChecks'] }],
  ['replace:host.enclaveOptions', { kind: 'attributes', step: 'replace', attributes: ['host.enclaveOptions'] }],
];

describe('a drift that an earlier version stored', () => {
  it.each(OLD)('%s is read', (fingerprint, drift) => {
    const item = { ...aLifecycle('enc_1'), drift: { fingerprint, seen: 2, since: AT, observedAt: 1 } };
    const read = LifecycleSchema.parse(JSON.parse(JSON.stringify(item)));
    expect(readDrift(read.drift)).toEqual(drift);
  });

  it.each(OLD)('%s has the same name, key of attempts and names of repairs when it is written again', (old, drift) => {
    const item = writeDrift(drift);
    expect(item.fingerprint).toBe(old);
    expect(attemptsKey(drift)).toBe(`drift:${old}`);
    expect(storedAttemptsKey(item)).toBe(attemptsKey(drift));
    expect(isRepairKey(attemptsKey(drift))).toBe(true);
    expect(repairNames(drift)).toEqual(drift.kind === 'attributes' ? drift.attributes : [old]);
  });

  it('keeps its recent repairs', () => {
    const healed = [AT, '2030-01-01T00:10:00.000Z'].map((at) => ({ fingerprint: 'host:stopped', at }));
    const drift = { fingerprint: 'host:stopped', seen: 2, since: AT, observedAt: 1 };
    const now = Date.parse('2030-01-01T00:20:00.000Z');
    expect(conflictingUntil({ healed, drift }, now)).toBe(Date.parse(AT) + 60 * 60_000);
    expect(conflictingUntil({ healed, drift: { ...drift, fingerprint: 'host:gone' } }, now)).toBeUndefined();
  });
});

describe('a stored drift', () => {
  it.each(ATTRIBUTES.filter((attribute) => ENTRIES[attribute].part === 'report'))('says which one: %s', (attribute) => {
    const drift = { kind: 'report', attribute } as const;
    expect(readDrift(JSON.parse(JSON.stringify(writeDrift(drift))))).toEqual(drift);
  });

  it('is what its fingerprint says where an earlier version has changed that since', () => {
    const item = { ...writeDrift({ kind: 'host', state: 'stopped' }), fingerprint: 'enclave:ProxyDown' };
    expect(readDrift(item)).toEqual({ kind: 'report', attribute: 'enclave.proxies' });
  });

  it.each(['enclave:Unheard', 'apply:host.later', 'melt:tags', ''])(
    'of a later version is not read, and still has a name: %s',
    (fingerprint) => {
      const item = { fingerprint, of: { kind: 'later' } };
      expect(readDrift(item)).toBeUndefined();
      expect(namesOfDrift(item)).toEqual([fingerprint.replace(':', '.')]);
      expect(attributesOfDrift(item)).toEqual([]);
      expect(storedAttemptsKey(item)).toBe(`drift:${fingerprint}`);
    },
  );
});
