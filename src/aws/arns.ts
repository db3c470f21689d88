/** ARNs of the platform's parts, by the names the contract fixes. */

import type { AnyRunAction } from '../enclave/names.ts';
import type { Config } from '../reconciler/config.ts';

/** Part of the platform that an ARN's second field names. */
function partition(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

const MACHINES: Readonly<Record<AnyRunAction, string>> = {
  deploy: 'deployment',
  destroy: 'cleanup',
  drift: 'drift',
};

type Place = Pick<Config, 'region' | 'accountId' | 'prefix'>;

const statesArn = (place: Place, rest: string) =>
  `arn:${partition(place.region)}:states:${place.region}:${place.accountId}:${rest}`;

export function stateMachineArn(place: Place, action: AnyRunAction): string {
  return statesArn(place, `stateMachine:${place.prefix}-${MACHINES[action]}`);
}

export function executionArn(place: Place, action: AnyRunAction, name: string): string {
  return statesArn(place, `execution:${place.prefix}-${MACHINES[action]}:${name}`);
}

export function functionArn({ region, accountId }: Pick<Config, 'region' | 'accountId'>, name: string): string {
  return `arn:${partition(region)}:lambda:${region}:${accountId}:function:${name}`;
}

const TASK_ARN = /arn:aws[a-z-]*:ecs:[a-z0-9-]*:[0-9]*:task\/[A-Za-z0-9_/-]+/g;

/** Every ECS task ARN in a text, in order, each once. */
export function taskArnsIn(text: string): readonly string[] {
  return [...new Set(text.match(TASK_ARN) ?? [])];
}

/** The cluster a task's ARN names; undefined in the old form without one. */
export function clusterOfTask(arn: string): string | undefined {
  const [cluster, id] = (arn.split(':task/')[1] ?? '').split('/');
  return id === undefined ? undefined : cluster;
}
