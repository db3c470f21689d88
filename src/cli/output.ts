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

export function indent(text: string): string {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `  ${printable(line)}\n`)
    .join('');
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
