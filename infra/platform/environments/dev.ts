/** dev: small and cheap; the names are those the application has built in. */
import type { PlatformConfigInput } from '../config.ts';

export const dev: PlatformConfigInput = {
  environment: 'dev',
  prefix: 'treza-dev',
  region: 'us-west-2',
  regions: {
    'us-west-2': {
      network: {
        kind: 'new',
        cidr: '10.20.0.0/16',
        zones: ['us-west-2a', 'us-west-2b'],
        nat: 'one',
        interfaceEndpoints: false,
      },
    },
  },
  enclavesTable: 'treza-enclaves-dev',
  cluster: 'treza-dev-infrastructure',
  images: { operator: 'v0.1.0', runner: 'v0.1.0' },
  operator: { tasks: 2, cpu: 256, memoryMiB: 1024, maxRuns: 8 },
  runner: { cpu: 1024, memoryMiB: 2048 },
  logRetentionDays: 30,
};
