/** Where the child programs lie, and how Node is told to run them: as TypeScript in the tree, as JavaScript in dist. */
import { fileURLToPath } from 'node:url';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const at = (path: string) => fileURLToPath(new URL(`../../../${path}.${extension}`, import.meta.url));

export const RUNNER_PROGRAM = at('runner/src/main');
export const OPERATOR_PROGRAM = at('src/cli/main');
export const AWS_PROGRAM = at('src/local/aws-main');

/** Node's arguments for a program that must die with its parent. Its standard input must be a pipe of the parent's. */
export function guarded(program: string, ...programArguments: readonly string[]): string[] {
  const guard = new URL(`./guard.${extension}`, import.meta.url).href;
  return ['--disable-warning=ExperimentalWarning', '--import', guard, program, ...programArguments];
}
