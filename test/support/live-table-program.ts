/** Draws the live table twice on the terminal it runs on, as `enclavectl local` does. */
import { liveTable } from '../../src/cli/live-table.ts';
import type { Row } from '../../src/cli/row.ts';
import { ioFor } from './cli.ts';

const row = (id: string, name: string, phase: string, message: string): Row => ({
  ...{ id, name, desired: 'Running', phase, status: 'DEPLOYING', host: 'i-0123456789abcdef0', inSync: false },
  ...{ ageSeconds: 16, message },
});

const { stdout, env } = process;
const { io } = ioFor({
  env,
  terminal: stdout.isTTY === true,
  height: () => stdout.rows,
  width: () => stdout.columns,
  onOut: (text) => void stdout.write(text),
});
const table = liveTable(io);
const long = 'creating the host, which takes some minutes because EC2 has to start an instance first';
for (const phase of ['pending', 'provisioning']) {
  table.show([
    row('enc_1760000000001_service', 'nightly-report-of-signatures', phase, long),
    row('enc_1760000000002_batch', '名前は長いものですから', phase, long),
  ]);
}
