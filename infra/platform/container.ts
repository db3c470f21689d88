/** A container as ECS takes it, closed: no root, nothing writable but one volume, logs to CloudWatch. */
import type { Platform } from './context.ts';

/** User of both images. */
const USER = '10001:10001';
/** Owned by that user in the images; a volume, because the root file system is read-only. */
const WRITABLE = '/var/lib/enclave';

export const WORK_VOLUME = { name: 'work' };

export interface ContainerOptions {
  readonly name: string;
  readonly image: string;
  readonly logGroup: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stopTimeoutSeconds: number;
  readonly more?: Readonly<Record<string, unknown>>;
}

export function container({ config }: Platform, options: ContainerOptions): Readonly<Record<string, unknown>> {
  const { name, image, logGroup, environment, stopTimeoutSeconds, more } = options;
  return {
    name,
    image,
    essential: true,
    user: USER,
    readonlyRootFilesystem: true,
    linuxParameters: { capabilities: { drop: ['ALL'] } },
    stopTimeout: stopTimeoutSeconds,
    mountPoints: [{ sourceVolume: WORK_VOLUME.name, containerPath: WRITABLE, readOnly: false }],
    // Sorted, as ECS returns them: or every plan shows a new revision.
    environment: Object.entries(environment)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([variable, value]) => ({ name: variable, value })),
    logConfiguration: {
      logDriver: 'awslogs',
      options: { 'awslogs-group': logGroup, 'awslogs-region': config.region, 'awslogs-stream-prefix': 'ecs' },
    },
    ...more,
  };
}
