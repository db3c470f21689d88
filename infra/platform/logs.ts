/** Log groups: the contract's and ours, with a retention. */
import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group/index.js';
import type { Platform } from './context.ts';

export interface LogGroups {
  readonly runner: CloudwatchLogGroup;
  readonly operator: CloudwatchLogGroup;
  readonly machines: CloudwatchLogGroup;
}

export function logGroups({ stack, config, names }: Platform, keyArn: string): LogGroups {
  const group = (id: string, name: string) =>
    new CloudwatchLogGroup(stack, id, { name, retentionInDays: config.logRetentionDays, kmsKeyId: keyArn });
  return {
    runner: group('runner-log', names.runnerLogGroup),
    operator: group('operator-log', names.operatorLogGroup),
    machines: group('machines-log', names.machinesLogGroup),
  };
}
