/** Preloaded into `npm run bench` and its child: a measurement that fails after its first figure, and one that fails before. */
import type { Figures, Measurement } from '../bench/measurement.ts';
import { atMost, MEASUREMENTS, reported } from '../bench/measurement.ts';

const measurements = MEASUREMENTS as Record<string, Measurement>;
for (const name of Object.keys(measurements)) delete measurements[name];

/** Without `keep`, as before it was there, the first figure is lost. */
type Measure = (keep?: (figures: Figures) => void) => Promise<Figures>;
const measurement = (bars: Measurement['bars'], measure: Measure): Measurement => ({
  about: 'a fake',
  bars,
  load: async () => measure,
});

measurements.late = measurement({ first_ms: atMost(10), second_ms: atMost(10) }, async (keep) => {
  keep?.({ first_ms: 5 });
  throw new Error('the check after the first figure timed out | after 400 s\nand a log');
});
measurements.early = measurement({ third_ms: reported }, async () => {
  throw new Error('nothing was measured');
});
measurements.killed = measurement({ fourth_ms: atMost(10), fifth_ms: atMost(10) }, async (keep) => {
  keep?.({ fourth_ms: 7 });
  process.kill(process.pid, 'SIGKILL');
  return new Promise<Figures>(() => {});
});
measurements.fine = measurement({ sixth_ms: atMost(10) }, async () => ({ sixth_ms: 3 }));
