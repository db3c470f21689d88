/** Types of the specification. */
import type { z } from 'zod';
import type { SpecIssue } from './issues.ts';
import type { ProviderConfigSchema } from './schema.ts';

export interface SpecContext {
  /** Regions the platform stack covers. Empty: any region is taken. */
  readonly regions: readonly string[];
  /** Region of records that name none. */
  readonly defaultRegion: string;
  readonly environment: string;
  /** Names that records may refer to although they do not own them. @default none */
  readonly allowedReferences?: readonly string[];
  /**
   * True for files: an unknown field is an error, so that a typing error is not deployed. Stored records keep unknown
   * fields with a warning.
   *
   * @default false
   */
  readonly refusesUnknownFields?: boolean;
}

/** What an enclave runs already, which its record is read against. */
export interface AppliedSpec {
  /** Undefined where it is not known: the enclave was found, and its record is taken for what runs. */
  readonly spec: EnclaveSpec | undefined;
  /** Whether a spec means the same as the applied one. */
  readonly equals: (spec: EnclaveSpec) => boolean;
}

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

export type ProviderConfig = z.output<typeof ProviderConfigSchema>;

/** `providerConfig` with every default filled in, the ones that depend on other fields too. */
type CompleteConfig = Omit<ProviderConfig, 'dockerImage' | 'cpuCount' | 'restartPolicy' | 'healthCheck' | 'host'> & {
  dockerImage: string;
  cpuCount: NonNullable<ProviderConfig['cpuCount']>;
  restartPolicy: NonNullable<ProviderConfig['restartPolicy']>;
  healthCheck: Omit<ProviderConfig['healthCheck'], 'timeoutSeconds'> & { timeoutSeconds: number };
  host: Omit<ProviderConfig['host'], 'hibernation'>;
};

/**
 * What one enclave should be: normalized, fully defaulted, frozen. Equal for records of equal meaning. `dockerImage`
 * is empty where `eif` is given; `healthCheck.port` is absent where nothing can be probed.
 */
export type EnclaveSpec = DeepReadonly<CompleteConfig & { region: string; tags: Record<string, string> }>;

export type SpecResult =
  | { readonly ok: true; readonly spec: EnclaveSpec; readonly warnings: readonly SpecIssue[] }
  | { readonly ok: false; readonly errors: readonly SpecIssue[]; readonly warnings: readonly SpecIssue[] };

/** A spec in the making: the fields that could be read. */
export type Draft = { -readonly [K in keyof EnclaveSpec]?: EnclaveSpec[K] };
