/** An enclave as the system before this one leaves it: host, named resources and Terraform state. */
import { HOST_ADDRESS, logGroupName, resourceName, stateKey } from '../../enclave/names.ts';
import type { Core } from './core.ts';
import { architectureOf, newestAmi } from './ids.ts';
import type { Attributes, Recorded, SimHost } from './model.ts';

/** Makes it all at once, running. Its host has an image of its own and no configuration object to follow. */
export function leaveBehind(
  core: Core,
  enclaveId: string,
  {
    instanceType,
    agent: hasAgent,
    httpTokens,
  }: { readonly instanceType: string; readonly agent: boolean; readonly httpTokens?: SimHost['httpTokens'] },
): SimHost {
  const { region } = core;
  const group = resourceName('sg', enclaveId);
  const role = resourceName('instance-role', enclaveId);
  const profile = resourceName('instance-profile', enclaveId);
  const bucket = `treza-enclave-scripts-${enclaveId.toLowerCase()}`;
  const resources: readonly [address: string, name: string, attributes: Attributes][] = [
    ['aws_security_group.enclave_sg', group, { name: group, ingress_ports: [22] }],
    ['aws_iam_role.enclave_instance_role', role, { name: role }],
    ['aws_iam_role_policy.enclave_cloudwatch_policy', `${role}:logs`, { role }],
    ['aws_iam_instance_profile.enclave_instance_profile', profile, { name: profile, role }],
    [
      'aws_cloudwatch_log_group.enclave_logs',
      logGroupName(enclaveId),
      { name: logGroupName(enclaveId), retention_in_days: 7 },
    ],
    ['aws_s3_bucket.enclave_scripts', bucket, { bucket }],
  ];
  const recorded = resources.map(([address, name, attributes]): Recorded => {
    const type = address.slice(0, address.indexOf('.'));
    const { id } = core.resources.create({ type, name, region, enclaveId, attributes });
    return { address, type, id, attributes };
  });
  const amiId = newestAmi(`${region}/amzn2`, architectureOf(instanceType));
  const tags = {
    Name: `treza-enclave-${enclaveId}`,
    EnclaveId: enclaveId,
    Environment: core.environment,
    Project: 'Treza',
    ManagedBy: 'terraform',
    Purpose: 'nitro-enclave',
  };
  const host = core.hosts.place({
    region,
    enclaveId,
    instanceType,
    architecture: architectureOf(instanceType),
    amiId,
    securityGroupId: recorded[0]?.id,
    profileName: profile,
    tags,
    hasAgent,
    httpTokens,
  });
  const attributes = { instance_type: instanceType, ami: amiId, tags };
  recorded.push({ address: HOST_ADDRESS, type: 'aws_instance', id: host.instanceId, attributes });
  core.terraform.save({
    key: stateKey(enclaveId),
    serial: 0,
    resources: recorded,
    outputs: { instance_id: host.instanceId },
  });
  return host;
}
