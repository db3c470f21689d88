/** Synthesizes an enclave to the folder that is its argument, and prints where. */
import { synthesizeEnclave } from '../../infra/enclave/index.ts';
import { optionsOf, specOf } from './enclave-stack.ts';

process.stdout.write(synthesizeEnclave(optionsOf(specOf()), process.argv[2] ?? ''));
