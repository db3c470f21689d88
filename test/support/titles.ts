/** Titles of the tests in a file, as they stand in its text: templates of `it.each` with their placeholders. */
import { readFileSync } from 'node:fs';
import { parseSync } from '@swc/core';

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

/** `it`, `it.each(rows)`, `describe.skipIf(…)`: the word it begins with, and the members that follow. */
function calleeOf(node: unknown): readonly string[] {
  if (!isNode(node)) return [];
  if (node.type === 'Identifier') return [String(node.value)];
  if (node.type === 'MemberExpression') return [...calleeOf(node.object), ...calleeOf(node.property)];
  return node.type === 'CallExpression' ? calleeOf(node.callee) : [];
}

/** Text of a literal; of a template, with `${…}` for what it puts in. */
function textOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'StringLiteral') return String(node.value);
  if (node.type !== 'TemplateLiteral') return undefined;
  return (node.quasis as readonly { readonly cooked: string }[]).map(({ cooked }) => cooked).join('${…}');
}

function firstArgument(call: Node): string | undefined {
  const [first] = call.arguments as readonly { readonly expression: unknown }[];
  return textOf(first?.expression);
}

/** One `describe › it` a test, from the outermost on. What is only skipped or still to be written is left out. */
export function titlesOf(file: URL): readonly string[] {
  const found: string[] = [];
  const visit = (value: unknown, outer: readonly string[]): void => {
    if (typeof value !== 'object' || value === null) return;
    // Arguments of a call are wrapped in plain objects.
    if (!isNode(value)) {
      for (const each of Object.values(value)) visit(each, outer);
      return;
    }
    const [word, ...members] = value.type === 'CallExpression' ? calleeOf(value.callee) : [];
    const title = word === undefined ? undefined : firstArgument(value);
    const isTitled = (word === 'it' || word === 'describe') && title !== undefined;
    if (isTitled && (members.includes('skip') || members.includes('todo'))) return;
    if (isTitled && word === 'it') found.push([...outer, title].join(' › '));
    const inner = isTitled && word === 'describe' ? [...outer, title] : outer;
    for (const each of Object.values(value)) visit(each, inner);
  };
  visit(parseSync(readFileSync(file, 'utf8'), { syntax: 'typescript' }).body, []);
  return found;
}
