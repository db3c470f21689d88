/** `npm start` as a process of its own, and enclavectl beside it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/enclavectl.js', import.meta.url));
// The caller's AWS and operator settings must not lead any of this elsewhere.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS_|ENCLAVE_OPERATOR_)/.test(name)));

let running: ChildProcess | undefined;

/** Ends the one that was started last. */
export const endLocal = () => void running?.kill('SIGKILL');

/** Starts `local`; `said` resolves when it has printed the text, and rejects when it ends before. */
export function local(cwd: string, ...flags: string[]) {
  const child = spawn(process.execPath, [bin, 'local', '--port', '0', '--speed', '20', ...flags], { cwd, env });
  running = child;
  let output = '';
  const waiting = new Set<() => void>();
  const heard = (chunk: Buffer) => {
    output += chunk;
    for (const look of waiting) look();
  };
  child.stdout.on('data', heard);
  child.stderr.on('data', heard);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => output.includes(text) && resolve();
      waiting.add(look);
      look();
      void ended.then((code) => reject(new Error(`ended with ${code} before it said ${text}:\n${output}`)));
    });
  return { child, said, ended, output: () => output };
}

export function enclavectl(cwd: string, ...args: string[]) {
  return enclavectlWith({}, cwd, ...args);
}

/** With these variables over the caller's. */
export function enclavectlWith(over: Readonly<Record<string, string>>, cwd: string, ...args: string[]) {
  const options = { cwd, env: { ...env, ...over }, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], options);
  return { status, stdout, stderr };
}
