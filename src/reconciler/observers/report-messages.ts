/** What a condition says of a difference that a host reports, in words. */
import { type Attribute, isDown } from '../../drift/index.ts';
import type { Report } from '../../enclave/items/report.ts';
import { scrub } from '../../enclave/scrub.ts';
import type { EnclaveSpec } from '../../enclave/spec/spec.ts';

const LONGEST = 300;

/** The text comes from the host and appears in the record, which is public: scrub and shorten it. */
export function errorOf({ error }: Report): string | undefined {
  return error === undefined ? undefined : scrub(error.message).slice(0, LONGEST);
}

export function messageOf(attribute: Attribute, report: Report, applied: EnclaveSpec | undefined): string | undefined {
  const running = report.enclaves.filter(({ state }) => state === 'RUNNING');
  switch (attribute) {
    case 'enclave.running':
    case 'enclave.terminating':
      return errorOf(report);
    case 'enclave.allocator':
      return shortage(report);
    case 'enclave.extra':
      return `${running.length} enclaves run on the host, and one should`;
    case 'enclave.cpuCount':
    case 'enclave.memory':
      return running[0] && applied && sizes(running[0], applied);
    case 'enclave.proxies':
      return `no way out to ${destinations(report)}`;
    default:
      return undefined;
  }
}

type Size = Pick<Report['enclaves'][number], 'cpuCount' | 'memoryMiB'>;

function sizes(has: Size, wants: Size): string {
  return `it has ${has.cpuCount} vCPU and ${has.memoryMiB} MiB, and should have ${wants.cpuCount} and ${wants.memoryMiB}`;
}

/** Hosts and ports, which the spec has named. */
function destinations({ proxies = [] }: Report): string {
  const down = proxies.filter((proxy) => isDown(proxy) === true);
  return scrub(down.map(({ destination }) => destination).join(', ')).slice(0, LONGEST);
}

function shortage(report: Report): string {
  const { cpuCount, memoryMiB } = report.allocator ?? {};
  const held = `the host holds ${cpuCount} vCPU and ${memoryMiB} MiB for enclaves, and needs more`;
  const error = errorOf(report);
  return error === undefined ? held : `${held} (${error})`;
}
