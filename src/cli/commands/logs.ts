/** `enclavectl logs`: the log of one Terraform run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { openStore } from '../store.ts';
import { type GlobalOptions, resolveTarget, type Target } from '../target.ts';

/** What execution names are made of: nothing that could lead out of the folder. */
const RUN_NAME = /^[A-Za-z0-9_-]{1,80}$/;
/** `e-<id>-<incarnation>-<seq>-<action>`; long ids are shortened in it and cannot be read back. */
const RUN_ID = /^e-(.+)-[a-z0-9]{6}-\d+-(deploy|destroy)$/;

export async function logs(io: Io, [run = '']: readonly string[], options: GlobalOptions): Promise<ExitCode> {
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
    io.out(readFileSync(path, 'utf8'));
    return EXIT.yes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new CliError(EXIT.no, `there is no log of run ${run}: \`enclavectl describe\` lists the runs`);
  }
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
