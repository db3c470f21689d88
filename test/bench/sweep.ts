/** What a sweep over ten thousand hosts costs: calls of EC2, and processor time. */
import {
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  type EC2Client,
  type Instance,
} from '@aws-sdk/client-ec2';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { createHosts } from '../../src/aws/hosts.ts';
import { ConfigSchema } from '../../src/reconciler/config.ts';
import { HostObserver } from '../../src/reconciler/observers/hosts.ts';
import { InstanceStatusObserver } from '../../src/reconciler/observers/instance-status.ts';
import { systemClock } from '../../src/reconciler/ports/system-clock.ts';
import { memoryLog } from '../support/memory-world.ts';
import type { Figures, Keep } from './measurement.ts';
import { median } from './statistics.ts';

const HOSTS = 10_000;
const ROUNDS = 5;
const REGION = 'us-west-2';

const never = (): never => {
  throw new Error('a sweep asks for nothing of the kind');
};

/** As the enclave stack makes it. */
function instance(n: number): Instance {
  const id = `enc_1755986905612_${n}`;
  const tags = { Name: `treza-enclave-${id}`, EnclaveId: id, Environment: 'dev', ManagedBy: 'terraform' };
  return {
    InstanceId: `i-${String(n).padStart(17, '0')}`,
    State: { Name: 'running', Code: 16 },
    LaunchTime: new Date(0),
    InstanceType: 'm6i.xlarge',
    ImageId: 'ami-0123456789abcdef0',
    EnclaveOptions: { Enabled: true },
    IamInstanceProfile: { Arn: `arn:aws:iam::123456789012:instance-profile/enclaves/treza-enclave-${id}`, Id: 'p' },
    SecurityGroups: [{ GroupId: 'sg-0123456789abcdef0', GroupName: `treza-enclave-sg-${id}` }],
    MetadataOptions: { HttpEndpoint: 'enabled', HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
  };
}

/** EC2 with so many hosts; counts what it is asked. What the SDK does around a call is not part of it. */
function countingEc2(hosts: readonly Instance[]) {
  const calls = new Map<string, number>();
  const pageOf = <T>(all: readonly T[], size: number | undefined, token: string | undefined) => {
    const from = Number(token ?? 0);
    const to = from + (size ?? 1_000);
    return { page: all.slice(from, to), NextToken: to < all.length ? String(to) : undefined };
  };
  const statusOf = ({ InstanceId }: Instance) => ({
    InstanceId,
    InstanceState: { Name: 'running' },
    SystemStatus: { Status: 'ok' },
    InstanceStatus: { Status: 'ok' },
  });
  const answers = async (command: unknown): Promise<unknown> => {
    const name = (command as object).constructor.name.replace(/Command$/, '');
    calls.set(name, (calls.get(name) ?? 0) + 1);
    if (command instanceof DescribeInstancesCommand) {
      const { page, NextToken } = pageOf(hosts, command.input.MaxResults, command.input.NextToken);
      return { Reservations: page.map((each) => ({ Instances: [each] })), NextToken };
    }
    if (command instanceof DescribeInstanceStatusCommand) {
      const ids = new Set(command.input.InstanceIds);
      const asked = ids.size === 0 ? hosts : hosts.filter(({ InstanceId }) => ids.has(InstanceId ?? ''));
      const { page, NextToken } = pageOf(asked, command.input.MaxResults, command.input.NextToken);
      return { InstanceStatuses: page.map(statusOf), NextToken };
    }
    return never();
  };
  return { calls, client: { send: answers } as unknown as EC2Client };
}

export async function benchSweep(keep: Keep): Promise<Figures> {
  const { calls, client } = countingEc2(Array.from({ length: HOSTS }, (_, n) => instance(n)));
  const config = ConfigSchema.parse({});
  const hosts = createHosts({
    clients: { ec2: () => client, ssm: (): SSMClient => never() },
    environment: config.environment,
    prefix: config.prefix,
  });
  let changed = 0;
  const ports = { clock: systemClock, log: memoryLog(), hosts };
  const onChange = () => {
    changed += 1;
  };
  const observer = new HostObserver(ports, config, onChange);
  const statuses = new InstanceStatusObserver(ports, config, onChange);
  const sweep = async () => statuses.ask(REGION, await observer.sweep(REGION));
  await sweep();
  const perSweep = (name: string) => {
    const count = calls.get(name);
    if (count === undefined) throw new Error(`a sweep never called ${name}`);
    return count;
  };
  keep({
    sweep_10k_ec2_calls: perSweep('DescribeInstances'),
    sweep_10k_status_calls: perSweep('DescribeInstanceStatus'),
  });
  const times: number[] = [];
  while (times.length < ROUNDS) {
    const before = process.cpuUsage();
    await sweep();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1_000);
  }
  keep({ sweep_10k_cpu_ms: Math.round(median(times)) });
  if (changed > 0) throw new Error(`${changed} hosts were reported as changed, and none has changed`);
  return {};
}
