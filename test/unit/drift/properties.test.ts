/** What holds of every comparison, whatever was seen. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, digestKey, digestRole, digestRules, type Finding, type Observed } from '../../../src/drift/index.ts';
import { KEY_POLICY, observed, spec, TRUST, wanted } from './drift-table.ts';

/** Every optional part at the first two levels, so that any of them can be erased. */
const parts: readonly (readonly [string, string?])[] = Object.entries(observed).flatMap(([part, value]) => {
  if (part === 'observedAt') return [];
  const members = ['posture', 'report', 'checks', 'rootVolume', 'key', 'logGroup', 'terraform', 'role'].includes(part)
    ? Object.keys(value as object).map((member) => [part, member] as const)
    : [];
  return [[part] as const, ...members];
});

function erase(seen: Observed, erased: readonly (readonly [string, string?])[]): Observed {
  const result: Record<string, unknown> = { ...seen };
  for (const [part, member] of erased) {
    if (member === undefined) delete result[part];
    else if (typeof result[part] === 'object') result[part] = { ...(result[part] as object), [member]: undefined };
  }
  return result as unknown as Observed;
}

describe('whatever is seen', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.constantFrom(
      '__proto__',
      'constructor',
      '${var.x}',
      '$(reboot)',
      '\u001b[2J\u202e',
      'running',
      'ok',
      'RUNNING',
      '\ud800',
    ),
  );
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const record = (values: fc.Arbitrary<string>) => fc.dictionary(text, values, { maxKeys: 4 });
  const list = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 3 });
  const nullable = (arbitrary: fc.Arbitrary<string>) => fc.oneof(fc.constant(null), arbitrary);
  const json = fc.oneof(text, fc.json(), fc.constant(KEY_POLICY), fc.constant(TRUST));
  const anyRole = fc.record({ trust: maybe(json), attachedArns: maybe(list(text)), inline: maybe(record(json)) });
  const arbitrary: fc.Arbitrary<Observed> = fc.record({
    observedAt: fc.constant(observed.observedAt),
    hosts: maybe(
      list(fc.record({ instanceId: text, state: fc.oneof(text, fc.constantFrom('stopped', 'terminated')) })),
    ),
    posture: maybe(
      fc.record({
        instanceType: maybe(text),
        amiId: maybe(text),
        enclavesEnabled: maybe(fc.boolean()),
        profile: maybe(nullable(text)),
        groups: maybe(list(fc.record({ id: text, name: maybe(text) }))),
        tags: maybe(record(text)),
        metadata: maybe(fc.record({ endpoint: maybe(text), tokens: maybe(text), hopLimit: maybe(fc.double()) })),
        publicIp: maybe(nullable(text)),
      }),
    ),
    userData: maybe(text),
    terminationProtection: maybe(fc.boolean()),
    rootVolume: maybe(fc.record({ encrypted: maybe(fc.boolean()), deleteOnTermination: maybe(fc.boolean()) })),
    checks: maybe(fc.record({ system: maybe(text), instance: maybe(fc.constant('impaired')), ebs: maybe(text) })),
    events: maybe(list(fc.record({ code: text, description: maybe(text), notBefore: maybe(text) }))),
    agentOnline: maybe(fc.boolean()),
    report: maybe(
      fc.record({
        enclaves: maybe(
          list(
            fc.record({
              state: fc.oneof(text, fc.constant('TERMINATING')),
              cpuCount: maybe(fc.double()),
              memoryMiB: maybe(fc.double()),
              debug: maybe(fc.boolean()),
              terminatingMs: maybe(fc.double()),
            }),
          ),
        ),
        completed: maybe(fc.boolean()),
        leftToHost: maybe(fc.boolean()),
        health: maybe(fc.constantFrom('passing', 'failing', 'none')),
        measurements: maybe(record(text)),
        allocatorOk: maybe(fc.boolean()),
        proxies: maybe(list(fc.record({ destination: text, state: text }))),
      }),
    ),
    attested: maybe(list(record(text))),
    rules: maybe(
      list(
        fc.record({
          direction: fc.constantFrom('ingress', 'egress'),
          protocol: text,
          fromPort: fc.integer(),
          toPort: fc.integer(),
          peer: text,
        }),
      ).map((rules) => digestRules(rules, true)),
    ),
    role: maybe(anyRole.map((role) => digestRole(role, true))),
    key: maybe(
      fc
        .record({ state: maybe(text), policy: maybe(json), grantIds: maybe(list(text)) })
        .map((key) => digestKey(key, true)),
    ),
    logGroup: maybe(
      fc.record({
        exists: maybe(fc.boolean()),
        retentionDays: maybe(fc.oneof(fc.constant(null), fc.integer())),
        kmsKeyArn: maybe(nullable(text)),
      }),
    ),
    terraform: maybe(fc.record({ state: maybe(fc.boolean()), lockStale: maybe(fc.boolean()) })),
    strays: maybe(list(text)),
  });
  const drifted = (findings: readonly Finding[]) =>
    findings.filter(({ verdict }) => verdict === 'Drift').map(({ attribute }) => attribute);

  it('nothing drifts of which nothing was seen', () => {
    expect(drifted(compare(wanted, { observedAt: 0 }))).toEqual([]);
    expect(compare(wanted, { observedAt: 0 }).every(({ verdict }) => verdict === 'Unknown')).toBe(true);
  });

  it('seeing less never makes drift', () => {
    fc.assert(
      fc.property(arbitrary, fc.subarray([...parts]), fc.boolean(), (seen, erased, running) => {
        const want = { ...wanted, running };
        const before = new Set(drifted(compare(want, seen)));
        expect(drifted(compare(want, erase(seen, erased))).filter((attribute) => !before.has(attribute))).toEqual([]);
      }),
    );
  });

  it('what is told of it is short and printable', () => {
    fc.assert(
      fc.property(arbitrary, record(text), (seen, tags) => {
        const want = { ...wanted, spec: { ...spec, tags } };
        for (const finding of compare(want, seen)) {
          for (const shown of [finding.desired ?? '', finding.observed ?? '']) {
            expect(shown.length).toBeLessThanOrEqual(301);
            // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what is asserted
            expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
            expect(shown.isWellFormed()).toBe(true);
          }
        }
      }),
    );
  });
});
