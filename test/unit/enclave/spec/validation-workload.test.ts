/** Errors of the workload: image, debug mode, measurements, health, variables. */
import { describeFindings, kmsKeyArn, pc, pcr, zero } from './validation-table.ts';

describeFindings('errors', 'image', [
  {
    reason: 'repositories are lower case',
    code: 'FORMAT',
    field: 'providerConfig.dockerImage',
    bad: pc({ dockerImage: 'Nginx' }),
    good: pc({ dockerImage: 'nginx' }),
  },
  {
    reason: 'no image name',
    code: 'FORMAT',
    field: 'providerConfig.dockerImage',
    bad: pc({ dockerImage: 'nginx:$(id)' }),
    good: pc({ dockerImage: 'nginx:1.27' }),
  },
  {
    reason: 'a digest is 64 digits',
    code: 'FORMAT',
    field: 'providerConfig.dockerImage',
    bad: pc({ dockerImage: 'nginx@sha256:abc' }),
    good: pc({ dockerImage: `nginx@sha256:${'a'.repeat(64)}` }),
  },
  {
    reason: 'registries have ports',
    code: 'FORMAT',
    field: 'providerConfig.dockerImage',
    bad: pc({ dockerImage: 'host:port/app:1' }),
    good: pc({ dockerImage: 'host:5000/app:1' }),
  },
  {
    reason: 'an image file has a checksum',
    code: 'REQUIRED',
    field: 'providerConfig.eif.sha256',
    bad: pc({ eif: { uri: 's3://images/app.eif' } }),
    good: pc({ eif: { uri: 's3://images/app.eif', sha256: 'a'.repeat(64) } }),
  },
]);

describeFindings('errors', 'debug', [
  {
    reason: 'KMS sees zeros',
    code: 'DEBUG_WITH_KMS',
    field: 'providerConfig.enableDebug',
    bad: pc({ enableDebug: true, attestation: { kmsKeyArn } }),
    good: pc({ enableDebug: false, attestation: { kmsKeyArn } }),
    says: 'attests zeros',
  },
  {
    reason: 'zeros can never be what is enforced',
    code: 'DEBUG_WITH_KMS',
    field: 'providerConfig.enableDebug',
    bad: pc({ enableDebug: true, attestation: { enforce: 'quarantine' } }),
    good: pc({ enableDebug: true }),
  },
  {
    reason: 'production is not for debugging',
    code: 'DEBUG_IN_PRODUCTION',
    field: 'providerConfig.enableDebug',
    bad: pc({ enableDebug: true }),
    good: pc({ enableDebug: false }),
    environment: 'prod',
  },
]);

describeFindings('errors', 'measurements', [
  {
    reason: 'SHA-384 has 96 digits',
    code: 'PCR_FORMAT',
    field: 'providerConfig.attestation.expectedMeasurements[0].pcr0',
    bad: pc({ attestation: { expectedMeasurements: [{ pcr0: 'abc' }] } }),
    good: pc({ attestation: { expectedMeasurements: [{ pcr0: pcr }] } }),
  },
  {
    reason: 'longer is as wrong as shorter',
    code: 'PCR_FORMAT',
    field: 'providerConfig.attestation.expectedMeasurements[0].pcr8',
    bad: pc({ attestation: { expectedMeasurements: [{ pcr8: `${pcr}a` }] } }),
    good: pc({ attestation: { expectedMeasurements: [{ pcr8: pcr }] } }),
  },
  {
    reason: 'zeros admit debug enclaves',
    code: 'PCR_ALL_ZERO',
    field: 'providerConfig.attestation.expectedMeasurements[1].pcr0',
    bad: pc({ attestation: { expectedMeasurements: [{ pcr0: pcr }, { pcr0: zero }] } }),
    good: pc({ attestation: { expectedMeasurements: [{ pcr0: pcr }] } }),
  },
  {
    reason: 'a set of nothing matches everything',
    code: 'FORMAT',
    field: 'providerConfig.attestation.expectedMeasurements[0]',
    bad: pc({ attestation: { expectedMeasurements: [{}] } }),
    good: pc({ attestation: { expectedMeasurements: [] } }),
  },
  {
    reason: 'at most four sets',
    code: 'RANGE',
    field: 'providerConfig.attestation.expectedMeasurements',
    bad: pc({ attestation: { expectedMeasurements: Array(5).fill({ pcr0: pcr }) } }),
    good: pc({ attestation: { expectedMeasurements: Array(4).fill({ pcr0: pcr }) } }),
  },
  {
    reason: 'a replaced host has another id',
    code: 'PCR4_BINDING',
    field: 'providerConfig.attestation.bindPcr4',
    bad: pc({ attestation: { bindPcr4: true } }),
    good: pc({ attestation: { bindPcr3: true } }),
  },
  {
    reason: 'the same, as a measurement',
    code: 'PCR4_BINDING',
    field: 'providerConfig.attestation.expectedMeasurements[0].pcr4',
    bad: pc({ attestation: { expectedMeasurements: [{ pcr0: pcr, pcr4: pcr }] } }),
    good: pc({ attestation: { expectedMeasurements: [{ pcr0: pcr }] } }),
  },
]);

describeFindings('errors', 'health', [
  {
    reason: 'too often',
    code: 'HEALTH_INTERVAL',
    field: 'providerConfig.healthCheckInterval',
    bad: pc({ healthCheckInterval: 1 }),
    good: pc({ healthCheckInterval: 5 }),
  },
  {
    reason: 'too rarely',
    code: 'HEALTH_INTERVAL',
    field: 'providerConfig.healthCheckInterval',
    bad: pc({ healthCheckInterval: '301' }),
    good: pc({ healthCheckInterval: '300' }),
  },
  {
    reason: 'the next check begins before this one ends',
    code: 'HEALTH_TIMEOUT',
    field: 'providerConfig.healthCheck.timeoutSeconds',
    bad: pc({ healthCheckInterval: 10, healthCheck: { timeoutSeconds: 10 } }),
    good: pc({ healthCheckInterval: 10, healthCheck: { timeoutSeconds: 9 } }),
  },
  {
    reason: 'paths are absolute',
    code: 'HEALTH_PATH',
    field: 'providerConfig.healthCheckPath',
    bad: pc({ healthCheckPath: 'health' }),
    good: pc({ healthCheckPath: '/health' }),
  },
  {
    reason: 'paths have no spaces',
    code: 'HEALTH_PATH',
    field: 'providerConfig.healthCheckPath',
    bad: pc({ healthCheckPath: '/a b' }),
    good: pc({ healthCheckPath: '/a%20b' }),
  },
  {
    reason: 'paths end',
    code: 'HEALTH_PATH',
    field: 'providerConfig.healthCheckPath',
    bad: pc({ healthCheckPath: `/${'a'.repeat(256)}` }),
    good: pc({ healthCheckPath: `/${'a'.repeat(255)}` }),
  },
  {
    reason: 'it would never be done',
    code: 'BATCH_RESTART_ALWAYS',
    field: 'providerConfig.restartPolicy',
    bad: pc({ workloadType: 'batch', restartPolicy: 'Always' }),
    good: pc({ workloadType: 'batch', restartPolicy: 'OnFailure' }),
  },
]);

describeFindings('errors', 'environment', [
  {
    reason: 'no process can receive NUL',
    code: 'ENV_UNSAFE',
    field: 'providerConfig.environmentVariables.A',
    bad: pc({ environmentVariables: { A: 'x\0y' } }),
    good: pc({ environmentVariables: { A: '$(x)\n`y` ${z} %{w}' } }),
  },
  {
    reason: 'no name of a variable',
    code: 'FORMAT',
    field: 'providerConfig.environmentVariables.a',
    bad: pc({ environmentVariables: { a: '1' } }),
    good: pc({ environmentVariables: { A: '1' } }),
  },
  {
    reason: '8 KiB in all',
    code: 'RANGE',
    field: 'providerConfig.environmentVariables',
    bad: pc({ environmentVariables: { A: 'x'.repeat(8_192) } }),
    good: pc({ environmentVariables: { A: 'x'.repeat(8_191) } }),
  },
  {
    reason: 'bytes, not characters',
    code: 'RANGE',
    field: 'providerConfig.environmentVariables',
    bad: pc({ environmentVariables: { A: 'é'.repeat(4_096) } }),
    good: pc({ environmentVariables: { A: 'é'.repeat(4_095) } }),
  },
  {
    reason: 'a secret has one source',
    code: 'FORMAT',
    field: 'providerConfig.secrets[0]',
    bad: pc({ secrets: [{ name: 'K' }] }),
    good: pc({ secrets: [{ name: 'K', kmsCiphertextUri: 's3://bucket/key' }] }),
  },
  {
    reason: 'a variable has one value',
    code: 'FORMAT',
    field: 'providerConfig.secrets',
    bad: pc({ environmentVariables: { K: '1' }, secrets: [{ name: 'K', kmsCiphertextUri: 's3://bucket/key' }] }),
    good: pc({ environmentVariables: { L: '1' }, secrets: [{ name: 'K', kmsCiphertextUri: 's3://bucket/key' }] }),
  },
]);
