/** staging: prod's shape at a smaller size. */
import type { PlatformConfigInput } from '../config.ts';

export const staging: PlatformConfigInput = {
  environment: 'staging',
  prefix: 'treza-staging',
  region: 'us-west-2',
  regions: {
    'us-west-2': {
      network: {
        kind: 'new',
        cidr: '10.30.0.0/16',
        zones: ['us-west-2a', 'us-west-2b'],
        nat: 'one',
        interfaceEndpoints: true,
      },
    },
    'us-east-1': {
      network: {
        kind: 'new',
        cidr: '10.31.0.0/16',
        zones: ['us-east-1a', 'us-east-1b'],
        nat: 'one',
        interfaceEndpoints: false,
      },
    },
  },
  enclavesTable: 'treza-enclaves-staging',
  cluster: 'treza-staging-infrastructure',
  images: { operator: 'v0.1.0', runner: 'v0.1.0' },
  operator: { tasks: 2, cpu: 512, memoryMiB: 1024, maxRuns: 16 },
  runner: { cpu: 1024, memoryMiB: 2048 },
  logRetentionDays: 60,
};
