/** Entry of the process that makes one measurement; writes its outcome as JSON to the file it is given. */
import { renameSync, writeFileSync } from 'node:fs';
import { type Figures, MEASUREMENTS, type Outcome } from './measurement.ts';
import { Skipped } from './skipped.ts';

/** Characters of an error that still fit into a table; the whole of it is on stderr. */
const LONGEST = 160;

const [name = '', file = ''] = process.argv.slice(2);
const measurement = MEASUREMENTS[name];
if (measurement === undefined) throw new Error(`no measurement ${name}`);

let figures: Figures = {};
const keep = (some: Figures): Figures => {
  figures = { ...figures, ...some };
  // Until it has ended: should the process be killed, this is what is known.
  write({ figures, failed: '' });
  return some;
};
let exitCode = 0;
try {
  const measure = await measurement.load();
  keep(await measure(keep));
  write({ figures });
} catch (error) {
  if (error instanceof Skipped) write({ figures, skipped: error.message });
  else {
    console.error(error);
    write({ figures, failed: firstLine(error) });
    exitCode = 1;
  }
}
process.exit(exitCode);

/** Whole or not at all. */
function write(outcome: Outcome): void {
  writeFileSync(`${file}.new`, JSON.stringify(outcome));
  renameSync(`${file}.new`, file);
}

function firstLine(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).trim().split('\n');
  const text = line || 'an error without a message';
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
