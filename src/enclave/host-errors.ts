/** Permanent errors: those of a host's report that end the attempt. */
import type { Report } from './items/report.ts';

/** Code to cause. E22, E26 and E29 are nitro-cli's own; the host agent gives E50 to docker's refusals. */
export const PERMANENT_HOST_ERRORS = {
  /** The pool still has fewer vCPU than the spec asks for after the host has reserved it once more. */
  E22: 'The host has fewer vCPU for enclaves than the spec asks for.',
  /** nitro-cli demands four times the size of the image file. */
  E26: 'The image needs more memory than the spec gives the enclave.',
  /** The driver refuses the enclave four times, and the last applied configuration had other vCPU, memory or CID. */
  E29: 'The Nitro Enclaves driver refuses the enclave with these vCPU and memory.',
  /** `manifest unknown`, no manifest for the platform, or `invalid reference format`; never a refused login or pull. */
  E50: 'The registry has no such image, or the image reference is invalid.',
} as const satisfies Readonly<Record<string, string>>;

/** A code without one of these classes is not a verdict: the agent retries it. */
const PERMANENT_CLASSES: readonly string[] = ['spec', 'image'];

/**
 * Whether the host reports a permanent error for this generation.
 *
 * Caveats: an error names the generation that failed (`error.generation`); one of another generation says nothing of
 * this one. One without a generation, from an agent that does not write it, is never a verdict: it may be an old error.
 */
export function isPermanentHostError(error: Report['error'], generation: number): boolean {
  if (error?.code === undefined || error.generation !== generation) return false;
  return PERMANENT_CLASSES.includes(error.class) && Object.hasOwn(PERMANENT_HOST_ERRORS, error.code);
}
