/** Checks of the host: does the type exist, can it have enclaves, is it large enough. */
import {
  CATALOGUE_DATE,
  CATALOGUE_REGIONS,
  type Demand,
  type InstanceType,
  instanceType,
  isOffered,
  maxEnclaveMemoryMiB,
  maxEnclaveVcpus,
  nearestInstanceType,
  smallestFit,
} from '../instance-types/instance-types.ts';
import { nearest } from '../nearest.ts';
import { error, type Findings, warn } from './issues.ts';
import type { Draft, ProviderConfig } from './types.ts';

const TYPE = 'providerConfig.instanceType';
const CPU = 'providerConfig.cpuCount';
const MEMORY = 'providerConfig.memoryMiB';
/** Hosts with more cores have several NUMA nodes; our estimate, EC2 does not say. */
const CORES_OF_ONE_NODE = 48;
const HUGE_PAGE_MIB = 1_024;

export function checkHost(draft: Draft, config: Partial<ProviderConfig>, to: Findings): void {
  const { instanceType: name, region } = draft;
  if (name !== undefined) {
    const type = instanceType(name);
    if (type === undefined) unknownType(name, to);
    else if (!type.enclaves) noEnclaves(type, draft, to);
    else {
      checkRegion(type, draft, region, to);
      checkCpu(type, draft, to);
      checkMemory(type, draft, to);
    }
  }
  if (draft.memoryMiB !== undefined && draft.memoryMiB % HUGE_PAGE_MIB !== 0) {
    const up = Math.ceil(draft.memoryMiB / HUGE_PAGE_MIB) * HUGE_PAGE_MIB;
    const message = `${MEMORY} is ${draft.memoryMiB}; huge pages may round it up to ${up}`;
    warn(to, MEMORY, 'MEM_ALIGN_WARN', message, `Use a multiple of ${HUGE_PAGE_MIB}, e.g. ${up}.`);
  }
  checkOptions(config.host, to);
}

/** What the draft asks of a host, with the defaults where a field could not be read. */
function demandOf(draft: Draft): Demand {
  return { cpuCount: draft.cpuCount ?? 1, memoryMiB: draft.memoryMiB ?? 64, region: draft.region ?? '' };
}

function fitting(like: string, demand: Demand): string {
  const type = smallestFit(like, demand);
  return type === undefined ? 'no type fits' : `the smallest type that fits is ${type.name}`;
}

function use(like: string, demand: Demand): string {
  const type = smallestFit(like, demand);
  return type === undefined ? 'Ask for less.' : `Set ${TYPE} to ${type.name}.`;
}

function unknownType(name: string, to: Findings): void {
  const meant = nearestInstanceType(name);
  const hint = meant === undefined ? '' : `; the nearest name is ${meant}`;
  const message = `the catalogue of ${CATALOGUE_DATE} does not know ${name}${hint}`;
  const fix = meant === undefined ? 'Check the name.' : `Check the name: ${meant}?`;
  warn(to, TYPE, 'INSTANCE_UNKNOWN', message, fix);
}

function noEnclaves(type: InstanceType, draft: Draft, to: Findings): void {
  const demand = demandOf(draft);
  const message = `${type.name} cannot host an enclave: ${reasonOf(type)}; ${fitting(type.name, demand)}`;
  error(to, TYPE, 'INSTANCE_NO_ENCLAVES', message, use(type.name, demand));
}

function reasonOf(type: InstanceType): string {
  if (type.name.includes('.metal')) return 'bare metal has no Nitro hypervisor';
  const cores = Math.floor(type.vcpus / type.threadsPerCore);
  const sibling = smallestFit(type.name, { cpuCount: 1, memoryMiB: 64, region: '' });
  if (sibling?.family !== type.family) return `no size of ${type.family} supports enclaves`;
  if (cores > 1) return `EC2 reports no support for it (${type.vcpus} vCPU on ${cores} cores)`;
  return `it has ${type.vcpus} vCPU on 1 core, which the host keeps`;
}

function checkRegion(type: InstanceType, draft: Draft, region: string | undefined, to: Findings): void {
  if (region === undefined) return;
  if (!CATALOGUE_REGIONS.includes(region)) {
    const message = `the catalogue of ${CATALOGUE_DATE} does not know the region ${region}, nor what it offers`;
    const meant = nearest(region, CATALOGUE_REGIONS);
    const fix = meant === undefined ? 'Check the name of the region.' : `Check the name: ${meant}?`;
    warn(to, 'region', 'INSTANCE_UNKNOWN', message, fix);
  } else if (isOffered(type, region) === false) {
    const demand = demandOf(draft);
    const message = `${region} does not offer ${type.name}, as of ${CATALOGUE_DATE}; ${fitting(type.name, demand)}`;
    error(to, TYPE, 'INSTANCE_NOT_IN_REGION', message, use(type.name, demand));
  }
}

function checkCpu(type: InstanceType, draft: Draft, to: Findings): void {
  const { cpuCount } = draft;
  if (cpuCount === undefined) return;
  const step = type.threadsPerCore;
  const most = maxEnclaveVcpus(type);
  const cores = type.vcpus / step;
  const host = `${type.name} has ${type.vcpus} vCPU on ${cores} cores`;
  if (cpuCount > most) {
    const demand = { ...demandOf(draft), cpuCount };
    const suggestion = smallestFit(type.name, demand);
    const fits = suggestion === undefined ? '' : `; smallest that fits ${cpuCount}: ${suggestion.name}`;
    const message = `${host}; the host keeps one core, so at most ${most}${fits}`;
    const or = suggestion === undefined ? '' : `, or ${TYPE} to ${suggestion.name}`;
    error(to, CPU, 'CPU_TOO_MANY', message, `Set ${CPU} to ${most}${or}.`);
  }
  if (cpuCount < step) {
    const message = `${CPU} is ${cpuCount}; one core of ${type.name} is ${step} vCPU, and an enclave takes whole cores`;
    error(to, CPU, 'CPU_TOO_FEW', message, `Set ${CPU} to ${step}.`);
  } else if (cpuCount % step !== 0) {
    const message = `${CPU} is ${cpuCount}; an enclave takes whole cores, on ${type.name} multiples of ${step} (E22)`;
    error(to, CPU, 'CPU_NOT_WHOLE_CORES', message, `Set ${CPU} to ${Math.min(cpuCount + 1, most)}.`);
  }
}

function checkMemory(type: InstanceType, draft: Draft, to: Findings): void {
  const { memoryMiB } = draft;
  if (memoryMiB === undefined) return;
  const most = maxEnclaveMemoryMiB(type);
  if (memoryMiB > most) {
    const demand = demandOf(draft);
    const message =
      `${type.name} has ${type.memoryMiB} MiB and its system keeps ${type.memoryMiB - most}, so at most ${most} (E27); ` +
      fitting(type.name, demand);
    const suggestion = smallestFit(type.name, demand);
    const or = suggestion === undefined ? '' : `, or ${TYPE} to ${suggestion.name}`;
    error(to, MEMORY, 'MEM_TOO_LARGE', message, `Set ${MEMORY} to at most ${most}${or}.`);
  } else if (type.vcpus / type.threadsPerCore > CORES_OF_ONE_NODE && memoryMiB > type.memoryMiB / 2) {
    const message = `${MEMORY} is more than half of ${type.name}; CPU and memory must lie on one NUMA node`;
    warn(to, MEMORY, 'MEM_NUMA_WARN', message, `Stay below ${Math.floor(type.memoryMiB / 2)} MiB, or try it first.`);
  }
}

function checkOptions(host: ProviderConfig['host'] | undefined, to: Findings): void {
  if (host === undefined) return;
  if (host.amiId !== undefined && host.amiSsmParameter !== undefined) {
    const message = 'providerConfig.host names both amiId and amiSsmParameter';
    error(to, 'providerConfig.host.amiSsmParameter', 'FORMAT', message, 'Keep one of them.');
  }
  if (host.hibernation === true) {
    const field = 'providerConfig.host.hibernation';
    error(to, field, 'HIBERNATION', 'EC2 allows hibernation or enclaves, not both', `Set ${field} to false.`);
  }
}
