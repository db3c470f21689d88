/** Runner and operator publish to the same readers, so one function cleans the texts of both. */
export { scrub } from '../../src/enclave/scrub.ts';
