/** The roles of the platform's own programs. */
import type { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js';
import type { Platform } from '../context.ts';
import { trust } from '../policy.ts';
import { breakGlassStatements, breakGlassTrust } from './break-glass.ts';
import { executionStatements } from './execution.ts';
import { operatorStatements } from './operator.ts';
import { role } from './role.ts';
import { runnerRegionStatements, runnerStatements } from './runner.ts';
import { workflowStatements } from './workflows.ts';

export { hostBoundary } from './boundary.ts';

export interface Roles {
  readonly operator: IamRole;
  readonly runner: IamRole;
  readonly execution: IamRole;
  readonly workflows: IamRole;
  readonly breakGlass: IamRole;
}

export function roles(platform: Platform): Roles {
  const { config, names } = platform;
  const tasks = trust('ecs-tasks.amazonaws.com', config.accountId, names.arn('ecs', '*'));
  return {
    operator: role(platform, {
      id: 'operator',
      name: names.roles.operator,
      description: 'The operator',
      trust: tasks,
      statements: operatorStatements(config, names),
    }),
    runner: role(platform, {
      id: 'runner',
      name: names.roles.runner,
      description: 'Terraform runs of enclaves',
      trust: tasks,
      statements: runnerStatements(platform),
      regional: new Map(
        Object.keys(config.regions).map((region) => [region, runnerRegionStatements(platform, region)]),
      ),
    }),
    execution: role(platform, {
      id: 'execution',
      name: names.roles.execution,
      description: 'ECS: images and logs of the tasks',
      trust: tasks,
      statements: executionStatements(config, names),
    }),
    workflows: role(platform, {
      id: 'workflows',
      name: names.roles.workflows,
      description: 'The state machines',
      trust: trust('states.amazonaws.com', config.accountId, names.arn('states', 'stateMachine:*')),
      statements: workflowStatements(config, names),
    }),
    breakGlass: role(platform, {
      id: 'break-glass',
      name: names.roles.breakGlass,
      description: 'Administration of enclave keys in an emergency',
      trust: breakGlassTrust(config, names),
      statements: breakGlassStatements(config, names),
    }),
  };
}
