/** Entry of the process that makes one measurement; writes the figures as JSON to the file it is given. */
import { writeFileSync } from 'node:fs';
import { type Figures, MEASUREMENTS } from './measurement.ts';
import { Skipped } from './skipped.ts';

const [name = '', file = ''] = process.argv.slice(2);
const measurement = MEASUREMENTS[name];
if (measurement === undefined) throw new Error(`no measurement ${name}`);

let result: { readonly figures: Figures } | { readonly skipped: string };
try {
  const measure = await measurement.load();
  result = { figures: await measure() };
} catch (error) {
  if (!(error instanceof Skipped)) throw error;
  result = { skipped: error.message };
}
writeFileSync(file, JSON.stringify(result));
process.exit(0);
