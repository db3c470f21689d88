/** Registries of the two images: a tag is never moved, and what is pushed is scanned. */
import { EcrLifecyclePolicy } from '@cdktf/provider-aws/lib/ecr-lifecycle-policy/index.js';
import { EcrRepository } from '@cdktf/provider-aws/lib/ecr-repository/index.js';
import type { Platform } from './context.ts';

export interface Registries {
  readonly operator: EcrRepository;
  readonly runner: EcrRepository;
}

const KEPT_IMAGES = 30;

export function registries({ stack, names }: Platform): Registries {
  const registry = (id: string, name: string) => {
    // Encrypted with ECR's default: another choice would replace an installation's repository.
    const made = new EcrRepository(stack, `${id}-registry`, {
      name,
      imageTagMutability: 'IMMUTABLE',
      imageScanningConfiguration: { scanOnPush: true },
      forceDelete: true,
    });
    new EcrLifecyclePolicy(stack, `${id}-registry-lifecycle`, {
      repository: made.name,
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: 'Untagged images',
            selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 7 },
            action: { type: 'expire' },
          },
          {
            rulePriority: 2,
            description: `All but the newest ${KEPT_IMAGES}`,
            selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: KEPT_IMAGES },
            action: { type: 'expire' },
          },
        ],
      }),
    });
    return made;
  };
  return {
    operator: registry('operator', names.operatorRepository),
    runner: registry('runner', names.runnerRepository),
  };
}
