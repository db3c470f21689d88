/** Checks of the workload: image, debug mode, health, ports, variables, measurements. */

import { isGiven, isPlainMap, type JsonMap } from '../json.ts';
import { splitImageReference } from './image-reference.ts';
import { at, error, type Findings, warn } from './issues.ts';
import type { Draft } from './types.ts';

const MOST_ENV_BYTES = 8_192;
const SECRET_NAME = /SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE_KEY|API_KEY/;

const path = (key: string) => `providerConfig.${key}`;

/** Debug enclaves can be read by their host: refused where the environment bears this name. */
export function isProduction(environment: string): boolean {
  return /^prod(uction)?$/i.test(environment);
}

/** `given` is `providerConfig` as written: it tells what is there by default only. */
export function checkWorkload(draft: Draft, given: JsonMap, environment: string, to: Findings): void {
  checkImage(draft, given, to);
  checkDebug(draft, environment, to);
  checkKind(draft, given, to);
  checkHealth(draft, to);
  checkVariables(draft, to);
  checkSecrets(draft, to);
  checkBindings(given, to);
}

function checkImage({ dockerImage, eif }: Draft, given: JsonMap, to: Findings): void {
  const field = path('dockerImage');
  if (eif !== undefined) {
    if (typeof given.dockerImage !== 'string' || given.dockerImage === '') return;
    const message = `${field} is not used: providerConfig.eif names the image`;
    warn(to, field, 'IMAGE_IGNORED_WARN', message, 'Remove one of them.');
    return;
  }
  if (dockerImage === undefined) {
    // What is given and cannot be read has its own finding.
    if (isGiven(given.dockerImage) || to.errors.some((issue) => issue.field === 'providerConfig')) return;
    const message = `${field} is missing: the record names no image`;
    error(
      to,
      field,
      'REQUIRED',
      message,
      `Set ${field} to an image reference, or providerConfig.eif to an image file.`,
    );
    return;
  }
  const { repository, tag, digest } = splitImageReference(dockerImage);
  if (digest !== undefined) return;
  const fix = `Name it by digest: ${repository}@sha256:….`;
  if (tag === undefined) {
    warn(to, field, 'IMAGE_NO_TAG', `${dockerImage} has no tag; it is whatever latest is`, fix);
  } else if (tag === 'latest') {
    warn(to, field, 'IMAGE_LATEST_WARN', `${dockerImage} moves; measurements change without a change here`, fix);
  } else {
    warn(to, field, 'IMAGE_NO_DIGEST_WARN', `the tag ${tag} can be moved to another image; a digest cannot`, fix);
  }
}

function checkDebug({ enableDebug, attestation }: Draft, environment: string, to: Findings): void {
  if (enableDebug !== true) return;
  const field = path('enableDebug');
  const fix = `Set ${field} to false.`;
  if (attestation?.kmsKeyArn !== undefined || attestation?.enforce === 'quarantine') {
    const what =
      attestation.kmsKeyArn === undefined ? 'attestation.enforce is quarantine' : 'attestation names a KMS key';
    const message = `a debug enclave attests zeros, and ${what}: KMS denies it, or a policy of zeros admits anyone`;
    error(to, field, 'DEBUG_WITH_KMS', message, fix);
  }
  if (isProduction(environment)) {
    const message = `a debug enclave can be read by its host; the environment is ${environment}`;
    error(to, field, 'DEBUG_IN_PRODUCTION', message, fix);
  } else {
    const message = 'a debug enclave can be read by its host, and its attested measurements are zero';
    warn(to, field, 'DEBUG_WARN', message, `${fix.slice(0, -1)} for anything that matters.`);
  }
}

function checkKind(draft: Draft, given: JsonMap, to: Findings): void {
  const { workloadType, restartPolicy, exposePorts, healthCheck } = draft;
  const kind = path('workloadType');
  if (given.workloadType === undefined || given.workloadType === null) {
    const fix = `Set ${kind} to service, daemon or batch.`;
    warn(to, kind, 'WORKLOAD_TYPE_WARN', `${kind} is missing, read as service`, fix);
  }
  if (workloadType === 'batch') {
    if (given.healthCheckPath !== undefined || given.healthCheck !== undefined) {
      const field = given.healthCheckPath === undefined ? path('healthCheck') : path('healthCheckPath');
      warn(to, field, 'BATCH_WITH_HEALTH_WARN', `${field} is not used: a batch completes`, 'Remove it.');
    }
    if (restartPolicy === 'Always') {
      const field = path('restartPolicy');
      const message = 'a batch that completed would be started again for ever';
      error(to, field, 'BATCH_RESTART_ALWAYS', message, `Set ${field} to OnFailure or Never.`);
    }
  }
  const field = path('exposePorts');
  const mistaken = to.errors.some((issue) => issue.field.startsWith(field));
  if (workloadType === 'service' && exposePorts?.length === 0 && healthCheck?.port === undefined && !mistaken) {
    const message = 'nothing of the service can be probed; its health stays Unknown';
    warn(to, field, 'SERVICE_NO_PORT_WARN', message, `List its port in ${field}, or say daemon.`);
  }
}

function checkHealth({ healthCheck, healthCheckInterval }: Draft, to: Findings): void {
  if (healthCheck === undefined || healthCheckInterval === undefined) return;
  if (healthCheck.timeoutSeconds < healthCheckInterval) return;
  const field = path('healthCheck.timeoutSeconds');
  const message = `${field} is ${healthCheck.timeoutSeconds}; the next check begins after ${healthCheckInterval} s`;
  error(to, field, 'HEALTH_TIMEOUT', message, `Set it below ${healthCheckInterval}.`);
}

function checkVariables({ environmentVariables }: Draft, to: Findings): void {
  if (environmentVariables === undefined) return;
  const field = path('environmentVariables');
  let bytes = 0;
  for (const [name, value] of Object.entries(environmentVariables)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
    if (SECRET_NAME.test(name)) {
      const message = `${at(field, name)} looks like a secret; variables are stored in clear`;
      warn(to, at(field, name), 'SECRET_IN_ENV_WARN', message, 'Move it to providerConfig.secrets.');
    }
  }
  if (bytes > MOST_ENV_BYTES) {
    const message = `${field} holds ${bytes} bytes; at most ${MOST_ENV_BYTES}`;
    error(to, field, 'RANGE', message, 'Let the workload fetch large values itself.');
  }
}

function checkSecrets({ secrets, environmentVariables }: Draft, to: Findings): void {
  const names = new Set(Object.keys(environmentVariables ?? {}));
  for (const { name } of secrets ?? []) {
    if (names.has(name)) {
      error(to, path('secrets'), 'FORMAT', `the variable ${name} is set twice`, 'Keep one of them.');
    }
    names.add(name);
  }
}

function checkBindings(given: JsonMap, to: Findings): void {
  for (const where of pcr4Bindings(given)) {
    const message = 'PCR4 is the id of the host; it changes whenever the host is replaced';
    error(to, where, 'PCR4_BINDING', message, "Bind to the host's role (PCR3) instead.");
  }
}

/** PCR4 is no field of the schema, so it is looked for in what was written. */
function pcr4Bindings(given: JsonMap): string[] {
  const attestation = given.attestation;
  if (!isPlainMap(attestation)) return [];
  const sets = Array.isArray(attestation.expectedMeasurements) ? attestation.expectedMeasurements : [];
  const found = sets.flatMap((set, index) =>
    isPlainMap(set) && set.pcr4 !== undefined ? [path(`attestation.expectedMeasurements[${index}].pcr4`)] : [],
  );
  return attestation.bindPcr4 === true ? [...found, path('attestation.bindPcr4')] : found;
}
