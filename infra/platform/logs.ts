/** Log groups: the contract's and ours, with a retention. */
import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group/index.js';
import type { Platform } from './context.ts';

export interface LogGroups {
  readonly runner: CloudwatchLogGroup;
  readonly operator: CloudwatchLogGroup;
  readonly machines: CloudwatchLogGroup;
}

export function logGroup({ stack, config }: Platform, id: string, name: string, keyArn: string): CloudwatchLogGroup {
  return new CloudwatchLogGroup(stack, id, { name, retentionInDays: config.logRetentionDays, kmsKeyId: keyArn });
}

export function logGroups(platform: Platform, keyArn: string): LogGroups {
  const { names } = platform;
  const group = (id: string, name: string) => logGroup(platform, id, name, keyArn);
  return {
    runner: group('runner-log', names.runnerLogGroup),
    operator: group('operator-log', names.operatorLogGroup),
    machines: group('machines-log', names.machinesLogGroup),
  };
}
