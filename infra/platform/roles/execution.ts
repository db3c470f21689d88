/** What ECS itself needs to start a task of ours: its image and its log. */
import type { PlacedConfig } from '../config.ts';
import type { Names } from '../names.ts';
import { allow, type Statement } from '../policy.ts';

/** A repository of ECR by its image's name; undefined for any other registry. */
function repositoryOf(image: string, partition: string): string | undefined {
  const [, account, region, name] =
    /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^:@]+)/.exec(image) ?? [];
  return name === undefined ? undefined : `arn:${partition}:ecr:${region}:${account}:repository/${name}`;
}

export function executionStatements({ webhook, monitoring }: PlacedConfig, names: Names): readonly Statement[] {
  const collector = monitoring.enabled ? repositoryOf(monitoring.collectorImage, names.partition) : undefined;
  const groups = [
    names.runnerLogGroup,
    names.operatorLogGroup,
    ...(monitoring.enabled ? [names.collectorLogGroup] : []),
  ];
  return [
    allow('RegistryLogin', ['ecr:GetAuthorizationToken'], { everything: 'the token is for the whole registry' }),
    allow(
      'Images',
      ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      [
        ...[names.runnerRepository, names.operatorRepository].map((name) => names.arn('ecr', `repository/${name}`)),
        ...(collector === undefined ? [] : [collector]),
      ],
    ),
    allow(
      'Logs',
      ['logs:CreateLogStream', 'logs:PutLogEvents'],
      groups.map((name) => names.arn('logs', `log-group:${name}:*`)),
    ),
    ...(webhook === undefined ? [] : [allow('WebhookSecret', ['secretsmanager:GetSecretValue'], [webhook.secretArn])]),
  ];
}
