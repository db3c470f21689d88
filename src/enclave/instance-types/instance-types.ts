/** EC2 instance types: which can host an enclave, how large, and where. */

import { nearest } from '../nearest.ts';
import data from './data/instance-types.json' with { type: 'json' };

/** Every EC2 instance type: data/instance-types.json, which scripts/catalogue.ts writes. */
export interface CatalogueFile {
  readonly source: string;
  /** Day the data was read, `YYYY-MM-DD`. */
  readonly date: string;
  /** By the number of their bit in a set. */
  readonly regions: readonly string[];
  /** Sets of regions, in hexadecimal. */
  readonly regionSets: readonly string[];
  /** One text per type: name, vCPUs, MiB, architecture, threads per core, number of its region set (`-`: no enclaves). */
  readonly types: readonly string[];
}

const catalogue: CatalogueFile = data;
export const CATALOGUE_SOURCE = catalogue.source;
export const CATALOGUE_DATE = catalogue.date;

export interface InstanceType {
  readonly name: string;
  /** The name up to the dot: types of one family differ in size alone. */
  readonly family: string;
  readonly vcpus: number;
  readonly memoryMiB: number;
  /** As EC2 spells it: `x86_64`, `arm64`, `arm64_mac`, … */
  readonly arch: string;
  readonly threadsPerCore: number;
  /** EC2's `NitroEnclavesSupport`. */
  readonly enclaves: boolean;
  /** Regions that offer it; empty where that is not known. */
  readonly regions: readonly string[];
}

export const CATALOGUE_REGIONS = catalogue.regions;

function regionsOf(set: number): readonly string[] {
  const bits = Number.parseInt(catalogue.regionSets[set] ?? '0', 16);
  return CATALOGUE_REGIONS.filter((_, index) => Math.floor(bits / 2 ** index) % 2 === 1);
}

/** Lines by name. A line is parsed when it is first asked for: most programs ask for a few of the 1,400. */
const lines = new Map(catalogue.types.map((line) => [line.slice(0, line.indexOf(' ')), line] as const));
const parsed = new Map<string, InstanceType>();

function parse(name: string, line: string): InstanceType {
  const [, vcpus, memoryMiB, arch = '', threadsPerCore, set = '-'] = line.split(' ');
  return {
    name,
    family: familyOf(name),
    vcpus: Number(vcpus),
    memoryMiB: Number(memoryMiB),
    arch,
    threadsPerCore: Number(threadsPerCore),
    enclaves: set !== '-',
    regions: set === '-' ? [] : regionsOf(Number(set)),
  };
}

export function* instanceTypes(): Generator<InstanceType> {
  for (const name of lines.keys()) {
    const type = instanceType(name);
    if (type !== undefined) yield type;
  }
}

/** Undefined is *unknown*, never *unsupported*: types newer than the catalogue exist. */
export function instanceType(name: string): InstanceType | undefined {
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const line = lines.get(name);
  if (line === undefined) return undefined;
  const type = parse(name, line);
  parsed.set(name, type);
  return type;
}

/** The most similar name among the types that can host an enclave; of the same family, where that exists. */
export function nearestInstanceType(name: string): string | undefined {
  const capable = [...lines].filter(([, line]) => !line.endsWith('-')).map(([candidate]) => candidate);
  const siblings = capable.filter((candidate) => familyOf(candidate) === familyOf(name));
  return nearest(name, siblings.length > 0 ? siblings : capable);
}

function familyOf(name: string): string {
  const dot = name.indexOf('.');
  return dot < 0 ? name : name.slice(0, dot);
}

/** Whether a region offers the type; undefined where the catalogue does not know. */
export function isOffered(type: InstanceType, region: string): boolean | undefined {
  if (type.regions.length === 0 || !CATALOGUE_REGIONS.includes(region)) return undefined;
  return type.regions.includes(region);
}

/** The largest enclave of a host, in vCPU: the pool takes whole cores and leaves the parent one. */
export function maxEnclaveVcpus(type: InstanceType): number {
  return type.vcpus - type.threadsPerCore;
}

/**
 * The largest enclave of a host, in MiB. The parent's system, its container engine and the agent keep 1 GiB or a
 * tenth, whichever is more: our choice, not a limit of AWS.
 */
export function maxEnclaveMemoryMiB(type: InstanceType): number {
  return Math.max(0, type.memoryMiB - Math.max(1_024, Math.ceil(type.memoryMiB / 10)));
}

export interface Demand {
  readonly cpuCount: number;
  readonly memoryMiB: number;
  readonly region: string;
}

/** Whether an enclave of this size can run on the type at all; the region counts where the catalogue knows it. */
export function fits(type: InstanceType, demand: Demand): boolean {
  return (
    type.enclaves &&
    demand.cpuCount <= maxEnclaveVcpus(type) &&
    demand.memoryMiB <= maxEnclaveMemoryMiB(type) &&
    isOffered(type, demand.region) !== false
  );
}

/**
 * The smallest type that fits: of the family of `like` if that has one, else of the family most people use, else of
 * any family of the architecture.
 */
export function smallestFit(like: string, demand: Demand): InstanceType | undefined {
  const family = familyOf(like);
  const arch = architectureOf(like);
  const usual = arch === 'arm64' ? 'm6g' : 'm6i';
  const preference = (type: InstanceType) => [type.family === family ? 0 : 1, type.family === usual ? 0 : 1];
  let best: { readonly type: InstanceType; readonly rank: readonly number[] } | undefined;
  for (const type of instanceTypes()) {
    if (type.arch !== arch || !fits(type, demand)) continue;
    const rank = [...preference(type), type.vcpus, type.memoryMiB];
    if (best === undefined || isBefore(rank, best.rank)) best = { type, rank };
  }
  return best?.type;
}

/** Whether one list of numbers comes before another, the first difference deciding. */
function isBefore(one: readonly number[], other: readonly number[]): boolean {
  const index = one.findIndex((value, at) => value !== other[at]);
  return index >= 0 && (one[index] ?? 0) < (other[index] ?? 0);
}

/** The architecture of a type; for one the catalogue does not know, by EC2's naming: Graviton families have a `g`. */
export function architectureOf(name: string): string {
  const known = instanceType(name);
  if (known !== undefined) return known.arch;
  return /^(a1|[a-z]+[0-9]+[a-z]*g[a-z0-9-]*)(\.|$)/.test(name) ? 'arm64' : 'x86_64';
}
