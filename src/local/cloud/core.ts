/** The simulated cloud itself, without any wire: usable on virtual time. */
import type { Report } from '../../enclave/items/report.ts';
import type { Clock, Log, Random } from '../../reconciler/ports/index.ts';
import { openJournal } from '../journal.ts';
import { Agents } from './agents.ts';
import { Faults } from './faults.ts';
import { SimHosts } from './hosts.ts';
import { ReportWriter } from './report-writer.ts';
import { SimResources } from './resources.ts';
import { memoryJournal } from './shelf.ts';
import { configurationKey } from './stack.ts';
import { Tally } from './tally.ts';
import { SimTerraform } from './terraform.ts';
import { Timers } from './timers.ts';

export interface CloudOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Region of calls and of runs that name none. */
  readonly region: string;
  readonly environment: string;
  /** Where the cloud is remembered; without it, it is forgotten with the process. */
  readonly journalFile?: string | undefined;
  /** Divides every delay. */
  readonly speed: number;
  /** Delivers a host's report, as the host's own role would write it. Tried again until it succeeds. */
  writeReport(report: Report): Promise<void>;
}

export interface Core {
  readonly hosts: SimHosts;
  readonly resources: SimResources;
  readonly agents: Agents;
  readonly terraform: SimTerraform;
  readonly faults: Faults;
  readonly tally: Tally;
  readonly environment: string;
  readonly region: string;
  /** Time goes on: hosts that were on their way arrive. */
  start(): void;
  /** Time stands still, and the journal is closed. */
  stop(): void;
}

export function createCore(options: CloudOptions): Core {
  const { clock, random, region, environment } = options;
  const journal = options.journalFile === undefined ? memoryJournal() : openJournal(options.journalFile);
  const timers = new Timers(clock, options.speed);
  const faults = new Faults();
  const tally = new Tally();
  const hosts = new SimHosts(clock, random, timers, journal);
  const resources = new SimResources(random, journal);
  const agents = new Agents({
    clock,
    random,
    timers,
    hosts,
    faults,
    reports: new ReportWriter((report) => options.writeReport(report), timers, options.log),
    configurationOf: ({ region, enclaveId }) =>
      resources.byName(region, 'aws_s3_object', configurationKey(enclaveId))?.attributes,
  });
  const world = {
    hosts,
    resources,
    timers,
    faults,
    configurationChanged: (enclaveId: string) => agents.configurationChanged(enclaveId),
  };
  const terraform = new SimTerraform({ world, random, tally, journal, region, environment });
  return {
    hosts,
    resources,
    agents,
    terraform,
    faults,
    tally,
    environment,
    region,
    start() {
      hosts.resume();
      agents.resume();
    },
    stop() {
      timers.cancelAll();
      journal.close();
    },
  };
}
