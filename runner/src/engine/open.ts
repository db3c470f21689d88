/** Terraform engines of one process, with the clients they share. Loaded only where Terraform is the engine. */

import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ECSClient } from '@aws-sdk/client-ecs';
import { synthesizeEnclave } from '../../../infra/enclave/index.ts';
import { awsClients } from '../aws/clients.ts';
import type { Clock } from '../clock.ts';
import type { EngineSettings, Settings } from '../environment.ts';
import { createLockEvidence } from '../lock-evidence.ts';
import type { Log } from '../log.ts';
import type { Engine, Job } from './port.ts';
import { terraformEngine } from './terraform.ts';

export interface OpenOptions {
  readonly settings: Settings;
  readonly terraform: Extract<EngineSettings, { kind: 'terraform' }>;
  readonly dynamodb: DynamoDBClient;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function openTerraform(options: OpenOptions): (job: Job, log: Log) => Engine {
  const { settings, dynamodb, clock, environment } = options;
  const { facts, workFolder, lockFile, emulatorUrl } = options.terraform;
  const ecs = new ECSClient({ region: settings.region });
  return (job, log) =>
    terraformEngine(
      {
        binary: 'terraform',
        workFolder,
        lockFile,
        environment,
        facts,
        clients: awsClients(job.variables.region, { pathStyle: emulatorUrl !== undefined }),
        evidence: createLockEvidence({
          dynamodb,
          ecs,
          historyTable: settings.historyTable,
          enclaveId: job.enclaveId,
        }),
        clock,
        log,
        synthesize: async ({ enclaveId, variables }, chosen, folder) =>
          synthesizeEnclave({ enclaveId, variables, facts, chosen, emulatorUrl }, folder),
      },
      job,
    );
}
