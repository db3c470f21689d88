/** The emulator answers what real Terraform asks, and leaves no process behind. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Emulator, requireTools, startEmulator } from '../support/emulator.ts';

describe.skipIf(!requireTools('the emulator'))('the emulator', () => {
  let emulator: Emulator;
  const aws = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync('aws', [...args, '--output', 'json'], {
      env: { ...process.env, ...emulator.env },
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return JSON.parse(stdout);
  };

  beforeAll(async () => {
    emulator = await startEmulator();
  });
  afterAll(() => emulator.stop());

  it('keeps the enclave options and the groups of a host with a public address', () => {
    const [{ SubnetId, VpcId }] = aws('ec2', 'describe-subnets').Subnets;
    const names = ['--group-name', 'hosts', '--description', 'hosts'];
    const { GroupId } = aws('ec2', 'create-security-group', ...names, '--vpc-id', VpcId);
    const network = `DeviceIndex=0,SubnetId=${SubnetId},Groups=${GroupId},AssociatePublicIpAddress=true`;
    const launch = ['--image-id', 'ami-0123456789abcdef0', '--instance-type', 'm6i.xlarge'];
    aws('ec2', 'run-instances', ...launch, '--enclave-options', 'Enabled=true', '--network-interfaces', network);
    aws('ec2', 'run-instances', ...launch, '--subnet-id', SubnetId);

    const [enclaveHost, other] = aws('ec2', 'describe-instances').Reservations.flatMap(
      (each: { Instances: object[] }) => each.Instances,
    );
    expect(enclaveHost).toMatchObject({ EnclaveOptions: { Enabled: true }, SecurityGroups: [{ GroupId }] });
    expect(other).toMatchObject({ EnclaveOptions: { Enabled: false } });
  });

  it('validates state machines and lists their versions', () => {
    const machine = 'arn:aws:states:us-west-2:123456789012:stateMachine:any';
    expect(aws('stepfunctions', 'validate-state-machine-definition', '--definition', '{}')).toMatchObject({
      result: 'OK',
      diagnostics: [],
    });
    expect(aws('stepfunctions', 'list-state-machine-versions', '--state-machine-arn', machine)).toEqual({
      stateMachineVersions: [],
    });
  });

  it('is gone once stopped', async () => {
    const second = await startEmulator();
    expect((await fetch(`${second.url}/moto-api/data.json`)).status).toBe(200);
    await second.stop();
    await expect(fetch(second.url)).rejects.toThrow('fetch failed');
  });
});
