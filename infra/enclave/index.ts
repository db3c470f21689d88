/** The enclave stack: what the runner needs of it. */
export { type PlatformFacts, type PlatformFactsInput, PlatformFactsSchema } from './platform-facts.ts';
export { findProviderMirror, PROVIDER_VERSION, writeCliConfig } from './provider-mirror.ts';
export { type EnclaveStackOptions, synthesizeEnclave } from './synthesize.ts';
export type { Chosen, Scripts } from './values.ts';
