/** The table of attributes in docs/drift.md. */
import { ATTRIBUTES, type Attribute, ENTRIES } from './attributes.ts';
import { baseOf, interrupts } from './repair.ts';

const COLUMNS = [
  'Attribute',
  'Seen by',
  'Severity',
  'Repair steps',
  'Patience',
  'Interrupts',
  'Kind',
  'What is compared',
];

export function attributesTable(): string {
  return [COLUMNS, COLUMNS.map(() => '---'), ...ATTRIBUTES.map(cellsOf)]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function cellsOf(attribute: Attribute): readonly string[] {
  const { seenBy, severity, steps, patienceMs, compares } = ENTRIES[attribute];
  const { rung, owned, security } = baseOf(attribute);
  return [
    `\`${attribute}\``,
    seenBy,
    severity,
    steps.length === 0 ? 'alert' : steps.join(', '),
    patienceMs === undefined ? '' : `${patienceMs / 60_000} min`,
    interrupts(attribute, rung) ? 'yes' : '',
    owned === 'foreign' ? 'foreign' : security ? 'security' : '',
    compares,
  ];
}
