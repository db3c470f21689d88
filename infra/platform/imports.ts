/** What an installation has already: imported instead of made anew, and kept when the platform goes. */
import type { PlacedConfig } from './config.ts';
import type { Names } from './names.ts';

export interface Import {
  /** Address in this stack. */
  readonly to: string;
  /** As the provider's import of that resource takes it. */
  readonly id: string;
}

/** Everything whose name the contract fixes, or `existing` names. Task definitions are not: a new revision is. */
function fixedNames({ existing, enclavesTable, cluster }: PlacedConfig, names: Names): readonly Import[] {
  const { roles, stateBucket } = existing;
  const named = (to: string, id: string | undefined) => (id === undefined ? [] : [{ to, id }]);
  return [
    { to: 'aws_dynamodb_table.enclaves-table', id: enclavesTable },
    { to: 'aws_sfn_state_machine.deploy-machine', id: names.machineArn('deploy') },
    { to: 'aws_sfn_state_machine.destroy-machine', id: names.machineArn('destroy') },
    { to: 'aws_cloudwatch_log_group.runner-log', id: names.runnerLogGroup },
    { to: 'aws_ecr_repository.runner-registry', id: names.runnerRepository },
    { to: 'aws_ecs_cluster.cluster', id: cluster },
    ...named('aws_s3_bucket.state-bucket', stateBucket),
    ...named('aws_iam_role.runner-role', roles.runner),
    ...named('aws_iam_role.execution-role', roles.execution),
    ...named('aws_iam_role.workflows-role', roles.workflows),
  ];
}

/** What `npm run destroy` leaves, and a later `deploy` takes up again. */
function keptNames(names: Names): readonly Import[] {
  return [
    { to: 'aws_dynamodb_table.state-table', id: names.stateTable },
    { to: 'aws_dynamodb_table.history-table', id: names.historyTable },
    { to: 'aws_s3_bucket.state-bucket', id: names.stateBucket },
  ];
}

/** Addresses that `npm run destroy` forgets before it destroys the rest: data, and the key it is encrypted with. */
export const RETAINED = [
  'aws_dynamodb_table.enclaves-table',
  'aws_dynamodb_table.state-table',
  'aws_dynamodb_table.history-table',
  'aws_s3_bucket.state-bucket',
  'aws_s3_bucket_versioning.state-bucket-versions',
  'aws_s3_bucket_server_side_encryption_configuration.state-bucket-encryption',
  'aws_s3_bucket_public_access_block.state-bucket-public-access',
  'aws_s3_bucket_ownership_controls.state-bucket-ownership',
  'aws_s3_bucket_policy.state-bucket-policy',
  'aws_s3_bucket_lifecycle_configuration.state-bucket-lifecycle',
  'aws_kms_key.data-key',
] as const;

/** The import blocks of this stack: none, all that the contract names, or those `adopt` lists. */
export function imports(config: PlacedConfig, names: Names): readonly Import[] {
  const fixed = fixedNames(config, names);
  if (config.adopt === false) return [];
  if (config.adopt === true) return fixed;
  const known = new Map([...fixed, ...keptNames(names)].map((each) => [each.to, each]));
  return config.adopt.map((address) => {
    const found = known.get(address);
    if (found === undefined) {
      throw new Error(
        `environment ${config.environment}: adopt names ${address}, which cannot be imported: ` +
          `use ${[...known.keys()].join(', ')}`,
      );
    }
    return found;
  });
}
