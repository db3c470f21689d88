/** Reading the state of the pipeline before this one: what is learned of it, and what is refused. */
import { describe, expect, it } from 'vitest';
import { EngineFailure } from '../../../runner/src/engine/port.ts';
import { readLeftBehind } from '../../../runner/src/engine/terraform-legacy.ts';
import { omit } from '../../../src/enclave/omit.ts';

type Attributes = Record<string, unknown>;

const DEFAULTS = { Project: 'Treza', EnclaveId: 'old' };
const tagged = (tags: Record<string, string> | null) => ({ tags, tags_all: { ...DEFAULTS, ...tags } });

const RESOURCES: Readonly<Record<string, Attributes>> = {
  'aws_instance.enclave_instance': {
    id: 'i-1',
    ami: 'ami-1',
    instance_type: 'm5.xlarge',
    user_data_replace_on_change: true,
    disable_api_termination: null,
    vpc_security_group_ids: ['sg-1', 'sg-by-hand'],
    ...tagged({ EnclaveId: 'old', Purpose: 'nitro-enclave' }),
  },
  'aws_security_group.enclave_sg': {
    id: 'sg-1',
    name: 'treza-enclave-sg-old',
    description: 'a group',
    vpc_id: 'vpc-1',
    ingress: [{ from_port: 22 }],
    egress: null,
    ...tagged(null),
  },
  'aws_iam_role.enclave_instance_role': { name: 'role', path: '/', assume_role_policy: '{}', ...tagged({}) },
  'aws_iam_role_policy.enclave_cloudwatch_policy': { name: 'policy', policy: '{}' },
  'aws_iam_instance_profile.enclave_instance_profile': { name: 'profile', path: '/', ...tagged({}) },
  'aws_cloudwatch_log_group.enclave_logs': { name: '/aws/ec2/enclave/old', retention_in_days: 7, ...tagged({}) },
  'aws_s3_bucket.enclave_scripts': { bucket: 'treza-enclave-scripts-1' },
  'aws_s3_object.parent_proxy': { bucket: 'treza-enclave-scripts-1', key: 'parent_proxy.py' },
  'null_resource.mark_deployment_complete': { id: '1' },
};

function stateOf(resources: Readonly<Record<string, Attributes>>, outputs: object = {}): string {
  const entries = Object.entries(resources).map(([address, attributes]) => {
    const [type, name] = address.split('.');
    return { mode: 'managed', type, name, provider: 'any', instances: [{ attributes }] };
  });
  const data = { mode: 'data', type: 'aws_ami', name: 'amazon_linux', instances: [{ attributes: { id: 'ami-2' } }] };
  return JSON.stringify({ version: 4, outputs, resources: [data, ...entries] });
}

describe('a state of the old pipeline', () => {
  it('tells what a plan must find as it was', () => {
    const outputs = { instance_id: { value: 'i-1', type: 'string' }, number: { value: 7, type: 'number' } };
    expect(readLeftBehind(stateOf(RESOURCES, outputs))).toEqual({
      instanceId: 'i-1',
      scripts: { bucket: 'treza-enclave-scripts-1', objects: { parent_proxy: 'parent_proxy.py' } },
      strangers: ['null_resource.mark_deployment_complete'],
      legacy: {
        tags: DEFAULTS,
        host: {
          ami: 'ami-1',
          instance_type: 'm5.xlarge',
          user_data_replace_on_change: true,
          disable_api_termination: false,
          extra_security_group_ids: ['sg-by-hand'],
          tags: { EnclaveId: 'old', Purpose: 'nitro-enclave' },
        },
        security_group: {
          name: 'treza-enclave-sg-old',
          description: 'a group',
          vpc_id: 'vpc-1',
          ingress: [{ from_port: 22 }],
          egress: [],
          tags: {},
        },
        role: { name: 'role', path: '/', assume_role_policy: '{}', tags: {} },
        log_policy: { name: 'policy', policy: '{}' },
        profile: { name: 'profile', path: '/', tags: {} },
        log_group: { name: '/aws/ec2/enclave/old', retention_in_days: 7, tags: {} },
        outputs: { instance_id: 'i-1' },
      },
    });
  });

  it('is none where there is no host, where there is no state, and where the host is of our own making', () => {
    const rest = omit(RESOURCES, 'aws_instance.enclave_instance');
    expect(readLeftBehind(stateOf(rest)).legacy).toBeUndefined();
    expect(readLeftBehind(undefined)).toEqual({ strangers: [] });
    const ours = { ...RESOURCES, 'aws_iam_role_policy.enclave_host_policy': { name: 'enclave-host', policy: '{}' } };
    const { legacy, scripts } = readLeftBehind(stateOf(ours));
    expect(legacy).toBeUndefined();
    expect(scripts?.bucket).toBe('treza-enclave-scripts-1');
  });

  it('is refused by the name of what it lacks', () => {
    const { 'aws_iam_role.enclave_instance_role': role, ...rest } = RESOURCES;
    const broken = { ...RESOURCES, 'aws_iam_role.enclave_instance_role': { ...role, path: 7 } };
    for (const [json, says] of [
      [stateOf(rest), 'lists a host and no aws_iam_role.enclave_instance_role'],
      [stateOf(broken), 'no usable path of aws_iam_role.enclave_instance_role'],
      ['{', 'none that Terraform has written'],
      ['[]', 'none that Terraform has written'],
    ] as const) {
      expect(() => readLeftBehind(json)).toThrow(EngineFailure);
      expect(() => readLeftBehind(json)).toThrow(says);
    }
  });
});
