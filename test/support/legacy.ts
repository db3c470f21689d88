/** What an adopt run learns of a host of the old pipeline. */
import type { Legacy } from '../../src/enclave/items/legacy-host.ts';

const rule = {
  ...{ description: '', ipv6_cidr_blocks: [], prefix_list_ids: [], security_groups: [], self: false },
  cidr_blocks: ['10.0.0.0/8'],
};

export const LEGACY: Legacy = {
  tags: { Project: 'Treza', Environment: 'dev', ManagedBy: 'terraform', EnclaveId: 'old' },
  host: {
    ami: 'ami-0aaaaaaaaaaaaaaaa',
    instance_type: 'm5.xlarge',
    user_data_replace_on_change: true,
    disable_api_termination: false,
    extra_security_group_ids: [],
    tags: { Purpose: 'nitro-enclave' },
  },
  security_group: {
    name: 'treza-enclave-sg-old',
    description: 'Security group for a Nitro enclave host',
    vpc_id: 'vpc-0aaaaaaaaaaaaaaaa',
    ingress: [{ ...rule, protocol: 'tcp', from_port: 22, to_port: 22 }],
    egress: [{ ...rule, protocol: '-1', from_port: 0, to_port: 0 }],
    tags: {},
  },
  role: { name: 'treza-enclave-instance-role-old', path: '/', assume_role_policy: '{}', tags: {} },
  log_policy: { name: 'treza-enclave-cloudwatch-old', policy: '{}' },
  profile: { name: 'treza-enclave-instance-profile-old', path: '/', tags: {} },
  log_group: { name: '/aws/ec2/enclave/old', retention_in_days: 7, tags: {} },
  outputs: { instance_id: 'i-0aaaaaaaaaaaaaaaa', architecture: 'vsocket-v2' },
};
