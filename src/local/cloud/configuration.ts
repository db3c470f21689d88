/** The configuration object of an enclave, as the host agent reads it. */
import { createHash } from 'node:crypto';
import { canonicalJson, isPlainMap } from '../../enclave/json.ts';
import type { Attributes } from './model.ts';

export interface Configuration {
  readonly generation: number;
  /** Equal for equal specs: a new generation with the same text needs no restart. */
  readonly text: string;
  readonly image: string;
  readonly cpuCount: number;
  readonly memoryMiB: number;
  readonly debug: boolean;
  readonly batch: boolean;
  /** False where nothing can be probed: no port, or a batch workload. */
  readonly probed: boolean;
}

const count = (value: unknown, fallback: number) =>
  typeof value === 'number' && Number.isSafeInteger(value) ? value : fallback;

/** Reads the attributes of the object; total, since what lies in a bucket is data. */
export function readConfiguration(attributes: Attributes | undefined): Configuration | undefined {
  const content = attributes?.content;
  if (!isPlainMap(content)) return undefined;
  const spec = isPlainMap(content.spec) ? content.spec : {};
  const eif = isPlainMap(spec.eif) ? spec.eif : {};
  const image = typeof spec.dockerImage === 'string' ? spec.dockerImage : '';
  const batch = spec.workloadType === 'batch';
  return {
    generation: count(content.generation, 0),
    text: canonicalJson(spec),
    image: image === '' && typeof eif.sha256 === 'string' ? eif.sha256 : image,
    cpuCount: count(spec.cpuCount, 2),
    memoryMiB: count(spec.memoryMiB, 1_024),
    debug: spec.enableDebug === true,
    batch,
    probed: !batch && Array.isArray(spec.exposePorts) && spec.exposePorts.length > 0,
  };
}

/** The configuration an agent has applied, from what it remembers of it. */
export function appliedConfiguration(generation: number, specText: string | undefined): Configuration | undefined {
  if (specText === undefined) return undefined;
  return readConfiguration({ content: { generation, spec: JSON.parse(specText) as unknown } });
}

const sha384 = (text: string) => createHash('sha384').update(text).digest('hex');

/** 96 hex digits each, the same for the same image: PCR0 the whole file, PCR1 kernel and boot, PCR2 the application. */
export function measure(configuration: Configuration): Record<string, string> {
  return {
    PCR0: sha384(`image file of ${configuration.image}`),
    PCR1: sha384('kernel and boot ramdisk'),
    PCR2: sha384(`application of ${configuration.image}`),
  };
}
