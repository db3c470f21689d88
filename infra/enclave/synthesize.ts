/** One enclave's Terraform working folder, from what a run was given. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunVariables } from '../../src/enclave/items/run.ts';
import type { EnclaveSpec } from '../../src/enclave/spec/types.ts';
import { App, S3Backend, TerraformStack } from './cdk.ts';
import { addLegacy, keepScripts } from './legacy-stack.ts';
import { placeOf } from './place.ts';
import type { PlatformFacts } from './platform-facts.ts';
import { PROVIDER_VERSION } from './provider-mirror.ts';
import { addProvider, addResources, type Structure } from './stack.ts';
import { type Chosen, declareVariables, type Values, valuesOf } from './values.ts';

export interface EnclaveStackOptions {
  readonly enclaveId: string;
  /** As the run recorded them. Without a spec the stack is empty: a destroy needs nothing else, and nothing chosen. */
  readonly variables: RunVariables;
  readonly facts: PlatformFacts;
  readonly chosen: Chosen;
  /** Address of an emulator, which then stands for every AWS service. */
  readonly emulatorUrl?: string | undefined;
}

/** What a host keeps whatever a plan would make of it. */
const KEPT = ['ami', 'user_data'];

/** Terraform takes no variables in a backend, so these characters alone may stand in one. */
const STATE_KEY = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;

/**
 * Writes `cdk.tf.json` and `terraform.tfvars.json`; returns their folder, below `outDir`.
 *
 * Guarantees: text of the record stands in `terraform.tfvars.json` alone, where Terraform takes it as it is; equal
 * options give equal files. Errors: what is missing or malformed, named, before anything is written.
 */
export function synthesizeEnclave(options: EnclaveStackOptions, outDir: string): string {
  const { variables, facts, emulatorUrl } = options;
  // Written by the operator from a spec it had parsed, so it is one.
  const spec = variables.spec as EnclaveSpec | undefined;
  const values = valuesIn(spec, options);

  const app = new App({ outdir: outDir, stackTraces: false, context: { excludeStackIdFromLogicalIds: 'true' } });
  const stack = new TerraformStack(app, 'enclave');
  stack.addOverride('terraform.required_version', '>= 1.11');
  addBackend(stack, variables.stateKey, facts, emulatorUrl);
  addProvider(stack, emulatorUrl);
  stack.addOverride('terraform.required_providers.aws.version', `= ${PROVIDER_VERSION}`);
  declareVariables(stack, values);
  if (values.legacy !== undefined) addLegacy(stack, values.legacy);
  else if (spec !== undefined) addResources(stack, structureOf(spec, variables, values));
  if (values.scripts !== undefined) keepScripts(stack, values.scripts);
  app.synth();

  const folder = join(outDir, 'stacks', 'enclave');
  writeFileSync(join(folder, 'terraform.tfvars.json'), `${JSON.stringify(values, undefined, 2)}\n`, { mode: 0o600 });
  return folder;
}

/** A host that was taken over needs neither spec nor platform: it stays as its state says. */
function valuesIn(
  spec: EnclaveSpec | undefined,
  options: EnclaveStackOptions,
): Partial<Values> & Pick<Values, 'region'> {
  const { enclaveId, variables, facts, chosen } = options;
  const { region } = variables;
  if (chosen.legacy !== undefined) {
    const { legacy, scripts } = chosen;
    return { region, tags: legacy.tags, legacy, ...(scripts === undefined ? {} : { scripts }) };
  }
  if (spec === undefined) return { region, tags: {} };
  return valuesOf(spec, variables, placeOf(enclaveId, variables, facts), chosen);
}

function structureOf(spec: EnclaveSpec, { change }: RunVariables, values: Partial<Values>): Structure {
  return { ownKey: values.key !== undefined, hostKeeps: kept(spec, change) };
}

function kept(spec: EnclaveSpec, change: unknown): readonly string[] {
  // The new host gets the image and the subnet that were chosen for it.
  if (change === 'replace') return ['user_data'];
  // The platform's choice of a subnet moves no host; the spec's does.
  return spec.host.subnetId === undefined ? [...KEPT, 'subnet_id'] : KEPT;
}

function addBackend(stack: TerraformStack, key: string, facts: PlatformFacts, emulatorUrl: string | undefined): void {
  if (!STATE_KEY.test(key)) throw new Error(`stateKey is ${JSON.stringify(key)}: it must match ${STATE_KEY}`);
  const { bucket, region, kmsKeyArn, lockTable } = facts.terraformState;
  new S3Backend(stack, {
    bucket,
    key,
    region,
    encrypt: true,
    ...(kmsKeyArn === undefined ? {} : { kmsKeyId: kmsKeyArn }),
    // Beside the lock file, while the pipeline that knows only the table is still in use.
    ...(lockTable === undefined ? {} : { dynamodbTable: lockTable }),
    ...(emulatorUrl === undefined
      ? {}
      : {
          endpoints: { s3: emulatorUrl, dynamodb: emulatorUrl, sts: emulatorUrl, iam: emulatorUrl },
          usePathStyle: true,
        }),
  });
  stack.addOverride('terraform.backend.s3.use_lockfile', true);
}
