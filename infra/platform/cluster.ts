/** The cluster, and the groups of its tasks. */
import { EcsCluster } from '@cdktf/provider-aws/lib/ecs-cluster/index.js';
import { EcsClusterCapacityProviders } from '@cdktf/provider-aws/lib/ecs-cluster-capacity-providers/index.js';
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js';
import type { Platform } from './context.ts';

export function cluster({ stack, config }: Platform): EcsCluster {
  const made = new EcsCluster(stack, 'cluster', {
    name: config.cluster,
    // Counts running tasks: the alarm on a silent operator reads it.
    setting: [{ name: 'containerInsights', value: 'enabled' }],
  });
  new EcsClusterCapacityProviders(stack, 'cluster-capacity', {
    clusterName: made.name,
    capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
    // A run that Spot takes away in the middle of an apply costs more than it saves.
    defaultCapacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }],
  });
  return made;
}

/** Tasks call AWS and nobody calls them. Health and metrics are read on the task's own localhost. */
export function taskGroup({ stack, config }: Platform, id: 'operator' | 'runner', vpcId: string): SecurityGroup {
  return new SecurityGroup(stack, `${id}-group`, {
    name: `${config.prefix}-${id}`,
    description: id === 'operator' ? 'The operator' : 'Terraform runs',
    vpcId,
    ingress: [],
    egress: [
      {
        description: 'AWS APIs; IAM and Step Functions have public addresses alone',
        protocol: 'tcp',
        fromPort: 443,
        toPort: 443,
        cidrBlocks: ['0.0.0.0/0'],
      },
    ],
    tags: { Name: `${config.prefix}-${id}` },
  });
}
