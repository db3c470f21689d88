/** Failures that the engine finds by itself, before or instead of Terraform. */
import type { PlatformFacts } from '../../../infra/enclave/platform-facts.ts';
import { EngineFailure } from './port.ts';

export function cancelled(): EngineFailure {
  return new EngineFailure([{ severity: 'error', summary: 'Operation cancelled', detail: '', class: 'cancelled' }]);
}

export function vanished(): EngineFailure {
  const summary = 'The host vanished while the run planned for it.';
  return new EngineFailure([{ severity: 'error', summary, detail: '', class: 'unknown' }]);
}

export function unprepared(): EngineFailure {
  const summary = 'The Terraform state is as the old pipeline left it: `enclavectl adopt` prepares it.';
  return new EngineFailure([{ severity: 'error', summary, detail: '', class: 'state' }]);
}

export function regionMissing(region: string, facts: PlatformFacts): EngineFailure {
  const known = Object.keys(facts.regions).join(', ');
  const summary = `The platform has no network in the region ${region}; it has in: ${known}.`;
  return new EngineFailure([{ severity: 'error', summary, detail: '', class: 'validation' }]);
}
