/** What is measured, and the bar each figure must meet. */

export type Bar =
  | { readonly kind: 'atLeast' | 'atMost'; readonly value: number }
  /** Told, not judged. */
  | { readonly kind: 'reported' };

export const atLeast = (value: number): Bar => ({ kind: 'atLeast', value });
export const atMost = (value: number): Bar => ({ kind: 'atMost', value });
export const reported: Bar = { kind: 'reported' };

export type Figures = Readonly<Record<string, number>>;

/** Hands over figures as soon as they are known, so that what fails later cannot lose them; gives them back. */
export type Keep = (figures: Figures) => Figures;

/** What one measurement came to. */
export interface Outcome {
  /** All of them, or those that were known before it failed. */
  readonly figures: Figures;
  /** Why it cannot be measured here; no failure. */
  readonly skipped?: string;
  /** Why it failed, on one line; empty while it runs. */
  readonly failed?: string;
}

export interface Measurement {
  /** Every figure the measurement yields. */
  readonly bars: Readonly<Record<string, Bar>>;
  /** What one should know to read the figures. */
  readonly about: string;
  /** Loaded in the process that measures, and there only. */
  load(): Promise<(keep: Keep) => Promise<Figures>>;
}

export const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  spec: {
    about: 'one core; median of 5 rounds over 10,000 records',
    bars: {
      validate_records_per_second: atLeast(20_000),
      hash_records_per_second: atLeast(20_000),
      catalogue_load_ms: atMost(20),
    },
    load: async () => (await import('./spec.ts')).benchSpec,
  },
  command: {
    about: 'enclavectl validate of one file, in a clone; median of 11 calls after the first',
    bars: { validate_command_ms: atMost(300) },
    load: async () => (await import('./command.ts')).benchCommand,
  },
  start: {
    about: 'npm start in an empty folder, to all examples DEPLOYED; nothing cached',
    bars: { start_to_examples_deployed_seconds: atMost(60) },
    load: async () => (await import('./start.ts')).benchStart,
  },
  put: {
    about: 'from the end of a put to the start of its execution; as many at once as fit under the cap',
    bars: { put_to_start_p99_ms: atMost(1_000) },
    load: async () => (await import('./put.ts')).benchPut,
  },
  reconcile: {
    about: 'in-memory adapters, 10,000 enclaves of one spec at rest, by processor time; median of 5 rounds',
    bars: { reconcile_noop_per_second: atLeast(5_000) },
    load: async () => (await import('./reconcile.ts')).benchReconcile,
  },
  queue: {
    about: 'one take, done and add each, with 100,000 keys waiting; median of 5 rounds',
    bars: { queue_add_get_done_per_second: atLeast(300_000) },
    load: async () => (await import('./queue.ts')).benchQueue,
  },
  sweep: {
    about:
      '10,000 hosts of one region over an EC2 that only counts: calls of one sweep, and its processor time, median of 5',
    bars: { sweep_10k_ec2_calls: atMost(10), sweep_10k_status_calls: atMost(100), sweep_10k_cpu_ms: atMost(2_000) },
    load: async () => (await import('./sweep.ts')).benchSweep,
  },
  detect: {
    about: 'virtual time from a change of a host to the commit that says so; 400 changes at random times',
    bars: { detect_seconds_p99: atMost(70) },
    load: async () => (await import('./detect.ts')).benchDetect,
  },
  plans: {
    about:
      'virtual time until each of 10,000 enclaves deployed within an hour was planned once: 20 a run, 2 runs at a time',
    bars: { deep_plans_10k_hours: atMost(24) },
    load: async () => (await import('./plans.ts')).benchPlans,
  },
  memory: {
    about: 'a controller over adapters that keep nothing: growth of its resident set after a full collection',
    bars: { bytes_per_enclave: atMost(4_096) },
    load: async () => (await import('./memory.ts')).benchMemory,
  },
  scrape: {
    about: '/metrics of a leader over 100,000 enclaves, each scrape after a change; median of 11',
    bars: { scrape_ms: atMost(100), scrape_series: atMost(2_000) },
    load: async () => (await import('./scrape.ts')).benchScrape,
  },
  restart: {
    about: 'operator stopped and started again over 10,000 DEPLOYED enclaves on the embedded database',
    bars: { restart_10k_seconds: atMost(10), restart_10k_runs_started: atMost(0) },
    load: async () => (await import('./restart.ts')).benchRestart,
  },
  stream: {
    about:
      '1,000 records at 50 a second after 100 that are not counted, cap lifted; tasks find no room, so that only the operator works',
    bars: { stream_to_start_p99_ms: atMost(500) },
    load: async () => (await import('./stream.ts')).benchStream,
  },
  failover: {
    about: 'from the signal to the other process leading with everything listed; the worst of several',
    bars: { failover_kill_seconds: atMost(15), handover_seconds: atMost(2) },
    load: async () => (await import('./failover.ts')).benchFailover,
  },
  synth: {
    about: "an enclave's Terraform folder, imports included, each time in a process of its own; median of 5",
    bars: { synth_enclave_ms: atMost(1_000), synth_enclave_rss_mib: atMost(150) },
    load: async () => (await import('./synth.ts')).benchSynth,
  },
  terraform: {
    about: 'real Terraform on the emulator: init, plan and apply; then a plan; and the share that is not Terraform',
    bars: {
      terraform_deploy_seconds: reported,
      terraform_deploy_ours_percent: reported,
      terraform_plan_seconds: reported,
      terraform_plan_ours_percent: reported,
    },
    load: async () => (await import('./terraform.ts')).benchTerraform,
  },
  simulation: {
    about: 'seeds of the simulation on every core, none of which may fail',
    bars: { sim_seeds_per_minute: reported, sim_virtual_hours_per_minute: reported },
    load: async () => (await import('./simulation.ts')).benchSimulation,
  },
};

export function isMet(value: number, bar: Bar): boolean {
  switch (bar.kind) {
    case 'atLeast':
      return value >= bar.value;
    case 'atMost':
      return value <= bar.value;
    case 'reported':
      return true;
  }
}
