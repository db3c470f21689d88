/** How answers look: lines, ages, and text that cannot upset a terminal. */

/** One line without control characters: a record's strings are its owner's, and could move the cursor or hide text. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ');
}

/** `Name:         value`, one a line; lines without a value are left out. */
export function nameLines(pairs: readonly (readonly [string, string | undefined])[]): string {
  return pairs
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${`${name}:`.padEnd(15)}${printable(value ?? '')}\n`)
    .join('');
}

/** Takes text that is printable already: cleaned again, a table would lose the codes of its colours. */
export function indent(text: string): string {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `  ${line}\n`)
    .join('');
}

export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** `47s`, `12m`, `5h`, `9d`: as kubectl shows ages. */
export function shortAge(seconds: number | null): string {
  if (seconds === null) return '';
  if (seconds < 120) return `${Math.max(0, seconds)}s`;
  if (seconds < 2 * 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** Cut to `length` characters, with an ellipsis where something is missing. */
export function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, Math.max(1, length - 1))}…` : text;
}

/** Characters that take two columns of a terminal: those of East Asia, and pictures. Errs towards two columns, so that lines never overflow. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Extended_Pictographic}\p{Regional_Indicator}]/u;
/** Characters that take none: marks on the one before. */
const MARK = /[\p{Mn}\p{Me}\p{Cf}]/u;

const columnsOfOne = (character: string) => (MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1);

/** Columns of a terminal that the text takes, at most. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += columnsOfOne(character);
  return columns;
}

/** Cut to so many columns of a terminal, with an ellipsis where something is missing. */
export function clipToColumns(text: string, most: number): string {
  if (columnsOf(text) <= most) return text;
  let kept = '';
  let columns = 1;
  for (const character of text) {
    columns += columnsOfOne(character);
    if (columns > most) break;
    kept += character;
  }
  return `${kept}…`;
}
