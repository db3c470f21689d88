/** What ECS itself needs to start a task of ours: its image and its log. */
import type { PlacedConfig } from '../config.ts';
import type { Names } from '../names.ts';
import { allow, type Statement } from '../policy.ts';

export function executionStatements({ webhook }: PlacedConfig, names: Names): readonly Statement[] {
  return [
    allow('RegistryLogin', ['ecr:GetAuthorizationToken'], { everything: 'the token is for the whole registry' }),
    allow(
      'Images',
      ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      [names.runnerRepository, names.operatorRepository].map((name) => names.arn('ecr', `repository/${name}`)),
    ),
    allow(
      'Logs',
      ['logs:CreateLogStream', 'logs:PutLogEvents'],
      [names.runnerLogGroup, names.operatorLogGroup].map((name) => names.arn('logs', `log-group:${name}:*`)),
    ),
    ...(webhook === undefined ? [] : [allow('WebhookSecret', ['secretsmanager:GetSecretValue'], [webhook.secretArn])]),
  ];
}
