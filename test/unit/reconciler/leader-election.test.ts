import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigSchema } from '../../../src/reconciler/config.ts';
import { acquireLease, type Term } from '../../../src/reconciler/leader-election.ts';
import { type Clock, OperatorError } from '../../../src/reconciler/ports/index.ts';
import { type Connection, createMemoryWorld, type MemoryWorld } from '../../support/memory-world.ts';
import { seededRandom, VirtualClock } from '../../support/virtual-clock.ts';

const config = ConfigSchema.parse({});
const LOST = new OperatorError('Transient', 'dynamodb:PutItem', 'no answer');

interface Candidate extends Connection {
  /** The term it holds now, or held last. */
  term: Term | undefined;
  stop(): void;
}

function startWorld(seed = 1) {
  const clock = new VirtualClock();
  const world = createMemoryWorld({ clock, random: seededRandom(seed) });
  return { clock, world };
}

/** Competes until it leads, or is stopped. */
function compete(world: MemoryWorld, holder: string, ownClock?: Clock): Candidate {
  const connection = world.connect();
  const stopping = new AbortController();
  const ports = { ...connection.ports, ...(ownClock === undefined ? {} : { clock: ownClock }) };
  const candidate: Candidate = { ...connection, term: undefined, stop: () => stopping.abort() };
  void acquireLease(holder, ports, config, stopping.signal).then((term) => {
    candidate.term = term;
  });
  return candidate;
}

const leads = ({ term }: Candidate): boolean => {
  try {
    return term !== undefined && term.assert() > 0;
  } catch {
    return false;
  }
};

describe('the lease', () => {
  it('is taken at once where there is none, and renewed whatever the holder does', async () => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    await clock.advance(0);
    expect(a.term?.epoch).toBe(1);
    const { renewedAt } = (await world.ports.leases.read())!;
    await clock.advance(10 * config.leaseMs);
    expect(leads(a)).toBe(true);
    expect((await world.ports.leases.read())?.renewedAt).not.toBe(renewedAt);
    expect(a.term?.lost.aborted).toBe(false);
  });

  it('a standby never takes it from a holder that renews', async () => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    await clock.advance(0);
    const b = compete(world, 'b');
    await clock.advance(100 * config.leaseMs);
    expect([leads(a), b.term]).toEqual([true, undefined]);
  });

  it('of a dead holder is taken once it was unchanged for its whole duration, and not before', async () => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    await clock.advance(0);
    const b = compete(world, 'b');
    await clock.advance(5_500);
    a.kill();
    const { renewedAt } = (await world.ports.leases.read())!;
    const sinceRenewal = clock.now() - Date.parse(renewedAt);
    await clock.advance(config.leaseMs - sinceRenewal - 1);
    expect(b.term).toBeUndefined();
    await clock.advance(2 * config.leaseRetryMs + sinceRenewal);
    expect(b.term?.epoch).toBe(2);
  });

  it('released, is taken within one retry interval, by a higher epoch', async () => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    await clock.advance(0);
    const b = compete(world, 'b');
    await clock.advance(1_000);
    await a.term?.release();
    expect(leads(a)).toBe(false);
    await clock.advance(config.leaseRetryMs);
    expect(b.term?.epoch).toBe(2);
  });

  it.each([
    { what: 'fails', hook: () => Promise.reject(LOST) },
    { what: 'is never answered', hook: () => new Promise<void>(() => {}) },
  ])('a holder whose every renewal $what steps down, before anybody may take over', async ({ hook }) => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    await clock.advance(0);
    const b = compete(world, 'b');
    await clock.advance(config.leaseRenewMs);
    a.faults.before('leases.replace', hook);
    await clock.advance(config.leaseStepDownMs);
    expect(a.term?.lost.aborted).toBe(true);
    expect(leads(a)).toBe(false);
    expect(b.term).toBeUndefined();
    await clock.advance(config.leaseMs);
    expect(b.term?.epoch).toBe(2);
  });

  it('a renewal that was written although its answer was lost is not taken for another leader', async () => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    await clock.advance(0);
    for (let round = 0; round < 5; round++) {
      a.faults.loseNextReply('leases.replace', LOST);
      await clock.advance(2 * config.leaseRenewMs);
      expect(leads(a)).toBe(true);
    }
  });

  it('taken although the answer was lost, is recognized as its own', async () => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    a.faults.loseNextReply('leases.replace', LOST, 2);
    await clock.advance(3 * config.leaseRetryMs);
    expect(leads(a)).toBe(true);
  });

  it('a holder that finds another in its place leads no more at once', async () => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    await clock.advance(0);
    const stored = (await world.ports.leases.read())!;
    await world.ports.leases.replace({ ...stored, holder: 'b', epoch: 2, nonce: 'other' }, stored.nonce);
    await clock.advance(config.leaseRenewMs);
    expect(a.term?.lost.aborted).toBe(true);
    expect(() => a.term?.assert()).toThrow(/no longer leads/);
    // Its release touches nothing that is not its own.
    await a.term?.release();
    expect((await world.ports.leases.read())?.holder).toBe('b');
  });

  it('frozen past its time, may do nothing from the first instant it thaws', async () => {
    const { clock, world } = startWorld();
    let frozenMs = 0;
    // Local time goes on while a process is stopped; its timers do not.
    const own: Clock = { ...asClock(clock), monotonic: () => clock.monotonic() + frozenMs };
    const a = compete(world, 'a', own);
    await clock.advance(config.leaseRenewMs / 2);
    expect(leads(a)).toBe(true);
    frozenMs = config.leaseStepDownMs;
    expect(() => a.term?.assert()).toThrow(/no longer leads/);
    expect(a.term?.lost.aborted).toBe(true);
  });

  it('does not heed wall clocks: they may differ, and go back', async () => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    await clock.advance(0);
    const skewed: Clock = { ...asClock(clock), now: () => clock.now() + 365 * 24 * 3_600_000 };
    const b = compete(world, 'b', skewed);
    await clock.advance(5 * config.leaseMs);
    expect([leads(a), b.term]).toEqual([true, undefined]);
    clock.stepWall(-24 * 3_600_000);
    await clock.advance(5 * config.leaseMs);
    expect([leads(a), b.term]).toEqual([true, undefined]);
    a.kill();
    await clock.advance(config.leaseMs + config.leaseRenewMs + 2 * config.leaseRetryMs);
    expect(b.term?.epoch).toBe(2);
  });

  it('release does not wait for ever for a renewal without an answer', async () => {
    const { clock, world } = startWorld();
    const a = compete(world, 'a');
    await clock.advance(0);
    const remove = a.faults.before('leases.replace', () => new Promise(() => {}));
    await clock.advance(config.leaseRenewMs + 1);
    remove();
    let released = false;
    void a.term?.release().then(() => {
      released = true;
    });
    await clock.advance(config.leaseRenewMs);
    expect(released).toBe(true);
    expect((await world.ports.leases.read())?.holder).toBe('');
  });

  const anyTrouble = fc.record({
    who: fc.nat(2),
    what: fc.constantFrom('fail', 'loseReply', 'kill', 'release', 'read', 'nothing'),
    times: fc.integer({ min: 1, max: 8 }),
    thenMs: fc.constantFrom(0, 700, 2_500, 9_000, 30_000),
  });

  it('never has two who may act, epochs only rise, and somebody leads once faults stop', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyTrouble, { maxLength: 15 }), fc.nat(), async (troubles, seed) => {
        const { clock, world } = startWorld(seed);
        const candidates = ['a', 'b', 'c'].map((name) => compete(world, name));
        let started = candidates.length;
        const epochs: number[] = [];
        world.tables.state.watch((_before, after) => {
          if (after?.holder !== undefined && after.holder !== '') epochs.push(Number(after.epoch));
        });
        const check = () => expect(candidates.filter(leads).length).toBeLessThanOrEqual(1);
        const pass = async (ms: number) => {
          for (let passed = 0; passed < ms; passed += 500) {
            await clock.advance(Math.min(500, ms - passed));
            check();
            // Whoever led and leads no more competes again.
            for (const [index, each] of candidates.entries()) {
              if (each.faults.killed || (each.term !== undefined && !leads(each))) {
                each.stop();
                candidates[index] = compete(world, `again-${started++}`);
              }
            }
          }
        };
        await pass(1_000);
        for (const { who, what, times, thenMs } of troubles) {
          const each = candidates[who]!;
          if (what === 'fail') each.faults.failNext('leases.replace', LOST, times);
          if (what === 'loseReply') each.faults.loseNextReply('leases.replace', LOST, times);
          if (what === 'read') each.faults.failNext('leases.read', LOST, times);
          if (what === 'kill') each.kill();
          if (what === 'release' && !each.faults.killed) await each.term?.release();
          await pass(thenMs);
        }
        // Longer than all scripted failures together can last.
        await pass(troubles.length * 8 * config.leaseRenewMs + 3 * config.leaseMs);
        expect(candidates.filter(leads)).toHaveLength(1);
        expect(epochs).toEqual(epochs.toSorted((x, y) => x - y));
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

function asClock(clock: VirtualClock): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
    sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
  };
}
