/** The instance catalogue as JSON: how src/enclave/instance-types/data/instance-types.json is written. */
import type { InstanceTypeInfo } from '@aws-sdk/client-ec2';
import type { CatalogueFile } from '../src/enclave/instance-types/instance-types.ts';

/** One instance type: what `DescribeInstanceTypes` says of it, and the regions it was seen in. */
export interface CatalogueRow {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly arch: string;
  readonly threadsPerCore: number;
  readonly enclaves: boolean;
  /** Kept for types that support enclaves only: nobody asks where the others are offered. */
  readonly regions: readonly string[];
}

export interface CatalogueInput {
  /** Where the rows come from, in one sentence. */
  readonly source: string;
  /** Day the rows were read, `YYYY-MM-DD`. */
  readonly date: string;
  readonly rows: readonly CatalogueRow[];
}

const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

/**
 * The whole file, as `CatalogueFile` in src/enclave/instance-types/instance-types.ts describes it. Equal input gives equal text, so that a
 * refresh shows only what changed.
 */
export function renderCatalogue({ source, date, rows }: CatalogueInput): string {
  const regions = [...new Set(rows.flatMap((row) => row.regions))].sort();
  const sets: string[] = [];
  const setOf = (row: CatalogueRow): string => {
    if (!row.enclaves) return '-';
    const bits = row.regions.reduce((sum, region) => sum + 2 ** regions.indexOf(region), 0).toString(16);
    if (!sets.includes(bits)) sets.push(bits);
    return String(sets.indexOf(bits));
  };
  const types = [...rows]
    .sort(byName)
    .map((row) => [row.name, row.vcpus, row.memoryMiB, row.arch, row.threadsPerCore, setOf(row)].join(' '));
  const file: CatalogueFile = { source, date, regions, regionSets: sets, types };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** The older data file: `{types: {name: [vcpus, MiB, arch, threads, 0|1, region numbers]}, regions}`. */
export interface DataFile {
  readonly regions: readonly string[];
  readonly types: Readonly<Record<string, readonly [number, number, string, number, number, readonly number[]]>>;
}

export function rowsOfDataFile(file: DataFile): CatalogueRow[] {
  return Object.entries(file.types).map(([name, [vcpus, memoryMiB, arch, threadsPerCore, enclaves, regions]]) => ({
    name,
    vcpus,
    memoryMiB,
    arch,
    threadsPerCore,
    enclaves: enclaves === 1,
    regions: regions.map((index) => file.regions[index]).filter((region) => region !== undefined),
  }));
}

/** Joins the replies of several regions; a type has its newest reply's sizes and every region that listed it. */
export function rowsOfReplies(replies: ReadonlyMap<string, readonly InstanceTypeInfo[]>): CatalogueRow[] {
  const rows = new Map<string, CatalogueRow>();
  for (const [region, infos] of replies) {
    for (const info of infos) {
      const name = info.InstanceType;
      const vcpus = info.VCpuInfo?.DefaultVCpus;
      const memoryMiB = info.MemoryInfo?.SizeInMiB;
      if (name === undefined || vcpus === undefined || memoryMiB === undefined) continue;
      const enclaves = info.NitroEnclavesSupport === 'supported';
      rows.set(name, {
        name,
        vcpus,
        memoryMiB,
        // i386 is listed first where both are supported.
        arch: info.ProcessorInfo?.SupportedArchitectures?.find((arch) => arch !== 'i386') ?? 'x86_64',
        threadsPerCore: info.VCpuInfo?.DefaultThreadsPerCore ?? 1,
        enclaves,
        regions: enclaves ? [...(rows.get(name)?.regions ?? []), region] : [],
      });
    }
  }
  return [...rows.values()];
}
