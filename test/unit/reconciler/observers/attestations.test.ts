/** Attestations, looked up on virtual time: in slices that count one by one, each region by itself. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigSchema } from '../../../../src/reconciler/config.ts';
import { AttestationObserver } from '../../../../src/reconciler/observers/attestations.ts';
import { OperatorError } from '../../../../src/reconciler/ports/index.ts';
import type { SeenAttestation, Span } from '../../../../src/reconciler/ports/inventory.ts';
import { createMemoryWorld } from '../../../support/memory-world.ts';
import { seededRandom, VirtualClock } from '../../../support/virtual-clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const HERE = 'us-west-2';
const FAR = 'eu-west-1';
const HOST = 'i-1';
const RIGHT = { pcr0: 'a1'.repeat(48) };
const OTHER = { pcr0: 'b2'.repeat(48) };

interface Call extends Span {
  readonly region: string;
  readonly askedAt: number;
}

let clock: VirtualClock;
let bornAt: number;
let observer: AttestationObserver;
let calls: Call[];
let told: { readonly instanceIds: readonly string[]; readonly withinMs: number }[];
let attested: SeenAttestation[];
/** How long it takes to look up a slice, ms. */
let takesMs: (time: Span, region: string) => number;
let fails: (call: Call) => boolean;

const attest = (measurements: SeenAttestation['measurements'], at = clock.now(), instanceId = HOST) =>
  attested.push({ instanceId, at, measurements });
const seen = (since = 0, region = HERE) =>
  observer.of(region, HOST, since)?.seen.map(({ measurements }) => measurements.pcr0);
const callsOf = (region: string) => calls.filter((call) => call.region === region);

function begin(overrides: object = {}, regions: readonly string[] = [HERE]) {
  const { ports } = createMemoryWorld({ clock, random: seededRandom(1) });
  const surroundings = {
    ...ports.surroundings,
    async *attestations(region: string, time: Span, signal: AbortSignal) {
      const call = { region, ...time, askedAt: clock.now() };
      calls.push(call);
      await clock.sleep(takesMs(time, region), signal);
      signal.throwIfAborted();
      const [first, ...rest] = attested.filter(({ at }) => at >= time.from && at <= time.until);
      yield first === undefined ? [] : [first];
      if (fails(call)) throw new OperatorError('Throttled', 'cloudtrail:LookupEvents', 'RequestLimitExceeded');
      yield rest;
    },
  };
  const config = ConfigSchema.parse({ attestationTrail: true, ...overrides });
  observer = new AttestationObserver({ ...ports, surroundings }, config, (_region, instanceIds, withinMs) =>
    told.push({ instanceIds: [...instanceIds], withinMs }),
  );
  void observer.run(() => regions, new AbortController().signal);
}

beforeEach(() => {
  clock = new VirtualClock();
  bornAt = clock.now();
  calls = [];
  told = [];
  attested = [];
  takesMs = () => 1_000;
  fails = () => false;
});

describe('looking up attestations', () => {
  it('begins an hour back, and reads on from there without a gap', async () => {
    attest(OTHER, bornAt - 2 * HOUR, 'i-2');
    attest(RIGHT, bornAt - 50 * MINUTE);
    begin();
    await clock.advance(5 * MINUTE);
    expect(calls[0]?.from).toBeGreaterThanOrEqual(bornAt - HOUR);
    for (const [index, { from }] of calls.slice(1).entries()) expect(from).toBe(calls[index]?.until);
    expect(seen()).toEqual([RIGHT.pcr0]);
    expect(observer.of(HERE, 'i-2', 0)?.seen).toEqual([]);
  });

  it('overlaps the look before, because events come late, and is one call where that is little', async () => {
    begin();
    await clock.advance(5 * HOUR);
    const before = calls.length;
    await clock.advance(5 * HOUR);
    expect(calls.length - before).toBeGreaterThanOrEqual(18);
    expect(calls.length - before).toBeLessThanOrEqual(23);
    for (const [index, { from }] of calls.slice(before + 1).entries())
      expect(from).toBe((calls[before + index]?.until ?? 0) - 30 * MINUTE);
  });

  it('comes to its end where Decrypts come nearly as fast as they can be looked up', async () => {
    takesMs = ({ from, until }) => 0.8 * (until - from);
    attest(RIGHT, bornAt - 10 * MINUTE);
    begin();
    await clock.advance(2 * HOUR);
    expect(seen()).toEqual([RIGHT.pcr0]);
    attest(OTHER);
    await clock.advance(3 * HOUR);
    expect(seen()).toEqual([OTHER.pcr0]);
  });

  it('counts a slice whole or not at all, keeps those before it, and tries it again by half', async () => {
    attest(RIGHT, bornAt - 50 * MINUTE);
    attest(OTHER, bornAt - 40 * MINUTE);
    attest(OTHER, bornAt - 39 * MINUTE);
    fails = ({ from, askedAt }) => from > bornAt - 50 * MINUTE && askedAt < bornAt + 10 * MINUTE;
    begin();
    await clock.advance(10 * MINUTE);
    expect(calls).toHaveLength(2);
    expect(seen()).toEqual([RIGHT.pcr0]);
    await clock.advance(10 * MINUTE);
    const [, failed, again] = calls;
    expect(again?.from).toBe(failed?.from);
    expect((again?.until ?? 0) - (again?.from ?? 0)).toBe(((failed?.until ?? 0) - (failed?.from ?? 0)) / 2);
    expect(seen()).toEqual([OTHER.pcr0]);
  });

  it('catches up with all of an outage of hours', async () => {
    let isOut = true;
    fails = () => isOut;
    begin();
    await clock.advance(10 * MINUTE);
    attest(OTHER);
    await clock.advance(3 * HOUR);
    attest(RIGHT);
    await clock.advance(2 * HOUR);
    expect(seen()).toEqual([]);
    isOut = false;
    const before = calls.length;
    await clock.advance(20 * MINUTE);
    expect(calls.length - before).toBeGreaterThan(2);
    // Of several slices, and yet of one look: both count.
    expect(seen()).toEqual([OTHER.pcr0, RIGHT.pcr0]);
  });

  it('knows nothing where it is hours behind, or no slice could be read for two intervals', async () => {
    attest(RIGHT, bornAt - 50 * MINUTE);
    takesMs = ({ from, until }) => 1.9 * (until - from);
    begin();
    await clock.advance(2 * HOUR);
    expect(seen()).toEqual([RIGHT.pcr0]);
    await clock.advance(5 * HOUR);
    expect(seen()).toEqual([]);
  });

  it('keeps no region waiting for another', async () => {
    takesMs = (_time, region) => (region === FAR ? 14 * MINUTE : 1_000);
    begin({}, [FAR, HERE]);
    await clock.advance(2 * HOUR);
    const starts = callsOf(HERE).map(({ askedAt }) => askedAt);
    expect(callsOf(FAR).length).toBeGreaterThan(3);
    expect(starts.length).toBeGreaterThanOrEqual(9);
    for (const [index, at] of starts.slice(1).entries()) expect(at - (starts[index] ?? 0)).toBeLessThan(17 * MINUTE);
  });

  it('is not done at all where it is off, or there is no interval', async () => {
    for (const config of [{ attestationTrail: false }, { postureMs: 0 }]) {
      begin(config);
      await clock.advance(HOUR);
      expect(calls).toEqual([]);
      expect(observer.of(HERE, HOST, 0)).toBeUndefined();
    }
  });
});

describe('what counts of a host', () => {
  beforeEach(async () => {
    begin();
    await clock.advance(HOUR);
  });

  it('is all that one look reads, until a later one reads another', async () => {
    attest(OTHER);
    await clock.advance(MINUTE);
    attest(RIGHT);
    await clock.advance(20 * MINUTE);
    expect(seen()?.sort()).toEqual([RIGHT.pcr0, OTHER.pcr0]);
    await clock.advance(2 * HOUR);
    expect(seen()?.sort()).toEqual([RIGHT.pcr0, OTHER.pcr0]);
    attest(RIGHT);
    await clock.advance(20 * MINUTE);
    expect(seen()).toEqual([RIGHT.pcr0]);
  });

  it('is told of when it is another than was read last, and at first not at once', async () => {
    attest(RIGHT);
    await clock.advance(20 * MINUTE);
    attest(RIGHT);
    await clock.advance(20 * MINUTE);
    attest(OTHER);
    await clock.advance(20 * MINUTE);
    expect(told).toEqual([
      { instanceIds: [HOST], withinMs: 0 },
      { instanceIds: [HOST], withinMs: 0 },
    ]);
    told = [];
    begin();
    await clock.advance(5 * MINUTE);
    expect(told).toEqual([{ instanceIds: [HOST], withinMs: 7.5 * MINUTE }]);
  });

  it('is nothing that was attested before the time that is asked for, or a day ago', async () => {
    attest(RIGHT);
    const at = clock.now();
    await clock.advance(20 * MINUTE);
    expect(seen(at - 1)).toEqual([RIGHT.pcr0]);
    expect(seen(at)).toEqual([]);
    await clock.advance(24 * HOUR);
    expect(seen()).toEqual([]);
  });

  it('is of the last few that were read', async () => {
    for (let n = 0; n < 50; n += 1) attest({ pcr0: String(n).padStart(2, '0').repeat(48) });
    await clock.advance(20 * MINUTE);
    expect(seen()).toHaveLength(4);
  });
});
