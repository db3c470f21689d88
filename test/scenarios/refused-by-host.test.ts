/** What an operator does about a host's permanent errors, on virtual time: the attempt ends, and the record says why. */
import { expect, it } from 'vitest';
import type { Report } from '../../src/enclave/items/report.ts';
import { MINUTE } from '../support/time.ts';
import { type VirtualOperator, virtualOperator } from '../support/virtual-operator.ts';

const ID = 'enc_1';
const SENTENCE = 'docker pull: manifest for no-such-image:1 not found: manifest unknown';
const REFUSAL = { class: 'image', code: 'E50', message: SENTENCE };

/** Every report of the enclave's host says this of its generation, over what it would say. */
function hostsSay(v: VirtualOperator, says: (generation: number) => Partial<Report> | undefined): void {
  const { hosts } = v.world;
  const { report } = hosts;
  hosts.report = (host) => {
    const said = says(host.appliedGeneration);
    host.illness = said === undefined ? undefined : { says: said, cure: 'boot' };
    report.call(hosts, host);
  };
}

async function posted(v: VirtualOperator): Promise<void> {
  v.start();
  await v.clock.advance(5_000);
  v.post(ID);
}

/** Until the host has reported, and `ms` longer. */
async function reportedFor(v: VirtualOperator, ms: number): Promise<void> {
  const isReported = () => v.world.tables.state.partition(`report#${ID}`).length > 0;
  await v.until(() => isReported() && v.lifecycle(ID)?.phase !== 'provisioning', 'the first report');
  await v.clock.advance(ms);
}

it("the operator publishes FAILED with the host's message within two minutes of a permanent error", async () => {
  const v = virtualOperator();
  hostsSay(v, (generation) =>
    generation === 1 ? { appliedGeneration: 0, enclaves: [], error: { ...REFUSAL, generation } } : undefined,
  );
  await posted(v);
  await reportedFor(v, 2 * MINUTE);
  expect(v.world.record(ID)).toMatchObject({
    status: 'FAILED',
    error_type: 'validation',
    error_message: expect.stringContaining(SENTENCE),
  });
  expect(v.condition(ID, 'Stalled')).toMatchObject({
    status: 'True',
    reason: 'TerminalError',
  });
  await v.clock.advance(75 * MINUTE);
  expect(v.executions(ID)).toHaveLength(1);
  v.editMembers(ID, { dockerImage: 'nginx:1.28' });
  await v.until(() => v.status(ID) === 'DEPLOYED', 'the next generation is DEPLOYED', 10 * MINUTE);
  expect(v.world.record(ID)).not.toHaveProperty('error_message');
});

it('an enclave that serves stays DEPLOYED when its host refuses an update, and the next update is applied', async () => {
  const v = virtualOperator();
  hostsSay(v, (generation) =>
    generation === 2 ? { appliedGeneration: 1, error: { ...REFUSAL, generation } } : undefined,
  );
  await posted(v);
  await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
  v.editMembers(ID, { dockerImage: 'no-such-image:1' });
  await v.until(() => v.executions(ID).length === 2, 'the run of the update');
  await v.until(() => v.lifecycle(ID)?.phase === 'stalled', 'the end of the attempt', 3 * MINUTE);
  await v.clock.advance(75 * MINUTE);
  expect(v.world.record(ID)).toMatchObject({
    status: 'DEPLOYED',
    error_message: expect.stringContaining(SENTENCE),
  });
  expect(v.executions(ID)).toHaveLength(2);
  v.editMembers(ID, { dockerImage: 'nginx:1.28' });
  await v.until(() => v.lifecycle(ID)?.phase === 'ready', 'the next generation is ready', 10 * MINUTE);
  expect(v.world.record(ID)).not.toHaveProperty('error_message');
});

it.each<[string, Report['error']]>([
  ['an error of another generation', { ...REFUSAL, generation: 7 }],
  ['an error without a generation', REFUSAL],
  ['an error that the host retries', { class: 'transient', code: 'pull', message: 'timeout', generation: 1 }],
  ['another fault of the image', { class: 'image', code: 'E49', message: 'docker build', generation: 1 }],
  ['a permanent code in another class', { ...REFUSAL, class: 'transient', generation: 1 }],
])('%s does not end the attempt', async (_, error) => {
  const v = virtualOperator();
  hostsSay(v, () => ({ appliedGeneration: 0, enclaves: [], error }));
  await posted(v);
  await reportedFor(v, 5 * MINUTE);
  expect(v.lifecycle(ID)?.phase).toBe('verifying');
  expect(v.status(ID)).toBe('DEPLOYING');
});

it("an error from before the host's last start does not end the attempt", async () => {
  const v = virtualOperator();
  let isRefused = true;
  hostsSay(v, (generation) =>
    isRefused ? { appliedGeneration: 0, enclaves: [], error: { ...REFUSAL, generation } } : undefined,
  );
  await posted(v);
  await v.until(() => v.status(ID) === 'FAILED', 'FAILED');
  // The host falls silent: what it reported before the next run says nothing of that run.
  const [host] = v.world.hosts.living(ID);
  v.world.hosts.freezeReports(host!);
  v.command(ID, 'PENDING_DEPLOY');
  await v.until(() => v.executions(ID).length === 2 && v.lifecycle(ID)?.phase === 'verifying', 'verifying again');
  await v.clock.advance(3 * MINUTE);
  expect(v.lifecycle(ID)?.phase).toBe('verifying');
  isRefused = false;
  v.world.hosts.freezeReports(host!, false);
  v.world.hosts.report(host!);
  await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED', 5 * MINUTE);
});

it('a new command has the host pull an unchanged image again', async () => {
  const v = virtualOperator();
  let isPushed = false;
  let isRefused = true;
  hostsSay(v, (generation) =>
    isRefused ? { appliedGeneration: 0, enclaves: [], error: { ...REFUSAL, generation } } : undefined,
  );
  const { restartEnclave } = v.world.hosts;
  // After a permanent error, the agent tries the same configuration again only if it is asked to.
  v.world.hosts.restartEnclave = (region, instanceId) => {
    if (isPushed) isRefused = false;
    return restartEnclave.call(v.world.hosts, region, instanceId);
  };
  const { connection } = v.start();
  await v.clock.advance(5_000);
  v.post(ID);
  await v.until(() => v.status(ID) === 'FAILED', 'FAILED');
  expect(connection.faults.calls('hosts.restartEnclave')).toBe(0);
  v.command(ID, 'PENDING_DEPLOY');
  await v.until(() => connection.faults.calls('hosts.restartEnclave') === 1, 'the host is asked', 5 * MINUTE);
  await v.until(() => v.status(ID) === 'FAILED', 'it refuses again', 5 * MINUTE);
  isPushed = true;
  v.command(ID, 'PENDING_DEPLOY');
  await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED', 10 * MINUTE);
  expect(connection.faults.calls('hosts.restartEnclave')).toBe(2);
});

it('an attempt that fails at its deadline says what the host last reported', async () => {
  const v = virtualOperator();
  const message =
    'docker pull: Get "https://registry.acme.internal/v2/": dial tcp 10.0.0.7:443: i/o timeout,\n' +
    'role arn:aws:iam::123456789012:role/host of 123456789012';
  hostsSay(v, () => ({ appliedGeneration: 0, enclaves: [], error: { class: 'transient', code: 'pull', message } }));
  await posted(v);
  await v.until(() => v.lifecycle(ID)?.failure !== undefined, 'the deadline', 30 * MINUTE);
  const text = v.world.record(ID)?.error_message;
  expect(text).toContain('the host reported no running enclave in time');
  expect(text).toContain('docker pull: Get');
  expect(text).toContain('i/o timeout');
  expect(text).not.toMatch(/acme\.internal|10\.0\.0\.7|123456789012|arn:|\n/);
});

it('a report of the generation before does not prove the update that has just been applied', async () => {
  const v = virtualOperator();
  hostsSay(v, (generation) => (generation === 2 ? { appliedGeneration: 1 } : undefined));
  await posted(v);
  await v.until(() => v.status(ID) === 'DEPLOYED', 'DEPLOYED');
  v.editMembers(ID, { dockerImage: 'nginx:1.28' });
  await v.until(() => v.executions(ID).length === 2, 'the run of the update');
  await v.clock.advance(5_000);
  v.world.hosts.report(v.host(ID));
  await v.until(() => v.lifecycle(ID)?.observedGeneration === 2, 'the end of the run');
  expect(v.lifecycle(ID)?.phase).toBe('verifying');
});
