/** Diagram: the lifecycle machine as mermaid, from the machine itself. */
import { lifecycleMachine } from './lifecycle.ts';

interface Rung {
  readonly target?: string;
  readonly guard?: unknown;
}

/** The name of a guard; combined ones are spelled out. */
function nameOf(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'function' || (typeof guard === 'object' && guard !== null)) {
    const combined = guard as {
      readonly type?: string;
      readonly check?: unknown;
      guards?: readonly unknown[];
      name?: string;
    };
    if (combined.guards !== undefined) {
      const parts = combined.guards.map(nameOf);
      return combined.name === 'not' || parts.length === 1 ? `not ${parts.join()}` : parts.join(' and ');
    }
    if (combined.type !== undefined) return combined.type;
  }
  return '';
}

/** Mermaid text of all phases and what leads from one to the next; rungs that stay in a phase are left out. */
export function lifecycleDiagram(): string {
  const lines = ['stateDiagram-v2', '  [*] --> observing'];
  const states = lifecycleMachine.config.states ?? {};
  for (const [phase, state] of Object.entries(states)) {
    const rungs = [state.always ?? []].flat() as readonly Rung[];
    const labels = new Map<string, string[]>();
    for (const rung of rungs) {
      if (rung.target === undefined || rung.target === phase) continue;
      labels.set(rung.target, [...(labels.get(rung.target) ?? []), nameOf(rung.guard)]);
    }
    for (const [target, names] of labels) {
      const label = names.filter((name) => name !== '').join(', or ');
      lines.push(`  ${phase} --> ${target}${label === '' ? '' : `: ${label}`}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** The page docs/lifecycle.md. */
export function lifecyclePage(): string {
  return `# Lifecycle

Generated from \`src/machines/lifecycle.ts\` by \`npm run docs\`; a test fails when it is stale.

Each arrow is one rung of the ladder of its phase: the first that holds is taken, until a phase rests. A rung's name is
its guard in \`src/machines/guards.ts\`.

\`\`\`mermaid
${lifecycleDiagram()}\`\`\`
`;
}
