/** What the enclave stack would declare, as addresses, names and attributes. */
import { isPlainMap } from '../../enclave/json.ts';
import {
  HOST_ADDRESS,
  logGroupName,
  resourceName,
  TAG_ENCLAVE_ID,
  TAG_ENVIRONMENT,
  TAG_MANAGED_BY,
} from '../../enclave/names.ts';
import { type Architecture, architectureOf, newestAmi } from './ids.ts';
import type { Attributes } from './model.ts';

/** The part of a run's variables the stack depends on. */
export interface StackInput {
  readonly enclaveId: string;
  readonly region: string;
  readonly environment: string;
  readonly generation: number;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly pinnedAmiId?: string | undefined;
}

export interface Declared {
  readonly address: string;
  readonly type: string;
  /** The name by which AWS knows it; the enclave's id for the host, which has no name. */
  readonly name: string;
  readonly attributes: Attributes;
}

export const HOST_TYPE = 'aws_instance';
export const CONFIGURATION_ADDRESS = 'aws_s3_object.enclave_configuration';
/** What an incumbent's state holds and this stack keeps as it is. */
export const KEPT: ReadonlySet<string> = new Set(['aws_s3_bucket.enclave_scripts']);

export const configurationKey = (enclaveId: string) => `enclaves/${enclaveId}/configuration.json`;

/** The image stays for a host's life, unless the processor changes with the instance type. */
function amiOf(input: StackInput, present: { readonly ami: string; readonly architecture: Architecture } | undefined) {
  const wanted = architectureOf(String(input.spec.instanceType ?? ''));
  const newest = newestAmi(input.region, wanted);
  const other = newestAmi(input.region, wanted === 'arm64' ? 'x86_64' : 'arm64');
  if (input.pinnedAmiId !== undefined && input.pinnedAmiId !== other) return input.pinnedAmiId;
  return present !== undefined && present.architecture === wanted ? present.ami : newest;
}

/** In the order in which they depend on each other; the host last. */
export function declare(
  input: StackInput,
  present: { readonly ami: string; readonly architecture: Architecture } | undefined,
): readonly Declared[] {
  const { enclaveId, spec } = input;
  const group = resourceName('sg', enclaveId);
  const role = resourceName('instance-role', enclaveId);
  const profile = resourceName('instance-profile', enclaveId);
  const resource = (address: string, name: string, attributes: Attributes): Declared => ({
    address,
    type: address.slice(0, address.indexOf('.')),
    name,
    attributes,
  });
  return [
    resource('aws_security_group.enclave_sg', group, { name: group, ingress_ports: spec.exposePorts ?? [] }),
    resource('aws_iam_role.enclave_instance_role', role, { name: role }),
    resource('aws_iam_role_policy.enclave_cloudwatch_policy', `${role}:logs`, { role }),
    resource('aws_iam_instance_profile.enclave_instance_profile', profile, { name: profile, role }),
    resource('aws_cloudwatch_log_group.enclave_logs', logGroupName(enclaveId), {
      name: logGroupName(enclaveId),
      retention_in_days: isPlainMap(spec.logs) ? (spec.logs.retentionDays ?? 30) : 30,
    }),
    resource(CONFIGURATION_ADDRESS, configurationKey(enclaveId), {
      key: configurationKey(enclaveId),
      content: { generation: input.generation, spec },
    }),
    resource(HOST_ADDRESS, enclaveId, {
      instance_type: spec.instanceType,
      ami: amiOf(input, present),
      tags: {
        Name: `treza-enclave-${enclaveId}`,
        ...(isPlainMap(spec.tags) ? spec.tags : {}),
        [TAG_ENCLAVE_ID]: enclaveId,
        [TAG_ENVIRONMENT]: input.environment,
        [TAG_MANAGED_BY]: 'terraform',
      },
    }),
  ];
}
