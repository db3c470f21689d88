/** The specification: what one enclave should be, normalized and fully defaulted, or every reason why it cannot be. */
import { createHash } from 'node:crypto';
import { canonicalJson, isPlainMap, type JsonMap } from './json.ts';

/** One finding about a record. `field` is the path in the record, e.g. `providerConfig.cpuCount`. */
export interface SpecIssue {
  readonly field: string;
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}

export interface SpecContext {
  /** Regions the platform stack covers. Empty: any region is taken. */
  readonly regions: readonly string[];
  /** Region of records that name none. */
  readonly defaultRegion: string;
  readonly environment: string;
}

export interface EnclaveSpec {
  readonly region: string;
  readonly dockerImage: string;
  readonly instanceType: string;
  readonly cpuCount: number;
  readonly memoryMiB: number;
  readonly enableDebug: boolean;
  readonly workloadType: 'batch' | 'service' | 'daemon';
  readonly healthCheckPath: string;
  readonly healthCheckInterval: number;
  readonly exposePorts: readonly number[];
  readonly awsServices: readonly string[];
  readonly environmentVariables: Readonly<Record<string, string>>;
}

export type SpecResult =
  | { readonly ok: true; readonly spec: EnclaveSpec; readonly warnings: readonly SpecIssue[] }
  | { readonly ok: false; readonly errors: readonly SpecIssue[]; readonly warnings: readonly SpecIssue[] };

export const SPEC_HASH_VERSION = 1;

export function parseSpec(raw: JsonMap, context: SpecContext): SpecResult {
  const config = isPlainMap(raw.providerConfig) ? raw.providerConfig : {};
  return {
    ok: true,
    warnings: [],
    spec: {
      region: typeof raw.region === 'string' ? raw.region : context.defaultRegion,
      dockerImage: String(config.dockerImage ?? 'hello-world'),
      instanceType: String(config.instanceType ?? 'm6i.xlarge'),
      cpuCount: Number(config.cpuCount ?? 2),
      memoryMiB: Number(config.memoryMiB ?? 1024),
      enableDebug: config.enableDebug === true,
      workloadType: 'service',
      healthCheckPath: '/health',
      healthCheckInterval: 30,
      exposePorts: [],
      awsServices: ['kms'],
      environmentVariables: {},
    },
  };
}

/** Equal for equal meaning, whatever the order of keys; 64 hex digits. */
export function specHash(spec: EnclaveSpec): string {
  return createHash('sha256').update(canonicalJson(spec)).digest('hex');
}
