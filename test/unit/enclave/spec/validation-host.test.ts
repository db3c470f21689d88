/** Errors of the host: instance type, processors, memory, options. */
import { record } from './spec-records.ts';
import { describeFindings, pc } from './validation-table.ts';

describeFindings('errors', 'instance type', [
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
]);

describeFindings('errors', 'processors', [
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
]);

describeFindings('errors', 'memory', [
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
]);

describeFindings('errors', 'host', [
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
]);
