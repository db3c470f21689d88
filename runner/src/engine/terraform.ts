/** One enclave's Terraform: the real binary, supervised. */
import type { Chosen } from '../../../infra/enclave/index.ts';
import type { PlatformFacts } from '../../../infra/enclave/platform-facts.ts';
import type { Legacy } from '../../../src/enclave/items/legacy-host.ts';
import { HOST_ADDRESS } from '../../../src/enclave/names.ts';
import type { AwsClients } from '../aws/clients.ts';
import { hostIsGone, type PresentHost, presentHosts } from '../aws/hosts.ts';
import { type Found, takeInventory } from '../aws/inventory.ts';
import { exists, forgetDigest, getText, type Place, putText, remove } from '../aws/objects.ts';
import { asksForNewHost, choose, chooseForDestroy } from '../aws/placement.ts';
import type { Clock } from '../clock.ts';
import type { LockEvidence } from '../lock-evidence.ts';
import type { Log } from '../log.ts';
import { type ApplyResult, type Engine, EngineFailure, type Job, type StateView, type TerraformPlan } from './port.ts';
import { ofAnotherEnclave, toImport, writeImports } from './terraform-adoption.ts';
import { cancelled, regionMissing, unprepared, vanished } from './terraform-failures.ts';
import { openFolder, type TerraformPlace } from './terraform-folder.ts';
import { type LeftBehind, readLeftBehind } from './terraform-legacy.ts';
import { clearStaleLock } from './terraform-lock.ts';
import { readMade } from './terraform-made.ts';
import { diagnosticsOf, readLine, readOutputs, readPlan } from './terraform-output.ts';
import type { Ended, Terraform } from './terraform-process.ts';
import { saveErroredState, takeUpParkedState } from './terraform-state.ts';

/** Writes the enclave's stack below `folder` and answers where: the seam to the stack. */
export type Synthesize = (job: Job, chosen: Chosen, folder: string) => Promise<string>;

export interface TerraformParts extends TerraformPlace {
  readonly facts: PlatformFacts;
  readonly clients: AwsClients;
  readonly evidence: LockEvidence;
  readonly clock: Clock;
  readonly log: Log;
  readonly synthesize: Synthesize;
}

const PLAN_FILE = 'run.tfplan';
/** `plan -detailed-exitcode`: nothing to change, something to change. */
const PLANNED: ReadonlySet<number | null> = new Set([0, 2]);

export function terraformEngine(parts: TerraformParts, job: Job): Engine {
  const { clients, facts, log } = parts;
  const { enclaveId, variables } = job;
  const { terraformState, plans } = facts;
  const stateObject: Place = { ...terraformState, key: variables.stateKey };
  const lockObject: Place = { ...stateObject, key: `${variables.stateKey}.tflock` };
  const runObject = (name: string): Place => ({ ...plans, key: `${plans.prefix}${enclaveId}/${job.run}/${name}` });
  const parked: Place = { ...plans, key: `${plans.prefix}${enclaveId}/parked.tfstate` };
  const inventory = () => takeInventory({ clients, enclaveId, variables, facts });

  let configuration = '';
  let terraform: Terraform | undefined;
  let stopWanted = false;
  let replacesHost = false;
  let legacy: Legacy | undefined;
  let strangers: readonly string[] = [];
  let initialize = async () => {};
  let close = () => {};

  /** The command, or {@link EngineFailure}. It runs also after an interrupt: what was left must be read and saved. */
  const run = async (
    commandLine: readonly string[],
    succeeded: (ended: Ended) => boolean = ({ code }) => code === 0,
  ) => {
    if (terraform === undefined) throw new Error(`terraform ${commandLine[0]} before init`);
    const ended = await terraform.run(commandLine);
    if (succeeded(ended)) return ended;
    throw new EngineFailure(diagnosticsOf(ended.stdout, ended.stderr));
  };
  const goOn = () => {
    if (!stopWanted) return;
    throw cancelled();
  };
  const list = async () => {
    // Of a state that does not exist yet, Terraform says so and fails.
    const ended = await run(
      ['state', 'list'],
      ({ code, stderr }) => code === 0 || /No state file was found/.test(stderr),
    );
    return ended.stdout.split('\n').filter((line) => line !== '');
  };

  const prepare = async () => {
    const region = facts.regions[variables.region];
    if (region === undefined) throw regionMissing(variables.region, facts);
    const present = knownHost(
      await presentHosts(clients, enclaveId, variables.environment),
      variables.pinned.instanceId,
    );
    // Of what Terraform is told to ignore or cannot shrink, it would plan nothing by itself.
    replacesHost = job.action === 'deploy' && present !== undefined && asksForNewHost(variables, present);
    const leftBehind = readLeftBehind(await getText(clients, stateObject));
    legacy = await legacyHost(leftBehind, present);
    const placed =
      legacy !== undefined
        ? {}
        : job.action === 'destroy'
          ? await chooseForDestroy(clients, enclaveId, present)
          : await choose(clients, enclaveId, variables, region, present);
    const chosen = { ...placed, legacy, scripts: leftBehind.scripts };
    goOn();
    const folder = openFolder(parts);
    close = folder.close;
    configuration = await parts.synthesize(job, chosen, folder.path);
    terraform = folder.terraform(configuration);
    goOn();
    ({ strangers } = leftBehind);
    initialize = async () => {
      await run(['init', ...folder.initArguments], ({ code }) => code === 0 || strangers.length > 0);
    };
    await initialize();
  };

  /** The old pipeline's host stays as it is while it stands and nothing asks for a new one. Ours have the tag. */
  const legacyHost = async (leftBehind: LeftBehind, present: PresentHost | undefined) => {
    if (present !== undefined && (present.generation !== undefined || asksForNewHost(variables, present)))
      return undefined;
    const { instanceId } = leftBehind;
    const stands = present !== undefined || (instanceId !== undefined && !(await hostIsGone(clients, instanceId)));
    return stands ? (variables.pinned.legacy ?? leftBehind.legacy) : undefined;
  };

  /** `init` finds no provider for them, and yet leaves the backend ready: enough to forget them. */
  const forgetStrangers = async () => {
    if (strangers.length === 0) return;
    for (const address of strangers) {
      goOn();
      log.warn(`removing ${address} from the state: it is not an AWS resource`);
      await run(['state', 'rm', '-no-color', address]);
    }
    strangers = [];
    await initialize();
  };

  const plan = async (...more: readonly string[]) => {
    goOn();
    const kind = job.action === 'destroy' ? ['-destroy'] : replacesHost ? [`-replace=${HOST_ADDRESS}`] : [];
    await run(
      ['plan', '-json', '-input=false', '-detailed-exitcode', `-out=${PLAN_FILE}`, ...kind, ...more],
      ({ code }) => PLANNED.has(code),
    );
    goOn();
    return (await run(['show', '-json', PLAN_FILE])).stdout;
  };
  const keepPlan = (json: string) =>
    putText(clients, runObject('plan.json'), json).catch((error: unknown) =>
      log.warn(`the full plan could not be kept: ${error instanceof Error ? error.message : String(error)}`),
    );

  /**
   * What the state lists at an address, and the plan would create there, is gone: a run that replaced it was cut off
   * before it could say so. Terraform imports nothing to an address it knows.
   */
  const forgetGone = async (found: readonly Found[]) => {
    const known = new Set(await list());
    for (const { address } of found) {
      log.warn(`${address} already exists: importing it instead of creating it`);
      if (known.has(address)) await run(['state', 'rm', '-no-color', address]);
    }
  };

  const removeFromState = async (addresses: readonly string[]) => {
    for (const address of addresses) {
      log.warn(`${address} carries another enclave's tag: removing it from the state without destroying it`);
      await run(['state', 'rm', '-no-color', address]);
    }
  };

  /** What a lost state does not know of would be left behind by a destroy: it is imported first. */
  const importForDestroy = async () => {
    const known = new Set(await list());
    const missing = (await inventory()).filter(
      (found) => !known.has(found.address) && found.foreign !== true && found.dying !== true,
    );
    for (const { address, importId } of missing) {
      goOn();
      log.warn(`importing ${address} into the state in order to destroy it`);
      await run(['import', '-input=false', '-no-color', address, importId]).catch((error: unknown) => {
        if (!(error instanceof EngineFailure)) throw error;
        // What cannot be imported stays, and is reported as remaining.
        log.error(`${address} could not be imported: ${error.message}`);
      });
    }
  };

  return {
    async init() {
      await prepare();
      if (terraform === undefined) return;
      const common = { clients, log, terraform };
      await clearStaleLock({
        ...common,
        place: lockObject,
        run: job.run,
        evidence: parts.evidence,
        clock: parts.clock,
      });
      goOn();
      await forgetStrangers();
      await takeUpParkedState({ ...common, folder: configuration, parked });
      if (job.action === 'destroy') await importForDestroy();
    },

    async plan() {
      let json = await plan();
      let read = readPlan(json);
      const others = job.action === 'destroy' ? ofAnotherEnclave(read, enclaveId) : [];
      if (others.length > 0) {
        await removeFromState(others);
        json = await plan();
        read = readPlan(json);
      }
      if (job.action === 'deploy' && createsAnything(read)) {
        const found: readonly Found[] = toImport(read, await inventory(), variables.pinned.instanceId);
        if (found.length > 0) {
          await forgetGone(found);
          writeImports(configuration, found);
          json = await plan();
          read = readPlan(json);
        }
      }
      await keepPlan(json);
      // Its stack has nothing a new one could boot from; the next run knows that it is gone.
      if (legacy !== undefined && createsHost(read)) throw vanished();
      return read;
    },

    async look() {
      await prepare();
      if (strangers.length > 0) throw unprepared();
      const json = await plan('-lock=false');
      await keepPlan(json);
      return readPlan(json);
    },

    async apply(progress): Promise<ApplyResult> {
      goOn();
      if (terraform === undefined) throw new Error('apply before init');
      const ended = await terraform.run(['apply', '-json', '-input=false', PLAN_FILE], (line) => {
        const read = readLine(line);
        if (read.kind === 'progress') progress(read.message);
      });
      if (ended.code === 0) return { ok: true };
      const saved = await saveErroredState({ clients, log, terraform, folder: configuration, parked });
      const diagnostics = [...saved, ...diagnosticsOf(ended.stdout, ended.stderr)];
      return { ok: false, interrupted: stopWanted, diagnostics };
    },

    async interrupt() {
      stopWanted = true;
      terraform?.interrupt();
    },

    async state(): Promise<StateView> {
      const outputs = readOutputs((await run(['output', '-json'])).stdout);
      const resources = await list();
      // Of a host that was taken over nobody knows how it should be.
      if (legacy !== undefined) return { resources, outputs, legacy };
      // What has been applied has succeeded, whether or not it can be told.
      const made = readMade(await getText(clients, stateObject).catch(() => undefined));
      return { resources, outputs, made };
    },

    async dropEmptyState() {
      await remove(clients, stateObject);
      if (terraformState.lockTable !== undefined) await forgetDigest(clients, terraformState.lockTable, stateObject);
    },

    async remaining() {
      const ours = (await inventory()).filter(({ foreign }) => foreign !== true);
      const found = ours.map(({ type, importId }) => `${type}/${importId}`);
      for (const place of [stateObject, lockObject]) {
        if (await exists(clients, place)) found.push(`s3_object/${place.key}`);
      }
      return found;
    },

    hostIsGone: (instanceId) => hostIsGone(clients, instanceId),

    close: () => close(),
  };
}

function createsAnything(plan: TerraformPlan): boolean {
  return plan.resource_changes.some(({ change }) => change.actions.join() === 'create');
}

/** The pinned one, or the only one; what several hosts have in common is not ours to guess. */
function knownHost(hosts: readonly PresentHost[], pinnedId: string | undefined): PresentHost | undefined {
  const living = hosts.filter(({ dying }) => !dying);
  return living.find(({ instanceId }) => instanceId === pinnedId) ?? (living.length === 1 ? living[0] : undefined);
}

function createsHost(plan: TerraformPlan): boolean {
  return plan.resource_changes.some(
    ({ address, change }) => address === HOST_ADDRESS && change.actions.includes('create'),
  );
}
