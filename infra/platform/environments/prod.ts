/** prod: three zones, a way out in each, endpoints in every region. */
import type { PlatformConfigInput } from '../config.ts';

export const prod: PlatformConfigInput = {
  environment: 'prod',
  prefix: 'treza-prod',
  region: 'us-west-2',
  regions: {
    'us-west-2': {
      network: {
        kind: 'new',
        cidr: '10.40.0.0/16',
        zones: ['us-west-2a', 'us-west-2b', 'us-west-2c'],
        nat: 'perZone',
        interfaceEndpoints: true,
      },
    },
    'us-east-1': {
      network: {
        kind: 'new',
        cidr: '10.41.0.0/16',
        zones: ['us-east-1a', 'us-east-1b', 'us-east-1c'],
        nat: 'perZone',
        interfaceEndpoints: true,
      },
    },
  },
  enclavesTable: 'treza-enclaves-prod',
  cluster: 'treza-prod-infrastructure',
  images: { operator: 'v0.1.0', runner: 'v0.1.0' },
  operator: { tasks: 2, cpu: 1024, memoryMiB: 2048, maxRuns: 64 },
  runner: { cpu: 2048, memoryMiB: 4096 },
  logRetentionDays: 365,
  planDays: 90,
};
