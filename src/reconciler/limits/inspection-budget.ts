/** Inspection budget: single reads wait for the same tokens as those of the inventory. */

import type { Inspector } from '../ports/inspector.ts';
import type { ApiFamily } from './api-rate-limits.ts';

/** GetRole, two lists, and a policy; further policies are few. */
const CALLS_OF_A_ROLE = 4;
const CALLS_OF_ATTRIBUTES = 2;

/** The same port, with a turn before each of its calls; `home` is the region of what knows none. */
export function budgetedInspector(
  inner: Inspector,
  home: string,
  turn: (family: ApiFamily, region: string) => Promise<void>,
): Inspector {
  const turns = async (family: ApiFamily, region: string, calls: number) => {
    for (let made = 0; made < calls; made += 1) await turn(family, region);
  };
  return {
    async instanceAttributes(region, instanceId, signal) {
      await turns('ec2:Describe', region, CALLS_OF_ATTRIBUTES);
      return inner.instanceAttributes(region, instanceId, signal);
    },
    async rootVolume(region, instanceId, signal) {
      await turn('ec2:Describe', region);
      return inner.rootVolume(region, instanceId, signal);
    },
    async agentOnline(region, instanceId, signal) {
      await turn('ssm:DescribeInstanceInformation', region);
      return inner.agentOnline(region, instanceId, signal);
    },
    async rules(region, groupId, signal) {
      await turn('ec2:Describe', region);
      return inner.rules(region, groupId, signal);
    },
    async logGroup(region, enclaveId, signal) {
      await turn('logs:DescribeLogGroups', region);
      return inner.logGroup(region, enclaveId, signal);
    },
    async role(enclaveId, signal) {
      await turns('iam:Get', home, CALLS_OF_A_ROLE);
      return inner.role(enclaveId, signal);
    },
  };
}
