/** A deployment and a later plan by real Terraform, on the emulator. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { synthesizeEnclave } from '../../infra/enclave/index.ts';
import { makePlatform } from '../support/emulated-platform.ts';
import { startEmulator, toolsMissing } from '../support/emulator.ts';
import { optionsOf, specOf } from '../support/enclave-stack.ts';
import { doings, terraformIn } from '../support/terraform.ts';
import type { Figures, Keep } from './measurement.ts';
import { Skipped } from './skipped.ts';
import { rounded } from './statistics.ts';

export async function benchTerraform(keep: Keep): Promise<Figures> {
  const missing = toolsMissing();
  if (missing.length > 0) throw new Skipped(missing.join(' '));
  const emulator = await startEmulator();
  const folder = mkdtempSync(join(tmpdir(), 'enclave-bench-terraform-'));
  try {
    const { facts, ...chosen } = makePlatform(emulator);
    let oursMs = 0;
    const began = performance.now();
    const ours = <T>(work: () => T): T => {
      const start = performance.now();
      const result = work();
      oursMs += performance.now() - start;
      return result;
    };
    const options = optionsOf(specOf(), { facts, chosen, emulatorUrl: emulator.url });
    const terraform = terraformIn(
      ours(() => synthesizeEnclave(options, folder)),
      emulator,
    );
    terraform.init();
    terraform.plan();
    terraform.apply();
    const deployMs = performance.now() - began;
    const deployOursMs = oursMs;
    keep({
      terraform_deploy_seconds: rounded(deployMs / 1_000, 1),
      terraform_deploy_ours_percent: rounded((100 * deployOursMs) / deployMs, 2),
    });

    ours(() => synthesizeEnclave(options, folder));
    const plan = terraform.plan();
    if (ours(() => doings(plan)).length > 0) throw new Error('the second plan is not empty');
    const planMs = performance.now() - began - deployMs;
    return keep({
      terraform_plan_seconds: rounded(planMs / 1_000, 1),
      terraform_plan_ours_percent: rounded((100 * (oursMs - deployOursMs)) / planMs, 2),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await emulator.stop();
  }
}
