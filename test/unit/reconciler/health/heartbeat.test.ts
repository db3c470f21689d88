/** The heartbeat in the log: one a minute of a leader that makes progress, none otherwise; and what counts them. */
import { describe, expect, it } from 'vitest';
import { ConfigSchema } from '../../../../src/reconciler/config.ts';
import { loggingOperator } from '../../../support/logging-operator.ts';
import { build, configs } from '../../../support/platform.ts';

const MINUTE = 60_000;
const beats = (lines: readonly Record<string, unknown>[]) => lines.filter(({ heartbeat }) => heartbeat !== undefined);

describe('the heartbeat', () => {
  it('comes from the leader alone, once a minute', async () => {
    const { v, lines } = loggingOperator();
    const first = v.start();
    v.start();
    await v.until(() => beats(lines).length === 1, 'the first', MINUTE);
    await v.clock.advance(10 * MINUTE);
    expect(beats(lines)).toHaveLength(11);
    expect(beats(lines).at(-1)).toMatchObject({ level: 'info', heartbeat: 1, environment: 'dev', epoch: 1 });
    first.connection.kill();
    await v.clock.advance(10 * MINUTE);
    expect(beats(lines).filter(({ epoch }) => epoch === 1)).toHaveLength(11);
    expect(beats(lines).filter(({ epoch }) => epoch === 2)).toHaveLength(10);
  });

  it('ends where nothing moves, though the process lives and leads', async () => {
    const { v, lines } = loggingOperator();
    const { connection, loop } = v.start();
    await v.clock.advance(5 * MINUTE);
    // As a network that swallows every call: nothing answers, and nothing fails.
    for (const table of ['records', 'state', 'history']) {
      connection.faults.before(`streams.${table}.page`, () => new Promise<never>(() => {}));
    }
    await v.clock.advance(2 * MINUTE);
    const before = beats(lines).length;
    expect(before).toBeGreaterThan(4);
    await v.clock.advance(30 * MINUTE);
    expect(beats(lines)).toHaveLength(before);
    expect(loop.view().role).toBe('leader');
  });

  it('waits for the first full list', async () => {
    const { v, lines } = loggingOperator();
    const { connection } = v.start();
    connection.faults.before('records.scan', () => new Promise<never>(() => {}));
    await v.clock.advance(10 * MINUTE);
    expect(beats(lines)).toEqual([]);
  });

  it('can be switched off', async () => {
    const { v, lines } = loggingOperator({ heartbeatMs: 0 });
    v.start();
    await v.clock.advance(10 * MINUTE);
    expect(beats(lines)).toEqual([]);
  });
});

describe.each(configs)('the platform of %s', (_, config) => {
  const { resource } = build(config).terraform;
  const filter = resource.aws_cloudwatch_log_metric_filter?.['operator-heartbeat'];
  const alarm = resource.aws_cloudwatch_metric_alarm?.['operator-silent-alarm'];

  it('counts these lines by environment, and nothing where there are none', () => {
    expect(filter).toMatchObject({
      log_group_name: `\${aws_cloudwatch_log_group.operator-log.name}`,
      pattern: '{ $.heartbeat = 1 }',
      metric_transformation: {
        namespace: 'EnclaveOperator',
        name: 'Heartbeat',
        value: '$.heartbeat',
        dimensions: { Environment: '$.environment' },
      },
    });
    // With a default value silence would be a number.
    expect(Object.keys(filter?.metric_transformation ?? {})).not.toContain('default_value');
  });

  it('alarms on silence, over several of the operator’s intervals', () => {
    expect(alarm).toMatchObject({
      namespace: 'EnclaveOperator',
      metric_name: 'Heartbeat',
      dimensions: { Environment: config.environment },
      statistic: 'Sum',
      comparison_operator: 'LessThanThreshold',
      threshold: 1,
      treat_missing_data: 'breaching',
      alarm_actions: [`\${aws_sns_topic.alarms.arn}`],
    });
    const silenceMs = Number(alarm?.period) * Number(alarm?.evaluation_periods) * 1_000;
    expect(silenceMs).toBeGreaterThanOrEqual(3 * ConfigSchema.parse({}).heartbeatMs);
  });
});

it('is neither counted nor missed where monitoring is switched off', () => {
  const [, dev] = configs[0] ?? [];
  if (dev === undefined) throw new Error('no configuration');
  const { resource } = build({ ...dev, monitoring: { ...dev.monitoring, enabled: false } }).terraform;
  expect(Object.keys(resource.aws_cloudwatch_log_metric_filter ?? {})).toEqual(['operator-errors']);
  expect(Object.keys(resource.aws_cloudwatch_metric_alarm ?? {})).not.toContain('operator-silent-alarm');
});
