/** `preflight`: may an operator take over here? Looks at the account, and changes nothing. */
import { createInstallation } from '../../preflight/aws-account.ts';
import { type Finding, type Installation, preflight as look } from '../../preflight/preflight.ts';
import type { Config } from '../../reconciler/config.ts';
import { OperatorError } from '../../reconciler/ports/index.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { type GlobalOptions, resolveTarget } from '../target.ts';

interface Options extends GlobalOptions {
  readonly output: 'table' | 'json';
}

const LABEL: Readonly<Record<Finding['verdict'], string>> = { pass: 'pass', fail: 'FAIL', unsure: '?   ' };

export async function preflight(io: Io, _args: readonly string[], options: Options): Promise<ExitCode> {
  const { config, local } = resolveTarget(io, options);
  if (local !== undefined) {
    throw new CliError(
      EXIT.refused,
      'the local stack has nothing to take over: name an account (--environment, AWS_PROFILE)',
    );
  }
  const installation = createInstallation(config);
  try {
    return await report(io, installation, config, options.output);
  } finally {
    installation.close();
  }
}

export async function report(
  io: Pick<Io, 'out' | 'err'>,
  installation: Installation,
  config: Config,
  output: Options['output'],
): Promise<ExitCode> {
  let findings: readonly Finding[];
  try {
    findings = await look(installation, config);
  } catch (error) {
    throw unreachable(error, config);
  }
  if (output === 'json') io.out(`${JSON.stringify(findings, undefined, 2)}\n`);
  else for (const finding of findings) io.out(lineOf(finding));
  const count = (verdict: Finding['verdict']) => findings.filter((each) => each.verdict === verdict).length;
  const open = count('unsure') === 0 ? '' : `, ${count('unsure')} to look at yourself`;
  io.err(`${config.prefix} in ${config.region}: ${count('pass')} passed, ${count('fail')} failed${open}\n`);
  return count('fail') === 0 ? EXIT.yes : EXIT.no;
}

function lineOf(finding: Finding): string {
  const fix = finding.verdict === 'pass' ? '' : `: ${finding.fix}`;
  return `${LABEL[finding.verdict]}  ${finding.what}${fix}\n`;
}

function unreachable(error: unknown, { region }: Config): unknown {
  if (!(error instanceof Error)) return error;
  const isAway =
    (error instanceof OperatorError && error.class !== 'Terminal') || error.name === 'CredentialsProviderError';
  return isAway
    ? new CliError(EXIT.unreachable, `AWS in ${region} cannot be asked: ${error.message}`, { cause: error })
    : error;
}
