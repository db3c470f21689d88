/** What happened in a simulation: readable, and comparable by its digest. */
import { createHash } from 'node:crypto';

/** Lines of virtual time, actor and event. Reads are left out; everything that changes the world is in. */
export class Trace {
  readonly #lines: string[] = [];
  readonly #now: () => number;

  /** `now` is virtual time since the start, ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  say(actor: string, what: string): void {
    this.#lines.push(`${timeOf(this.#now())}  ${actor.padEnd(9)} ${what}`);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Lines that name `id`, and those of the world at large: what a reader needs who looks into one enclave. */
  about(id: string): readonly string[] {
    return this.#lines.filter((line) => line.includes(id) || !line.includes('enc_'));
  }

  digest(): string {
    return createHash('sha256').update(this.#lines.join('\n')).digest('hex').slice(0, 16);
  }
}

/** `h:mm:ss.mmm`. */
export function timeOf(ms: number): string {
  const whole = Math.floor(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes, seconds] = [whole / 3_600_000, (whole / 60_000) % 60, (whole / 1_000) % 60].map(Math.floor);
  return `${hours}:${two(minutes ?? 0)}:${two(seconds ?? 0)}.${String(whole % 1_000).padStart(3, '0')}`;
}
