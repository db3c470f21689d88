/** `enclavectl completion`: scripts for bash, zsh and fish, made from the tree of commands. */
import type { Command, Option } from 'commander';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';

/** What may follow one command's name. */
interface Words {
  readonly name: string;
  readonly summary: string;
  /** Names of subcommands, and choices of arguments. */
  readonly next: readonly string[];
  readonly options: readonly Option[];
}

export async function completion(io: Io, [shell]: readonly string[], program: Command): Promise<ExitCode> {
  const commands = program.commands.map(words);
  if (shell === 'fish') io.out(fish(commands, program.options));
  // zsh understands bash's way of completing, once asked to.
  else
    io.out(
      `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}${bash(commands, program.options)}`,
    );
  return EXIT.yes;
}

function words(command: Command): Words {
  return {
    name: command.name(),
    summary: command.description(),
    next: [
      ...command.commands.map((child) => child.name()),
      ...command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
    ],
    options: [...command.options, ...command.commands.flatMap((child) => child.options)],
  };
}

const flags = ({ short, long }: Option) => [short, long].filter((flag) => flag !== undefined);
const takesValue = ({ required }: Option) => required;
const takesFile = ({ long }: Option) => long === '--filename' || long === '--config';

function bash(commands: readonly Words[], globals: readonly Option[]): string {
  const cases = commands.map(({ name, next, options }) => {
    const special = options.flatMap((option) => {
      const pattern = flags(option).join('|');
      if (takesFile(option)) return [`${pattern}) files=1 ;;`];
      return option.argChoices === undefined ? [] : [`${pattern}) words="${option.argChoices.join(' ')}" ;;`];
    });
    const list = [...next, ...options.flatMap(flags)].join(' ');
    const after = special.length === 0 ? '' : `; case $prev in ${special.join(' ')} esac`;
    return `    ${name}) words="${list} $globals"${after} ;;`;
  });
  return `# bash completion of enclavectl
_enclavectl() {
  local word=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} words= command= files= i
  local globals="${globals.flatMap(flags).join(' ')}"
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${globals.filter(takesValue).flatMap(flags).join('|')}) ((i++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
    '') words="${commands.map(({ name }) => name).join(' ')} $globals" ;;
${cases.join('\n')}
  esac
  [[ $prev == --config ]] && files=1
  if [[ $files ]]; then COMPREPLY=($(compgen -f -- "$word"))
  else COMPREPLY=($(compgen -W "$words" -- "$word")); fi
}
complete -F _enclavectl enclavectl
`;
}

function fish(commands: readonly Words[], globals: readonly Option[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const optionLine = (condition: string, option: Option) => {
    const { short, long, description, required, argChoices } = option;
    const parts = [
      'complete -c enclavectl',
      condition,
      short === undefined ? '' : `-s ${short.slice(1)}`,
      long === undefined ? '' : `-l ${long.slice(2)}`,
      argChoices === undefined ? '' : `-x -a ${quote(argChoices.join(' '))}`,
      takesFile(option) ? '-r -F' : required && argChoices === undefined ? '-x' : '',
      `-d ${quote(description)}`,
    ];
    return parts.filter(Boolean).join(' ');
  };
  const lines = [
    '# fish completion of enclavectl',
    'complete -c enclavectl -f',
    ...globals.map((option) => optionLine('', option)),
    ...commands.flatMap(({ name, summary, next, options }) => {
      const within = `-n ${quote(`__fish_seen_subcommand_from ${name}`)}`;
      return [
        `complete -c enclavectl -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
        ...(next.length === 0 ? [] : [`complete -c enclavectl ${within} -a ${quote(next.join(' '))}`]),
        ...options.map((option) => optionLine(within, option)),
      ];
    }),
  ];
  return `${lines.join('\n')}\n`;
}
