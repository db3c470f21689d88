/** `enclavectl logs`: the log of one Terraform run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isPlainMap } from '../../enclave/json.ts';
import { omit } from '../../enclave/omit.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { printable } from '../output.ts';
import { openStore } from '../store.ts';
import { type GlobalOptions, resolveTarget, type Target } from '../target.ts';

/** What execution names are made of: nothing that could lead out of the folder. */
const RUN_NAME = /^[A-Za-z0-9_-]{1,80}$/;
/** `e-<id>-<random>-<seq>-<action>`; long ids are shortened in it and cannot be read back. */
const RUN_ID = /^e-(.+)-[a-z0-9]{6}-\d+-(deploy|destroy)$/;

interface Options extends GlobalOptions {
  readonly output: 'text' | 'json';
}

export async function logs(io: Io, [run = '']: readonly string[], options: Options): Promise<ExitCode> {
  if (!RUN_NAME.test(run)) {
    throw new CliError(
      EXIT.usage,
      `${JSON.stringify(run)} is not the name of a run: \`enclavectl describe\` lists them`,
    );
  }
  const target = resolveTarget(io, options);
  if (target.local === undefined) return pointToCloudWatch(io, target, run);
  const path = join(target.local.folder, 'logs', `${run}.log`);
  try {
    const text = readFileSync(path, 'utf8');
    io.out(options.output === 'json' ? text : text.replace(/^.+$/gm, readable));
    return EXIT.yes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new CliError(EXIT.no, `there is no log of run ${run}: \`enclavectl describe\` lists the runs`);
  }
}

/** One line of the runner's log for a person; what is no JSON (a stack, a crash) as it stands. */
function readable(line: string): string {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return printable(line);
  }
  if (!isPlainMap(entry)) return printable(line);
  // The name of the run was asked for, and tells the enclave.
  const { time, level, message, ...rest } = omit(entry, 'enclaveId', 'run');
  const severity = level === 'info' ? '' : `${level}: `;
  const more = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
  return printable(`${time}  ${severity}${message}${more}`);
}

/** In AWS the log is the task's stream; which task, the run item says. */
async function pointToCloudWatch(io: Io, target: Target, run: string): Promise<ExitCode> {
  const store = openStore(target);
  try {
    const id = RUN_ID.exec(run)?.[1];
    const item = id === undefined ? undefined : await store.run(id, run);
    const task = item?.taskArn?.split('/').at(-1);
    const group = `/ecs/${target.config.prefix}-terraform-runner`;
    const stream = task === undefined ? '' : ` --log-stream-names ecs/terraform-runner/${task}`;
    io.err(
      `the log is in CloudWatch, in ${target.config.region}${task === undefined ? '; no task is known of this run' : ''}:\n` +
        `  aws logs filter-log-events --region ${target.config.region} --log-group-name ${group}${stream}\n`,
    );
    return EXIT.usage;
  } finally {
    store.close();
  }
}
