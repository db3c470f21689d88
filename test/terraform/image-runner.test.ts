/** The runner as its image has it: its staged layer, Terraform held by the shipped lock file, nothing else in reach. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stageLayer } from '../../scripts/image-layers.ts';
import { type App, startApp } from '../support/app.ts';

import { printLogsOnFailure } from '../support/embedded.ts';
import { type Emulator, requireTools, startEmulator } from '../support/emulator.ts';
import { awsOn } from '../support/terraform.ts';

const ID = 'enc_image';
const PATIENCE_MS = 300_000;
const isX64Linux = process.platform === 'linux' && process.arch === 'x64';
const reason = isX64Linux ? '' : ' (skipped: the image is for Linux on x64)';

describe.skipIf(!isX64Linux || !requireTools("the image's runner"))(
  `the image's runner${reason}`,
  {
    timeout: 400_000,
  },
  () => {
    let layer: string;
    let emulator: Emulator;
    let app: App;
    beforeAll(async () => {
      layer = mkdtempSync(join(tmpdir(), 'enclave-image-runner-'));
      await stageLayer('runner', layer);
      emulator = await startEmulator();
      app = await startApp({
        awsEndpoint: emulator.url,
        aws: {
          taskProgram: join(layer, 'dist/main.js'),
          taskEnvironment: {
            TF_CLI_CONFIG_FILE: emulator.env.TF_CLI_CONFIG_FILE ?? '',
            TERRAFORM_LOCK_FILE: join(layer, 'runner/terraform/.terraform.lock.hcl'),
          },
        },
      });
    });
    afterAll(async () => {
      await app?.embedded.stop();
      await emulator?.stop();
      rmSync(layer, { recursive: true, force: true });
    });
    beforeEach(() => printLogsOnFailure(app.embedded));

    it('makes a host', async () => {
      const describeHosts = ['ec2', 'describe-instances', '--filters', `Name=tag:EnclaveId,Values=${ID}`];
      await app.post(ID);
      const made = await app.untilItem(ID, 'verifying', (item) => item.operator?.phase === 'verifying', PATIENCE_MS);
      const { Reservations } = awsOn(emulator)(...describeHosts);
      expect(Reservations[0].Instances[0]).toMatchObject({ InstanceId: made.instance_id, State: { Name: 'running' } });
      await app.patch(ID, 'PENDING_DESTROY');
      await app.untilItem(ID, 'DESTROYED', (item) => item.status === 'DESTROYED', PATIENCE_MS);
    });
  },
);
