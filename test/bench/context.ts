/** A reconcile's context as the controller makes it. */
import type { Control } from '../../src/enclave/fleet-items.ts';
import { rememberedWorkOut } from '../../src/enclave/spec-memo.ts';
import { AttestationObserver } from '../../src/reconciler/attestation-observer.ts';
import type { Config } from '../../src/reconciler/config.ts';
import type { ReconcileContext } from '../../src/reconciler/context.ts';
import { Dependencies } from '../../src/reconciler/dependencies.ts';
import { HostObserver } from '../../src/reconciler/host-observer.ts';
import { NameCollisions } from '../../src/reconciler/name-collisions.ts';
import type { Ports } from '../../src/reconciler/ports.ts';
import { RepairGovernor, repairLimitsOf } from '../../src/reconciler/repair-governor.ts';
import { ReportFreshness } from '../../src/reconciler/report-freshness.ts';
import { RunObserver } from '../../src/reconciler/run-observer.ts';
import { RunSlots } from '../../src/reconciler/run-slots.ts';
import { SecondLooks } from '../../src/reconciler/second-looks.ts';
import { StatusObserver } from '../../src/reconciler/status-observer.ts';
import { SurroundingsObserver } from '../../src/reconciler/surroundings-observer.ts';
import { WalletQuota } from '../../src/reconciler/wallet-quota.ts';
import { Stopwatches } from '../../src/reconciler/watchdog.ts';

export function contextOf(ports: Ports, config: Config, control: Control): ReconcileContext {
  const slots = new RunSlots({
    clock: ports.clock,
    max: config.maxRuns,
    maxPerOwner: config.maxRunsPerWallet,
    createsPerSecond: config.runInstancesPerSecond,
    wake: () => {},
  });
  slots.counted();
  const specContext = { regions: config.regions, defaultRegion: config.region, environment: config.environment };
  return {
    ports,
    config,
    limits: config,
    control,
    specContext,
    workOut: rememberedWorkOut(specContext),
    hosts: new HostObserver(ports, config, () => {}),
    statuses: new StatusObserver(ports, config, () => {}),
    surroundings: new SurroundingsObserver(ports, config, () => {}),
    attestations: new AttestationObserver(ports, config),
    runs: new RunObserver(ports, config),
    slots,
    quota: new WalletQuota(config.maxEnclavesPerWallet, () => {}),
    names: new NameCollisions(),
    repairs: new RepairGovernor({
      limits: repairLimitsOf(config),
      defaultRegion: config.region,
      clock: ports.clock,
      wake: () => {},
      onBreaker: () => {},
    }),
    driftAnswers: { requested: () => {} },
    states: { isMissing: () => false, isLockStale: () => false },
    publishes: new Stopwatches(ports.clock),
    reports: new ReportFreshness(ports.clock),
    secondLooks: new SecondLooks(ports.clock, 2 * config.sweepMs),
    epoch: () => 1,
    dependencies: new Dependencies(() => {}),
    deletionsAllowed: () => true,
    asked: false,
    onLifecycle: () => {},
    onCommitted: () => {},
    onPublished: () => {},
  };
}
