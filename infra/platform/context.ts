/** What every part of the platform stack is built from. */
import type { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js';
import type { TerraformStack } from 'cdktf';
import type { PlacedConfig } from './config.ts';
import type { Names } from './names.ts';
import type { Statement } from './policy.ts';

/** The bundle hosts install, as `infra/host` makes it; its key names its digest, so it is never overwritten. */
export interface AgentBundle {
  readonly key: string;
  readonly sha256: string;
  readonly version: string;
}

export interface Platform {
  readonly stack: TerraformStack;
  readonly config: PlacedConfig;
  readonly names: Names;
  readonly agent: AgentBundle;
  /** True: AWS is an emulator, which speaks plain HTTP and serves buckets by path. */
  readonly emulated: boolean;
  /** Of each region; undefined: the stack's default provider, the platform's own region. */
  provider(region: string): { readonly provider?: AwsProvider };
  /** Every policy of this stack by its Terraform address, for review. */
  readonly policies: Map<string, readonly Statement[]>;
}

/** Ids of what each region has: the home region's are plain, so that addresses stay short. */
export function idIn({ config }: Platform, region: string, id: string): string {
  return region === config.region ? id : `${id}-${region}`;
}
