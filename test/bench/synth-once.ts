/** A process that synthesizes one enclave's stack: prints how long that took, and how much memory it all added. */
const resident = process.memoryUsage.rss();
const { optionsOf, specOf } = await import('../support/enclave-stack.ts');
const measured = { expectedMeasurements: [{ pcr0: 'ab'.repeat(48) }] };
const options = optionsOf(specOf({ exposePorts: [8080], attestation: measured }));

const began = performance.now();
const { synthesizeEnclave } = await import('../../infra/enclave/index.ts');
synthesizeEnclave(options, process.argv[2] ?? '');
const ms = performance.now() - began;
process.stdout.write(JSON.stringify({ ms, bytes: process.memoryUsage.rss() - resident }));
