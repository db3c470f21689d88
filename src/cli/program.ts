/** The program: the tree of commands, and what a command line comes to. */
import { Command, CommanderError } from 'commander';
import { CliError, EXIT, EXIT_HELP, type ExitCode } from './exit.ts';
import type { Io } from './io.ts';
import { PACKAGE } from './package.ts';
import type { GlobalOptions } from './target.ts';
import { VERBS } from './verbs.ts';

/** The command tree; `done` gets the exit code of the command that ran. */
export function buildProgram(io: Io, done: (code: ExitCode) => void): Command {
  const program = new Command('enclavectl')
    .description('Declares, watches and repairs AWS Nitro Enclaves; see README.md.')
    .version(PACKAGE.version)
    .option('--config <file>', 'configuration file, YAML or JSON')
    .option('--local', 'use the local stack, whatever the environment says')
    .option('--endpoint <url>', "DynamoDB's address, for example http://127.0.0.1:8000")
    .option('--region <region>', 'AWS region')
    .option('--environment <name>', 'environment; the names of prefix and tables follow it')
    .option('--prefix <prefix>', 'prefix of state machines and tables')
    .option('--enclaves-table <name>', "the application's table")
    .option('--state-table <name>', "the operator's memory")
    .option('--history-table <name>', 'runs and events')
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('(enclavectl --help lists the commands)')
    .addHelpText('afterAll', EXIT_HELP);
  for (const verb of VERBS) {
    const [group, name] = verb.name.includes(' ') ? verb.name.split(' ') : [undefined, verb.name];
    const parent = group === undefined ? program : program.command(group).description(`commands of the ${group}`);
    const command = parent
      .command(`${name} ${verb.args ?? ''}`.trim())
      .description(verb.summary)
      .showHelpAfterError(`(enclavectl ${verb.name} --help says how)`)
      .addHelpText('after', `\nExamples:\n${verb.examples.map((example) => `  enclavectl ${example}`).join('\n')}`);
    verb.options?.(command);
    command.action(async (...given: readonly unknown[]) => {
      const action = await verb.load(() => buildProgram(io, () => {}));
      // commander hands over the declared arguments, then the options, then the command itself.
      const args = given
        .slice(0, -2)
        .flat()
        .filter((arg): arg is string => typeof arg === 'string');
      done(await action(io, args, command.optsWithGlobals<GlobalOptions>()));
    });
  }
  return program;
}

/** Runs one command line. Never throws: every failure is an exit code and a line on stderr. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.yes;
  try {
    await buildProgram(io, (result) => {
      code = result;
    }).parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.yes : EXIT.usage;
    if (error instanceof CliError) {
      io.err(`enclavectl: ${error.message}\n`);
      return error.exitCode;
    }
    const message = error instanceof Error ? error.message : String(error);
    io.err(`enclavectl: unexpected error: ${message}\n`);
    if (io.env.ENCLAVECTL_DEBUG && error instanceof Error) io.err(`${error.stack}\n`);
    return EXIT.usage;
  }
}
