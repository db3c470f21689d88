/** What the runner needs of Terraform, or of what stands in for it. */
import type { Made } from '../../../src/enclave/digests.ts';
import type { Legacy } from '../../../src/enclave/items/legacy-host.ts';
import type { ErrorClass, RunVariables } from '../../../src/enclave/items/run.ts';
import type { RunAction } from '../../../src/enclave/names.ts';

export interface Job {
  readonly enclaveId: string;
  readonly run: string;
  readonly action: RunAction;
  readonly variables: RunVariables;
}

/** One error or warning of Terraform's JSON output. */
export interface Diagnostic {
  readonly severity: string;
  readonly summary: string;
  readonly detail: string;
  /** Set only by an engine that knows it. */
  readonly class?: ErrorClass | undefined;
}

/** The part of `terraform show -json <plan>` the gate reads. */
export interface PlannedChange {
  readonly address: string;
  readonly type: string;
  readonly change: {
    readonly actions: readonly string[];
    readonly before: Readonly<Record<string, unknown>> | null;
    readonly after?: Readonly<Record<string, unknown>> | null;
    readonly importing?: unknown;
  };
}
export interface TerraformPlan {
  /** Terraform's own word on whether there is anything to apply; what differs by itself alone is nothing to it. */
  readonly applyable?: boolean;
  readonly resource_changes: readonly PlannedChange[];
  readonly resource_drift: readonly PlannedChange[];
}

export interface StateView {
  readonly resources: readonly string[];
  readonly outputs: Readonly<Record<string, string>>;
  /** Absent: the host is of our own making. */
  readonly legacy?: Legacy | undefined;
  /** Absent where it cannot be told. */
  readonly made?: Made | undefined;
}

export type ApplyResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly interrupted: boolean; readonly diagnostics: readonly Diagnostic[] };

/** Terraform ended with errors. */
export class EngineFailure extends Error {
  override readonly name = 'EngineFailure';
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics[0]?.summary ?? 'Terraform failed without a diagnostic');
    this.diagnostics = diagnostics;
  }
}

/** One run's Terraform. Each of its operations throws {@link EngineFailure} where Terraform itself reports errors. */
export interface Engine {
  init(): Promise<void>;
  plan(): Promise<TerraformPlan>;
  /** For a drift run, in place of the above: a full plan that takes no lock and is never applied. */
  look(): Promise<TerraformPlan>;
  /** Applies the plan made before. `progress` gets a line for each resource. */
  apply(progress: (message: string) => void): Promise<ApplyResult>;
  /** Asks the operation at work to end soon and well. The caller sees to it that Terraform hears it only once. */
  interrupt(): Promise<void>;
  state(): Promise<StateView>;
  /** After a destroy: removes the object of a state that lists nothing. */
  dropEmptyState(): Promise<void>;
  /** What named look-ups of every resource type still find, as `type/name`. */
  remaining(): Promise<readonly string[]>;
  /** True only where AWS says that the host does not exist or is terminated. */
  hostIsGone(instanceId: string): Promise<boolean>;
  /** Leaves nothing on disk. */
  close(): void;
}
