/** Every validation code, in both directions, with its reason. */
import { describe, expect, it } from 'vitest';
import type { IssueCode } from '../../src/enclave/spec.ts';
import { appRecord, codes, findings, record, specOf } from './spec-records.ts';

interface Row {
  readonly reason: string;
  readonly code: IssueCode;
  readonly field: string;
  readonly bad: Record<string, unknown>;
  /** The nearest record that has not the finding. */
  readonly good: Record<string, unknown>;
  /** Part of the message or the fix. */
  readonly says?: string;
  readonly environment?: string;
}

const pc = (config: object) => record(config);
const zero = '0'.repeat(96);
const pcr = 'ab'.repeat(48);
const kmsKeyArn = 'arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab';
const ports = (count: number) => Array.from({ length: count }, (_, index) => 9_000 + index);
const cidrs = (count: number) => Array.from({ length: count }, (_, index) => `10.${index}.0.0/16`);

const ERRORS: readonly Row[] = [
  // instance type
  {
    reason: 'its one core is the one the host keeps',
    code: 'INSTANCE_NO_ENCLAVES',
    field: 'providerConfig.instanceType',
    bad: pc({ instanceType: 'm6i.large' }),
    good: pc({ instanceType: 'm6i.xlarge' }),
    says: 'm6i.large cannot host an enclave: it has 2 vCPU on 1 core, which the host keeps; the smallest type that fits is m6i.xlarge',
  },
  {
    reason: 'no size of the family can',
    code: 'INSTANCE_NO_ENCLAVES',
    field: 'providerConfig.instanceType',
    bad: pc({ instanceType: 't3.medium' }),
    good: pc({ instanceType: 'm6i.xlarge' }),
    says: 'no size of t3 supports enclaves',
  },
  {
    reason: 'flex families cannot, whatever their size',
    code: 'INSTANCE_NO_ENCLAVES',
    field: 'providerConfig.instanceType',
    bad: pc({ instanceType: 'c7i-flex.large' }),
    good: pc({ instanceType: 'c7i.xlarge' }),
    says: 'no size of c7i-flex',
  },
  {
    reason: 'bare metal has no hypervisor to divide it',
    code: 'INSTANCE_NO_ENCLAVES',
    field: 'providerConfig.instanceType',
    bad: pc({ instanceType: 'm5.metal' }),
    good: pc({ instanceType: 'm5.xlarge' }),
    says: 'bare metal',
  },
  {
    reason: 'the incumbent offers m5.large, which cannot',
    code: 'INSTANCE_NO_ENCLAVES',
    field: 'providerConfig.instanceType',
    bad: pc({ instanceType: 'm5.large' }),
    good: pc({ instanceType: 'm5.xlarge' }),
  },
  {
    reason: 'the incumbent offers c6i.large, which cannot',
    code: 'INSTANCE_NO_ENCLAVES',
    field: 'providerConfig.instanceType',
    bad: pc({ instanceType: 'c6i.large' }),
    good: pc({ instanceType: 'c6i.xlarge' }),
    says: 'c6i.xlarge',
  },
  {
    reason: 'a Graviton of one core',
    code: 'INSTANCE_NO_ENCLAVES',
    field: 'providerConfig.instanceType',
    bad: pc({ instanceType: 'c6g.medium' }),
    good: pc({ instanceType: 'c6g.large' }),
    says: 'c6g.xlarge',
  },
  {
    reason: 'two vCPU are enough without multithreading, but not on every family',
    code: 'INSTANCE_NO_ENCLAVES',
    field: 'providerConfig.instanceType',
    bad: pc({ instanceType: 'm7a.large' }),
    good: pc({ instanceType: 'm8a.large' }),
  },
  {
    reason: 'the region does not offer it',
    code: 'INSTANCE_NOT_IN_REGION',
    field: 'providerConfig.instanceType',
    bad: record({ instanceType: 'm8a.xlarge' }, { region: 'me-south-1' }),
    good: record({ instanceType: 'm6i.xlarge' }, { region: 'me-south-1' }),
    says: 'me-south-1 does not offer m8a.xlarge, as of 2026-',
  },
  // processors
  {
    reason: 'the host keeps a core',
    code: 'CPU_TOO_MANY',
    field: 'providerConfig.cpuCount',
    bad: pc({ cpuCount: 4 }),
    good: pc({ cpuCount: 2 }),
    says: 'm6i.xlarge has 4 vCPU on 2 cores; the host keeps one core, so at most 2; smallest that fits 4: m6i.2xlarge',
  },
  {
    reason: 'the incumbent takes 16 vCPU on a host of 4',
    code: 'CPU_TOO_MANY',
    field: 'providerConfig.cpuCount',
    bad: pc({ cpuCount: '16' }),
    good: pc({ cpuCount: '16', instanceType: 'm6i.8xlarge' }),
    says: 'm6i.8xlarge',
  },
  {
    reason: 'more than any host has',
    code: 'CPU_TOO_MANY',
    field: 'providerConfig.cpuCount',
    bad: pc({ cpuCount: 5_000 }),
    good: pc({}),
  },
  {
    reason: 'half a core',
    code: 'CPU_NOT_WHOLE_CORES',
    field: 'providerConfig.cpuCount',
    bad: pc({ cpuCount: 3, instanceType: 'm6i.2xlarge' }),
    good: pc({ cpuCount: 3, instanceType: 'm7a.xlarge' }),
    says: 'multiples of 2 (E22)',
  },
  {
    reason: 'no core at all',
    code: 'CPU_TOO_FEW',
    field: 'providerConfig.cpuCount',
    bad: pc({ cpuCount: 0 }),
    good: pc({ cpuCount: 2 }),
  },
  {
    reason: 'half a core of a host with multithreading',
    code: 'CPU_TOO_FEW',
    field: 'providerConfig.cpuCount',
    bad: pc({ cpuCount: 1 }),
    good: pc({ cpuCount: 1, instanceType: 'm6g.large' }),
    says: 'one core of m6i.xlarge is 2 vCPU',
  },
  // memory
  {
    reason: "the kernel's floor",
    code: 'MEM_TOO_SMALL',
    field: 'providerConfig.memoryMiB',
    bad: pc({ memoryMiB: 63 }),
    good: pc({ memoryMiB: 64 }),
  },
  {
    reason: 'the whole memory of the host, as the incumbent takes it',
    code: 'MEM_TOO_LARGE',
    field: 'providerConfig.memoryMiB',
    bad: pc({ memoryMiB: '16384', instanceType: 'c6i.xlarge' }),
    good: pc({ memoryMiB: '4096', instanceType: 'c6i.xlarge' }),
    says: 'so at most 7168 (E27)',
  },
  {
    reason: 'a tenth of a large host',
    code: 'MEM_TOO_LARGE',
    field: 'providerConfig.memoryMiB',
    bad: pc({ memoryMiB: 118_785, instanceType: 'm6i.8xlarge' }),
    good: pc({ memoryMiB: 117_760, instanceType: 'm6i.8xlarge' }),
  },
  // image
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
  // debug
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
  // measurements
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
  // ports
  {
    reason: 'ports begin at 1',
    code: 'PORT_RANGE',
    field: 'providerConfig.exposePorts[0]',
    bad: pc({ exposePorts: [0] }),
    good: pc({ exposePorts: [1] }),
  },
  {
    reason: 'ports end at 65535',
    code: 'PORT_RANGE',
    field: 'providerConfig.exposePorts[1]',
    bad: pc({ exposePorts: '80,70000' }),
    good: pc({ exposePorts: '80,65535' }),
  },
  {
    reason: 'one port, one listener',
    code: 'PORT_DUP',
    field: 'providerConfig.exposePorts',
    bad: pc({ exposePorts: [443, 80, 443] }),
    good: pc({ exposePorts: [443, 80] }),
  },
  {
    reason: 'sshd',
    code: 'PORT_RESERVED',
    field: 'providerConfig.exposePorts',
    bad: pc({ exposePorts: [22] }),
    good: pc({ exposePorts: [23] }),
  },
  {
    reason: 'vsock-proxy, where there is one',
    code: 'PORT_RESERVED',
    field: 'providerConfig.exposePorts',
    bad: pc({ exposePorts: [8_000] }),
    good: pc({ exposePorts: [8_000], awsServices: [] }),
  },
  {
    reason: 'too many ports',
    code: 'RANGE',
    field: 'providerConfig.exposePorts',
    bad: pc({ exposePorts: ports(33) }),
    good: pc({ exposePorts: ports(32) }),
  },
  {
    reason: 'EC2 takes 60 rules a group',
    code: 'RANGE',
    field: 'providerConfig.ingressCidrs',
    bad: pc({ exposePorts: ports(7), ingressCidrs: cidrs(9) }),
    good: pc({ exposePorts: ports(6), ingressCidrs: cidrs(10) }),
    says: '63 rules',
  },
  // health
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
  // network
  {
    reason: 'every host of the world',
    code: 'EGRESS_WILDCARD',
    field: 'providerConfig.egress.allow',
    bad: pc({ egress: { allow: ['*:443'] } }),
    good: pc({ egress: { allow: ['*:443'], unsafeAllowAll: true } }),
  },
  {
    reason: 'not a host',
    code: 'FORMAT',
    field: 'providerConfig.egress.allow[0]',
    bad: pc({ egress: { allow: ['https://x.org/'] } }),
    good: pc({ egress: { allow: ['*.x.org:443'] } }),
  },
  {
    reason: 'no such port',
    code: 'PORT_RANGE',
    field: 'providerConfig.egress.allow',
    bad: pc({ egress: { allow: ['x.org:70000'] } }),
    good: pc({ egress: { allow: ['x.org:7000'] } }),
  },
  {
    reason: 'everybody, in production',
    code: 'CIDR_OPEN',
    field: 'providerConfig.ingressCidrs',
    bad: pc({ ingressCidrs: ['0.0.0.0/0'] }),
    good: pc({ ingressCidrs: ['10.0.0.0/8'] }),
    environment: 'prod',
  },
  {
    reason: 'everybody, in production, over IPv6',
    code: 'CIDR_OPEN',
    field: 'providerConfig.ingressCidrs',
    bad: pc({ ingressCidrs: ['::/0'] }),
    good: pc({ ingressCidrs: ['::/0'], host: { publicIp: true } }),
    environment: 'prod',
  },
  {
    reason: 'not a range',
    code: 'FORMAT',
    field: 'providerConfig.ingressCidrs[0]',
    bad: pc({ ingressCidrs: ['10.0.0.256/8'] }),
    good: pc({ ingressCidrs: ['10.0.0.255/32'] }),
  },
  // environment
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
  // host
  {
    reason: 'EC2 refuses both',
    code: 'HIBERNATION',
    field: 'providerConfig.host.hibernation',
    bad: pc({ host: { hibernation: 'true' } }),
    good: pc({ host: { hibernation: 'false' } }),
  },
  {
    reason: 'one image, one name',
    code: 'FORMAT',
    field: 'providerConfig.host.amiSsmParameter',
    bad: pc({ host: { amiId: 'ami-0123456789abcdef0', amiSsmParameter: '/x' } }),
    good: pc({ host: { amiSsmParameter: '/x' } }),
  },
  {
    reason: 'CloudWatch keeps logs for certain times',
    code: 'FORMAT',
    field: 'providerConfig.logs.retentionDays',
    bad: pc({ logs: { retentionDays: 31 } }),
    good: pc({ logs: { retentionDays: '30' } }),
  },
  // record
  {
    reason: 'resources need a name',
    code: 'REQUIRED',
    field: 'id',
    bad: record({}, { id: undefined }),
    good: record(),
  },
  {
    reason: 'somebody owns it',
    code: 'REQUIRED',
    field: 'walletAddress',
    bad: record({}, { walletAddress: null }),
    good: record(),
  },
  {
    reason: 'a slash names nothing',
    code: 'ID_FORMAT',
    field: 'id',
    bad: record({}, { id: '../x' }),
    good: record({}, { id: 'x' }),
  },
  {
    reason: 'ids end',
    code: 'ID_FORMAT',
    field: 'id',
    bad: record({}, { id: 'a'.repeat(64) }),
    good: record({}, { id: 'a'.repeat(63) }),
  },
  { reason: 'an id is text', code: 'TYPE', field: 'id', bad: record({}, { id: 5 }), good: record({}, { id: '5' }) },
  {
    reason: 'another provider',
    code: 'FORMAT',
    field: 'providerId',
    bad: record({}, { providerId: 'aws-nitro-enclave' }),
    good: record({}, { providerId: undefined }),
    says: 'aws-nitro?',
  },
  {
    reason: 'not a region',
    code: 'FORMAT',
    field: 'region',
    bad: record({}, { region: 'Frankfurt' }),
    good: record({}, { region: 'eu-central-1' }),
  },
  {
    reason: 'tags of AWS',
    code: 'FORMAT',
    field: 'tags["AWS:x"]',
    bad: record({}, { tags: { 'AWS:x': '1' } }),
    good: record({}, { tags: { awsx: '1' } }),
  },
  {
    reason: "the operator's own tags",
    code: 'FORMAT',
    field: 'tags.enclaveid',
    bad: record({}, { tags: { enclaveid: '1' } }),
    good: record({}, { tags: { enclave: '1' } }),
  },
  {
    reason: 'values of tags end',
    code: 'RANGE',
    field: 'tags.a',
    bad: record({}, { tags: { a: 'x'.repeat(257) } }),
    good: record({}, { tags: { a: 'x'.repeat(256) } }),
  },
  {
    reason: 'EC2 takes 50 tags',
    code: 'RANGE',
    field: 'tags',
    bad: record({}, { tags: Object.fromEntries(ports(41).map((n) => [`t${n}`, ''])) }),
    good: record({}, { tags: Object.fromEntries(ports(40).map((n) => [`t${n}`, ''])) }),
  },
  {
    reason: 'a name JavaScript would swallow',
    code: 'FORMAT',
    field: 'tags.__proto__',
    bad: record({}, { tags: JSON.parse('{"__proto__":"x"}') }),
    good: record({}, { tags: { proto: 'x' } }),
  },
  {
    reason: 'a text where a map should be',
    code: 'TYPE',
    field: 'providerConfig',
    bad: record({}, { providerConfig: 'x' }),
    good: record({}, { providerConfig: '{"workloadType":"batch"}' }),
  },
  // types that the coercions leave alone
  {
    reason: 'no integer',
    code: 'TYPE',
    field: 'providerConfig.cpuCount',
    bad: pc({ cpuCount: 1.5 }),
    good: pc({ cpuCount: 2 }),
  },
  {
    reason: 'no integer as text',
    code: 'TYPE',
    field: 'providerConfig.cpuCount',
    bad: pc({ cpuCount: '2.0' }),
    good: pc({ cpuCount: '2' }),
  },
  {
    reason: 'a unit',
    code: 'TYPE',
    field: 'providerConfig.memoryMiB',
    bad: pc({ memoryMiB: '4GB' }),
    good: pc({ memoryMiB: '4096' }),
  },
  {
    reason: 'a blank',
    code: 'TYPE',
    field: 'providerConfig.cpuCount',
    bad: pc({ cpuCount: ' ' }),
    good: pc({ cpuCount: null }),
  },
  {
    reason: 'a negative number as text',
    code: 'TYPE',
    field: 'providerConfig.memoryMiB',
    bad: pc({ memoryMiB: '-1024' }),
    good: pc({ memoryMiB: '1024' }),
  },
  {
    reason: 'an exponent',
    code: 'TYPE',
    field: 'providerConfig.memoryMiB',
    bad: pc({ memoryMiB: '1e3' }),
    good: pc({ memoryMiB: 1e3 }),
  },
  {
    reason: 'yes is not true',
    code: 'TYPE',
    field: 'providerConfig.enableDebug',
    bad: pc({ enableDebug: 'yes' }),
    good: pc({ enableDebug: 'true' }),
  },
  {
    reason: '1 is not true',
    code: 'TYPE',
    field: 'providerConfig.enableDebug',
    bad: pc({ enableDebug: 1 }),
    good: pc({ enableDebug: true }),
  },
  {
    reason: 'JSON that is no map',
    code: 'TYPE',
    field: 'providerConfig.environmentVariables',
    bad: pc({ environmentVariables: '[1]' }),
    good: pc({ environmentVariables: '{"A":"1"}' }),
  },
  {
    reason: 'no JSON',
    code: 'TYPE',
    field: 'providerConfig.environmentVariables',
    bad: pc({ environmentVariables: 'A=1' }),
    good: pc({ environmentVariables: ' ' }),
  },
];

const WARNINGS: readonly Row[] = [
  {
    reason: 'newer types exist',
    code: 'INSTANCE_UNKNOWN',
    field: 'providerConfig.instanceType',
    bad: pc({ instanceType: 'm6i.huge' }),
    good: pc({ instanceType: 'm6i.xlarge' }),
    says: 'm6i.xlarge',
  },
  {
    reason: 'newer regions exist',
    code: 'INSTANCE_UNKNOWN',
    field: 'region',
    bad: record({}, { region: 'us-esat-1' }),
    good: record(),
    says: 'us-east-1?',
  },
  {
    reason: 'large hosts have several NUMA nodes',
    code: 'MEM_NUMA_WARN',
    field: 'providerConfig.memoryMiB',
    bad: pc({ instanceType: 'm6i.32xlarge', memoryMiB: 263_168 }),
    good: pc({ instanceType: 'm6i.32xlarge', memoryMiB: 262_144 }),
  },
  {
    reason: 'huge pages round up',
    code: 'MEM_ALIGN_WARN',
    field: 'providerConfig.memoryMiB',
    bad: pc({ memoryMiB: 1_500 }),
    good: pc({ memoryMiB: 2_048 }),
    says: '2048',
  },
  {
    reason: "the app's default has no tag",
    code: 'IMAGE_NO_TAG',
    field: 'providerConfig.dockerImage',
    bad: pc({ dockerImage: 'hello-world' }),
    good: pc({ dockerImage: 'hello-world:linux' }),
  },
  {
    reason: 'latest moves',
    code: 'IMAGE_LATEST_WARN',
    field: 'providerConfig.dockerImage',
    bad: pc({ dockerImage: 'nginx:latest' }),
    good: pc({ dockerImage: 'nginx:1.27' }),
  },
  {
    reason: 'tags can move',
    code: 'IMAGE_NO_DIGEST_WARN',
    field: 'providerConfig.dockerImage',
    bad: pc({ dockerImage: 'nginx:1.27' }),
    good: pc({ dockerImage: `nginx:1.27@sha256:${'a'.repeat(64)}` }),
  },
  {
    reason: 'two images, one enclave',
    code: 'IMAGE_IGNORED_WARN',
    field: 'providerConfig.dockerImage',
    bad: pc({ eif: { uri: 's3://images/app.eif', sha256: 'a'.repeat(64) } }),
    good: pc({ eif: { uri: 's3://images/app.eif', sha256: 'a'.repeat(64) }, dockerImage: '' }),
  },
  {
    reason: 'debugging is for development',
    code: 'DEBUG_WARN',
    field: 'providerConfig.enableDebug',
    bad: pc({ enableDebug: true }),
    good: pc({ enableDebug: false }),
  },
  {
    reason: 'everybody, in development',
    code: 'CIDR_OPEN',
    field: 'providerConfig.ingressCidrs',
    bad: pc({ ingressCidrs: ['0.0.0.0/0'] }),
    good: pc({ ingressCidrs: ['0.0.0.0/1'] }),
  },
  {
    reason: 'a batch is not probed',
    code: 'BATCH_WITH_HEALTH_WARN',
    field: 'providerConfig.healthCheckPath',
    bad: pc({ workloadType: 'batch', healthCheckPath: '/health' }),
    good: pc({ workloadType: 'batch' }),
  },
  {
    reason: 'nothing to probe',
    code: 'SERVICE_NO_PORT_WARN',
    field: 'providerConfig.exposePorts',
    bad: pc({ workloadType: 'service' }),
    good: pc({ workloadType: 'service', exposePorts: [80] }),
  },
  {
    reason: 'the kind of workload is a guess',
    code: 'WORKLOAD_TYPE_WARN',
    field: 'providerConfig.workloadType',
    bad: pc({ workloadType: undefined }),
    good: pc({ workloadType: 'daemon' }),
  },
  {
    reason: 'variables are stored in clear',
    code: 'SECRET_IN_ENV_WARN',
    field: 'providerConfig.environmentVariables.DB_PASSWORD',
    bad: pc({ environmentVariables: { DB_PASSWORD: 'x' } }),
    good: pc({ environmentVariables: { DB_HOST: 'x' } }),
  },
  {
    reason: 'the owner is an e-mail address',
    code: 'OWNER_WARN',
    field: 'walletAddress',
    bad: record({}, { walletAddress: 'a@example.com' }),
    good: record(),
  },
  {
    reason: 'another system builds it',
    code: 'STATUS_WARN',
    field: 'status',
    bad: record({}, { status: 'BUILDING' }),
    good: record({}, { status: 'DEPLOYED' }),
  },
  {
    reason: 'a typing error',
    code: 'UNKNOWN_FIELD',
    field: 'providerConfig.memoryMib',
    bad: pc({ memoryMib: 4_096 }),
    good: pc({ memoryMiB: 4_096 }),
    says: 'memoryMiB',
  },
  {
    reason: "the platform team's, in the application's map",
    code: 'UNKNOWN_FIELD',
    field: 'providerConfig.suspend',
    bad: pc({ suspend: true }),
    good: record({}, { policy: {} }),
    says: 'policy.suspend',
  },
  {
    reason: 'a typing error further in',
    code: 'UNKNOWN_FIELD',
    field: 'providerConfig.logs.retentionDay',
    bad: pc({ logs: { retentionDay: 1 } }),
    good: pc({ logs: { retentionDays: 1 } }),
  },
  {
    reason: 'a name too long for a list',
    code: 'RANGE',
    field: 'name',
    bad: record({}, { name: 'x'.repeat(129) }),
    good: record({}, { name: 'x'.repeat(128) }),
  },
];

function isolated(row: Row) {
  const environment = row.environment === undefined ? {} : { environment: row.environment };
  return { bad: findings(row.bad, environment), good: findings(row.good, environment) };
}

describe('errors', () => {
  it.each(ERRORS)('$code: $reason ($field)', (row) => {
    const { bad, good } = isolated(row);
    const issue = bad.errors.find(({ code, field }) => code === row.code && field === row.field);
    expect(bad.errors).toContainEqual(expect.objectContaining({ code: row.code, field: row.field }));
    expect(`${issue?.message} ${issue?.fix}`).toContain(row.says ?? '');
    expect(good.errors).toEqual([]);
  });
});

describe('warnings', () => {
  it.each(WARNINGS)('$code: $reason ($field)', (row) => {
    const { bad, good } = isolated(row);
    expect(bad.errors).toEqual([]);
    const issue = bad.warnings.find(({ code, field }) => code === row.code && field === row.field);
    expect(bad.warnings).toContainEqual(expect.objectContaining({ code: row.code, field: row.field }));
    expect(`${issue?.message} ${issue?.fix}`).toContain(row.says ?? '');
    expect(good.errors).toEqual([]);
    expect(good.warnings.filter(({ code, field }) => code === row.code && field === row.field)).toEqual([]);
  });
});

describe('regions', () => {
  const regions = ['us-west-2', 'eu-central-1'];

  it('outside those of the platform are refused, with the nearest that is not', () => {
    const { errors } = findings(record({}, { region: 'eu-central-2' }), { regions });
    expect(codes(errors)).toEqual(['REGION_NOT_ENABLED']);
    expect(errors[0]?.fix).toContain('eu-central-1');
    expect(findings(record({}, { region: 'eu-central-1' }), { regions }).errors).toEqual([]);
  });

  it('are all taken where the platform names none', () => {
    expect(findings(record({}, { region: 'ap-northeast-1' })).errors).toEqual([]);
  });

  it("are the operator's where the record names none", () => {
    expect(specOf(record({}, { region: undefined }), { defaultRegion: 'eu-west-1' }).region).toBe('eu-west-1');
  });
});

describe("the application's choices", () => {
  const choose = (config: object) =>
    findings({ ...appRecord, providerConfig: { ...appRecord.providerConfig, ...config } });

  it('its defaults are valid, and mean what they say', () => {
    expect(specOf(appRecord)).toMatchObject({
      dockerImage: 'hello-world',
      cpuCount: 2,
      memoryMiB: 1_024,
      instanceType: 'm6i.xlarge',
      enableDebug: false,
      workloadType: 'service',
      environmentVariables: {},
    });
  });

  it.each([
    ['m6i.xlarge', true],
    ['m6i.2xlarge', true],
    ['m6i.4xlarge', true],
    ['m6i.8xlarge', true],
    ['c6i.xlarge', true],
    ['c6i.2xlarge', true],
    ['c6i.4xlarge', true],
    ['m5.xlarge', true],
    ['m5.4xlarge', true],
    ['m5.large', false],
    ['m6i.large', false],
    ['c6i.large', false],
  ])('%s: valid is %s, whatever its validators say', (instanceType, valid) => {
    expect(choose({ instanceType }).spec !== undefined).toBe(valid);
  });

  it.each([
    ['2', true],
    ['4', false],
    ['8', false],
    ['16', false],
  ])('cpuCount "%s" on its default host: valid is %s', (cpuCount, valid) => {
    expect(choose({ cpuCount }).spec !== undefined).toBe(valid);
  });

  it.each([
    ['1024', true],
    ['2048', true],
    ['4096', true],
    ['8192', true],
    ['16384', false],
  ])('memoryMiB "%s" on its default host: valid is %s', (memoryMiB, valid) => {
    expect(choose({ memoryMiB }).spec !== undefined).toBe(valid);
  });

  it.each([
    'hello-world',
    'nginx:alpine',
    'localhost:5000/app',
    'registry.example.com:8443/team/app:1.0',
    `nginx@sha256:${'0'.repeat(64)}`,
    `111122223333.dkr.ecr.us-west-2.amazonaws.com/team/app:1@sha256:${'0'.repeat(64)}`,
    'a/b/c__d.e--f:Tag_1',
  ])('the image %s is accepted', (dockerImage) => {
    expect(choose({ dockerImage }).spec?.dockerImage).toBe(dockerImage);
  });

  it.each(['', ' ', 'a b', 'a//b', '/a', 'a:', 'a@', 'https://a/b', 'a:b:c', '-a', 'a/-b', 'a..b'])(
    'the image "%s" is refused',
    (dockerImage) => {
      expect(codes(choose({ dockerImage }).errors)).toEqual(['FORMAT']);
    },
  );

  it('fields of newer clients, and what others write into the map, do no harm', () => {
    const { spec, warnings } = choose({ instanceId: 'i-1', compliance: ['SOC2'], sourceType: 'private-registry' });
    expect(spec?.sourceType).toBe('private-registry');
    expect(codes(warnings)).not.toContain('UNKNOWN_FIELD');
  });
});

describe('all errors at once', () => {
  it('from every field, nested ones and policy included', () => {
    const { errors } = findings({
      id: '!',
      region: 7,
      tags: { 'aws:a': '', EnclaveId: 'x' },
      providerConfig: {
        cpuCount: 4,
        memoryMiB: '1GB',
        exposePorts: [80, 80, 0],
        attestation: { expectedMeasurements: [{ pcr0: 'x' }, { pcr0: zero }] },
        healthCheck: { failureThreshold: 0 },
        egress: { allow: ['*', 'https://x.org'] },
        environmentVariables: { K: '1' },
        secrets: [{ name: 'no name' }, { name: 'K', kmsCiphertextUri: 's3://bucket/key' }],
      },
      policy: { deletionPolicy: 'Keep' },
    });
    expect(errors.map(({ field, code }) => `${field} ${code}`).sort()).toEqual(
      [
        'id ID_FORMAT',
        'policy.deletionPolicy FORMAT',
        'providerConfig.attestation.expectedMeasurements[0].pcr0 PCR_FORMAT',
        'providerConfig.attestation.expectedMeasurements[1].pcr0 PCR_ALL_ZERO',
        'providerConfig.cpuCount CPU_TOO_MANY',
        'providerConfig.egress.allow EGRESS_WILDCARD',
        'providerConfig.egress.allow[1] FORMAT',
        'providerConfig.exposePorts PORT_DUP',
        'providerConfig.exposePorts[2] PORT_RANGE',
        'providerConfig.healthCheck.failureThreshold RANGE',
        'providerConfig.memoryMiB TYPE',
        'providerConfig.secrets FORMAT',
        'providerConfig.secrets[0].name FORMAT',
        'providerConfig.secrets[0] FORMAT',
        'region TYPE',
        'tags.EnclaveId FORMAT',
        'tags["aws:a"] FORMAT',
        'walletAddress REQUIRED',
      ].sort(),
    );
  });
});

describe('wording', () => {
  it.each([
    [{ enableDebug: 'yes' }, 'providerConfig.enableDebug is "yes", not true or false', 'Set it to true or false.'],
    [{ memoryMiB: '4GB' }, 'providerConfig.memoryMiB is "4GB", not a whole number', 'Set it to a whole number (MiB).'],
    [
      { healthCheckInterval: 1 },
      'providerConfig.healthCheckInterval is 1 s; it must be at least 5',
      'Set it to 5 to 300.',
    ],
    [
      { workloadType: 'servce' },
      'providerConfig.workloadType is "servce", not one of batch, service, daemon',
      'Did you mean service?',
    ],
    [
      { environmentVariables: { a: '1' } },
      'providerConfig.environmentVariables.a has a name that is not A-Z, 0-9 and _, not beginning with a digit',
      'Rename it: A-Z, 0-9 and _, not beginning with a digit.',
    ],
    [
      { host: { amiId: 'x' } },
      'providerConfig.host.amiId is "x", which is not the id of an AMI',
      'Set it to the id of an AMI, e.g. ami-0123456789abcdef0.',
    ],
    [
      { eif: { uri: 's3://images/app.eif' } },
      'providerConfig.eif.sha256 is missing',
      'Set it to 64 hexadecimal digits.',
    ],
    [{ awsServices: Array(1_001).fill('kms') }, 'providerConfig.awsServices has 1001 members', 'Keep it below 1000.'],
  ])('%o', (config, message, fix) => {
    expect(findings(record(config)).errors).toEqual([expect.objectContaining({ message, fix })]);
  });

  it('says the name, the numbers and the way out of a host that is too small', () => {
    expect(findings(record({ memoryMiB: 8_192, instanceType: 'c6i.xlarge' })).errors).toEqual([
      {
        field: 'providerConfig.memoryMiB',
        code: 'MEM_TOO_LARGE',
        message:
          'c6i.xlarge has 8192 MiB and its system keeps 1024, so at most 7168 (E27); the smallest type that fits is c6i.2xlarge',
        fix: 'Set providerConfig.memoryMiB to at most 7168, or providerConfig.instanceType to c6i.2xlarge.',
      },
    ]);
  });
});
