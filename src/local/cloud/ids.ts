/** Identifiers as AWS gives them. */
import { createHash } from 'node:crypto';
import type { Random } from '../../reconciler/ports/index.ts';

const HEX = '0123456789abcdef';

export function hex(random: Random, length: number): string {
  return Array.from({ length }, () => HEX[Math.floor(random.next() * 16)]).join('');
}

export const instanceId = (random: Random) => `i-${hex(random, 17)}`;

/** As Linux spells a boot id. */
export function bootId(random: Random): string {
  return [8, 4, 4, 4, 12].map((length) => hex(random, length)).join('-');
}

export type Architecture = 'x86_64' | 'arm64';

/** Graviton families carry a `g` behind their number: m6g, c7gn, im4gn; a1 is the one without. */
export function architectureOf(instanceType: string): Architecture {
  return /^([a-z]+\d+g|a1\.)/.test(instanceType) ? 'arm64' : 'x86_64';
}

/** The newest machine image of a region: the same one every time. */
export function newestAmi(region: string, architecture: Architecture): string {
  return `ami-${createHash('sha256').update(`${region}/${architecture}`).digest('hex').slice(0, 17)}`;
}
