/** Commands in documents: every `enclavectl` and `npm` line that a person may copy is one the programs take. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram as createPlatformProgram } from '../../../scripts/platform/program.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { ioFor } from '../../support/cli.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];
const SCRIPTS = Object.keys(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts);

const { io } = ioFor();

interface Written {
  readonly page: string;
  readonly line: string;
  /** In prose a command may be named without what it needs. */
  readonly isWhole: boolean;
}

/** Lines of fences, and code within sentences, that begin with one of our programs. */
function commandsOf(page: string): readonly Written[] {
  const fence = /^ *```(\w*)\n([\s\S]*?)^ *```$/gm;
  const text = readFileSync(join(ROOT, page), 'utf8');
  const whole = [...text.matchAll(fence)]
    .filter(([, language = '']) => ['', 'sh', 'bash', 'console'].includes(language))
    .flatMap(([, , body = '']) => body.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.trim().replace(/^(\$ )?(npx (?=enclavectl))?/, ''));
  const named = [...text.replace(fence, '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replace(/\s+/g, ' '));
  const ours = (line: string) => /^(enclavectl|npm (run|start))( |$)/.test(line);
  return [
    ...whole.filter(ours).map((line) => ({ page, line, isWhole: true })),
    ...named.filter(ours).map((line) => ({ page, line, isWhole: false })),
  ];
}

/** The words of the command alone: no comment, nothing a shell does with its output. */
function wordsOf(line: string): readonly string[] {
  const [command = ''] = line.split(/\s+#\s|\s{2,}|\s[|<>&;]|;/);
  return (command.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
}

const PARTIAL = new Set([
  'commander.missingArgument',
  'commander.missingMandatoryOptionValue',
  'commander.optionMissingArgument',
]);

function silenced(command: Command): Command {
  command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
  if (command.commands.length === 0) command.action(() => {});
  command.commands.forEach(silenced);
  return command;
}

/** What is wrong with a command line; undefined: nothing. */
function fault(program: Command, argv: readonly string[], isWhole: boolean): string | undefined {
  try {
    silenced(program).parse(argv, { from: 'user' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code.startsWith('commander.help') || error.code === 'commander.version') return undefined;
    return PARTIAL.has(error.code) && !isWhole ? undefined : error.message;
  }
}

/** What npm hands on. */
function afterDashes(words: readonly string[]): readonly string[] {
  const dashes = words.indexOf('--');
  return dashes === -1 ? [] : words.slice(dashes + 1);
}

function faultOf({ line, isWhole }: Written): string | undefined {
  const [program, verb, ...rest] = wordsOf(line);
  const enclavectl = buildProgram(io, () => {});
  if (program === 'enclavectl') return fault(enclavectl, verb === undefined ? [] : [verb, ...rest], isWhole);
  if (verb === 'start') return fault(enclavectl, ['local', ...afterDashes(rest)], isWhole);
  const [script = ''] = rest;
  if (script === 'operator') return fault(enclavectl, ['operator', 'run', ...afterDashes(rest)], isWhole);
  const platform = createPlatformProgram({ say: () => {}, complain: () => {}, ask: undefined });
  if (platform.commands.some((command) => command.name() === script)) {
    return fault(platform, [script, ...afterDashes(rest)], isWhole);
  }
  return SCRIPTS.includes(script) ? undefined : `package.json has no script ${script}`;
}

const written = PAGES.flatMap(commandsOf);

describe('documents', () => {
  it('are found, with their commands', () => {
    expect(written.filter(({ line }) => line.startsWith('enclavectl')).length).toBeGreaterThan(50);
    expect(written.filter(({ line }) => line.startsWith('npm')).length).toBeGreaterThan(20);
  });

  it('have no command that its program refuses', () => {
    const wrong = written.flatMap((each) => {
      const why = faultOf(each);
      return why === undefined ? [] : [`${each.page}: ${each.line}: ${why}`];
    });
    expect(wrong).toEqual([]);
  });
});

describe('the check', () => {
  it.each([
    ['a command that is none', 'enclavectl heal ID', "unknown command 'heal'"],
    ['a flag that is none', 'enclavectl get --wide', "unknown option '--wide'"],
    ['a choice that is none', 'enclavectl get -o xml', 'Allowed choices are'],
    ['more than it takes', 'enclavectl orphans ID', 'too many arguments'],
    ['less than it needs', 'enclavectl describe', "missing required argument 'id'"],
    ['a flag of the local stack that is none', 'npm start -- --grafana', "unknown option '--grafana'"],
    ['an environment that is none', 'npm run deploy -- --env qa', 'Allowed choices are dev'],
    ['a flag of the platform that is none', 'npm run synth -- --env dev --plan', "unknown option '--plan'"],
    ['a script that is none', 'npm run heal', 'package.json has no script heal'],
  ])('notices %s', (_, line, says) => {
    expect(faultOf({ page: 'a page', line, isWhole: true })).toContain(says);
  });

  it('takes a command of a sentence without what it needs', () => {
    expect(faultOf({ page: 'a page', line: 'enclavectl describe', isWhole: false })).toBeUndefined();
    expect(faultOf({ page: 'a page', line: 'enclavectl freeze --reason "a b" # why', isWhole: true })).toBeUndefined();
  });
});
