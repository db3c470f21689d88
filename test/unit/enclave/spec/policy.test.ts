/** The platform team's policy: read safely, asked at a time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWindowOpen, nextOpening } from '../../../../src/enclave/spec/maintenance-window.ts';
import { DEFAULT_POLICY, inMaintenanceWindow, parsePolicy, suspension } from '../../../../src/enclave/spec/policy.ts';
import { codes, findings, record } from './spec-records.ts';

const time = (text: string) => Date.parse(text);

describe('parsePolicy', () => {
  it('without a policy gives the defaults', () => {
    expect(parsePolicy(undefined)).toEqual({
      policy: {
        deletionPolicy: 'Delete',
        onCompletion: 'keep',
        drift: { mode: 'repair', overrides: {}, ignore: [], intervalSeconds: 300, approval: 'auto' },
        upgrade: { strategy: 'Recreate', maxUnavailable: 1, drainSeconds: 30 },
        dependsOn: [],
        timeouts: {},
      },
      errors: [],
      warnings: [],
    });
    expect(parsePolicy({}).policy).toEqual(DEFAULT_POLICY);
    expect(parsePolicy(null).policy).toEqual(DEFAULT_POLICY);
  });

  it('reads every field, numbers as text too', () => {
    const { policy, errors } = parsePolicy({
      suspend: { reason: 'incident', actor: 'ops', until: '2026-12-24T18:00:00+01:00' },
      deletionPolicy: 'Retain',
      drift: { mode: 'alert', overrides: { tags: 'off', host: 'replace' }, intervalSeconds: '600', approval: 'manual' },
      maintenanceWindow: { cron: '0 3 * * 6', durationMinutes: 120, tz: 'Europe/Berlin' },
      upgrade: { drainSeconds: 0 },
      dependsOn: 'enc_1, enc_2',
      timeouts: { deploySeconds: 3_600 },
    });
    expect(errors).toEqual([]);
    expect(policy).toMatchObject({
      suspend: { reason: 'incident', actor: 'ops' },
      deletionPolicy: 'Retain',
      drift: { mode: 'alert', overrides: { tags: 'off', host: 'replace' }, intervalSeconds: 600, approval: 'manual' },
      maintenanceWindow: { cron: '0 3 * * 6', durationMinutes: 120, tz: 'Europe/Berlin' },
      upgrade: { strategy: 'Recreate', maxUnavailable: 1, drainSeconds: 0 },
      dependsOn: ['enc_1', 'enc_2'],
      timeouts: { deploySeconds: 3_600 },
    });
  });

  it.each([
    ['a policy that is no map', 'Retain', 'policy', 'TYPE'],
    ['an unknown deletion policy', { deletionPolicy: 'retain' }, 'policy.deletionPolicy', 'FORMAT'],
    ['an unknown mode', { drift: { mode: 'fix' } }, 'policy.drift.mode', 'FORMAT'],
    ['an unknown mode of a class', { drift: { overrides: { tags: 'fix' } } }, 'policy.drift.overrides.tags', 'FORMAT'],
    [
      'an ignored difference without an end',
      { drift: { ignore: [{ path: 'tags', reason: 'x' }] } },
      'policy.drift.ignore[0].expires',
      'REQUIRED',
    ],
    [
      'an ignored difference without a reason',
      { drift: { ignore: [{ path: 'tags', expires: '2030-01-01T00:00:00Z' }] } },
      'policy.drift.ignore[0].reason',
      'REQUIRED',
    ],
    [
      'an ignored difference until some day',
      { drift: { ignore: [{ path: 'tags', reason: 'x', expires: 'tomorrow' }] } },
      'policy.drift.ignore[0].expires',
      'FORMAT',
    ],
    [
      'an ignored difference of no name',
      { drift: { ignore: [{ path: '*', reason: 'x', expires: '2030-01-01T00:00:00Z' }] } },
      'policy.drift.ignore[0].path',
      'FORMAT',
    ],
    ['looks too often', { drift: { intervalSeconds: 59 } }, 'policy.drift.intervalSeconds', 'RANGE'],
    ['a suspension without a reason', { suspend: {} }, 'policy.suspend.reason', 'REQUIRED'],
    ['a suspension until some day', { suspend: { reason: 'x', until: 'tomorrow' } }, 'policy.suspend.until', 'FORMAT'],
    ['a window of no pattern', { maintenanceWindow: { cron: 'at night' } }, 'policy.maintenanceWindow.cron', 'FORMAT'],
    [
      'a window with seconds',
      { maintenanceWindow: { cron: '0 0 3 * * 6' } },
      'policy.maintenanceWindow.cron',
      'FORMAT',
    ],
    [
      'a window that never comes',
      { maintenanceWindow: { cron: '0 0 30 2 *' } },
      'policy.maintenanceWindow.cron',
      'FORMAT',
    ],
    [
      'a window on Mars',
      { maintenanceWindow: { cron: '0 3 * * 6', tz: 'Mars/Olympus' } },
      'policy.maintenanceWindow.tz',
      'FORMAT',
    ],
    [
      'a window of no length',
      { maintenanceWindow: { cron: '0 3 * * 6', durationMinutes: 0 } },
      'policy.maintenanceWindow.durationMinutes',
      'RANGE',
    ],
    ['an id that is none', { dependsOn: ['a b'] }, 'policy.dependsOn[0]', 'FORMAT'],
    ['itself', { dependsOn: ['me'] }, 'policy.dependsOn', 'DEPENDENCY_SELF'],
    ['too short a deadline', { timeouts: { deploySeconds: 299 } }, 'policy.timeouts.deploySeconds', 'RANGE'],
  ])('refuses %s', (_, raw, field, code) => {
    expect(parsePolicy(raw, 'me').errors.map((issue) => [issue.field, issue.code])).toEqual([[field, code]]);
  });

  it.each([
    ['a deletion policy', { deletionPolicy: 'retain' }, { deletionPolicy: 'Retain', suspend: undefined }],
    [
      'a drift policy',
      { drift: { mode: 'of', intervalSeconds: 600 } },
      { drift: { mode: 'alert', approval: 'manual' } },
    ],
    ['a suspension', { suspend: { reason: 5 } }, { suspend: { reason: 'policy.suspend cannot be read' } }],
    [
      'a window',
      { maintenanceWindow: { cron: 'x' } },
      { suspend: { reason: 'policy.maintenanceWindow cannot be read' } },
    ],
    ['dependencies', { dependsOn: [1] }, { suspend: { reason: 'policy.dependsOn cannot be read' } }],
  ])('counts %s that cannot be read as its safest', (_, raw, safe) => {
    expect(parsePolicy(raw).policy).toMatchObject(safe);
  });

  it('counts a policy that cannot be read at all as the safest of all', () => {
    const { policy } = parsePolicy(['Retain']);
    expect(policy).toMatchObject({ deletionPolicy: 'Retain', drift: { mode: 'alert', approval: 'manual' } });
    expect(suspension(policy, 0)).toContain('cannot be read');
  });

  it('with any error permits neither deleting nor repairing what it may have meant to keep', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('deletionPolicy', 'drift', 'suspend', 'maintenanceWindow', 'upgrade'),
          fc.jsonValue(),
        ),
        (raw) => {
          const { policy, errors } = parsePolicy(raw);
          const wrong = (field: string) => errors.some((issue) => issue.field.startsWith(`policy.${field}`));
          if (wrong('deletionPolicy')) expect(policy.deletionPolicy).toBe('Retain');
          if (wrong('drift')) expect(policy.drift.mode).toBe('alert');
          if (wrong('suspend') || wrong('maintenanceWindow') || wrong('upgrade'))
            expect(suspension(policy, 0)).toBeDefined();
        },
      ),
    );
  });

  it.each([
    ['an unknown field', { drfit: {} }, 'UNKNOWN_FIELD'],
    ['a blue-green upgrade, which is not built', { upgrade: { strategy: 'BlueGreen' } }, 'UPGRADE_WARN'],
    ['suspend: true', { suspend: true }, 'COERCED'],
    ['suspend: false', { suspend: false }, 'COERCED'],
  ])('warns of %s', (_, raw, code) => {
    const { errors, warnings } = parsePolicy(raw);
    expect(errors).toEqual([]);
    expect(codes(warnings)).toEqual([code]);
  });

  it('makes a record invalid with its errors', () => {
    expect(codes(findings(record({}, { policy: { deletionPolicy: 'x' } })).errors)).toEqual(['FORMAT']);
    expect(codes(findings(record({}, { policy: { dependsOn: [record().id] } })).errors)).toEqual(['DEPENDENCY_SELF']);
  });
});

describe('suspension', () => {
  const policy = parsePolicy({ suspend: { reason: 'incident', until: '2026-01-01T00:00:00Z' } }).policy;

  it.each([
    ['before its end', '2025-12-31T23:59:59Z', 'incident'],
    ['at its end', '2026-01-01T00:00:00Z', undefined],
  ])('%s', (_, now, reason) => {
    expect(suspension(policy, time(now))).toBe(reason);
  });

  it('without an end lasts', () => {
    expect(suspension(parsePolicy({ suspend: true }).policy, Number.MAX_SAFE_INTEGER)).toBe('no reason given');
    expect(suspension(parsePolicy({ suspend: false }).policy, 0)).toBeUndefined();
  });
});

describe('maintenance windows', () => {
  // Saturdays at 3 in Berlin: 2 UTC in winter, 1 UTC in summer.
  const window = { cron: '0 3 * * 6', durationMinutes: 90, tz: 'Europe/Berlin' };

  it.each([
    ['just before it opens', '2026-01-10T01:59:59Z', false],
    ['when it opens', '2026-01-10T02:00:00Z', true],
    ['just before it closes', '2026-01-10T03:29:59Z', true],
    ['when it closes', '2026-01-10T03:30:00Z', false],
    ['in summer it opens an hour earlier', '2026-07-11T01:00:00Z', true],
    ['in summer, before', '2026-07-11T00:59:59Z', false],
    ['on another day', '2026-01-11T02:30:00Z', false],
  ])('%s', (_, now, open) => {
    expect(isWindowOpen(window, time(now))).toBe(open);
    expect(inMaintenanceWindow({ ...DEFAULT_POLICY, maintenanceWindow: window }, time(now))).toBe(open);
  });

  it('open next', () => {
    expect(nextOpening(window, time('2026-01-10T02:00:00Z'))).toBe(time('2026-01-17T02:00:00Z'));
  });

  it('are always open where there is none', () => {
    expect(inMaintenanceWindow(DEFAULT_POLICY, 0)).toBe(true);
  });

  it('are open exactly from each opening for their duration', () => {
    fc.assert(
      fc.property(fc.integer({ min: time('2025-01-01T00:00:00Z'), max: time('2027-01-01T00:00:00Z') }), (now) => {
        const next = nextOpening(window, now - 90 * 60_000) ?? Number.POSITIVE_INFINITY;
        expect(isWindowOpen(window, now)).toBe(next <= now);
      }),
      { numRuns: 100 },
    );
  });
});
