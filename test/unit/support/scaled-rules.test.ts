/** The scaled rules of the end-to-end test: every duration, and nothing but durations. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type RuleFile, scaledRules } from '../../support/scaled-rules.ts';

const scaledExpr = (expr: string, factor = 60) =>
  scaledRules({ groups: [{ name: 'g', rules: [{ alert: 'A', expr }] }] }, factor).groups[0]?.rules[0]?.expr;

describe('an expression', () => {
  it.each([
    { expr: 'rate(a_total[15m])', scaled: 'rate(a_total[15000ms])' },
    { expr: 'avg_over_time((1 - a)[6h:1m]) > 14.4', scaled: 'avg_over_time((1 - a)[360000ms:1000ms]) > 14.4' },
    { expr: 'a offset 1h30m > 3600', scaled: 'a offset 90000ms > 3600' },
    { expr: 'a offset -5m', scaled: 'a offset -5000ms' },
    { expr: 'increase(a[1s])', scaled: 'increase(a[17ms])' },
    { expr: 'increase(a[10ms])', scaled: 'increase(a[1ms])' },
    {
      expr: 'job:a5m{le=~"900(.0)?|[5m]",b=\'[1h]\'} == 1e3',
      scaled: 'job:a5m{le=~"900(.0)?|[5m]",b=\'[1h]\'} == 1e3',
    },
    { expr: 'a{b="\\"[5m]"}[5m]', scaled: 'a{b="\\"[5m]"}[5000ms]' },
    { expr: 'max(a_1h) > 120', scaled: 'max(a_1h) > 120' },
  ])('$expr becomes $scaled', ({ expr, scaled }) => {
    expect(scaledExpr(expr)).toBe(scaled);
  });
});

describe('a file', () => {
  it('has its pauses scaled too, and keeps the rest; what is 0 stays 0', () => {
    const file = {
      groups: [
        {
          name: 'g',
          interval: '30s',
          rules: [
            { alert: 'A', expr: 'a', for: '2m', keep_firing_for: '1h', labels: { severity: 'critical' } },
            { alert: 'B', expr: 'b', for: '0m' },
            { record: 'c', expr: 'c' },
          ],
        },
      ],
    };
    expect(scaledRules(file, 60)).toEqual({
      groups: [
        {
          name: 'g',
          interval: '500ms',
          rules: [
            { alert: 'A', expr: 'a', for: '2000ms', keep_firing_for: '60000ms', labels: { severity: 'critical' } },
            { alert: 'B', expr: 'b', for: '0s' },
            { record: 'c', expr: 'c' },
          ],
        },
      ],
    });
  });

  it('that is shipped comes out as it went in, but for its durations', () => {
    const shipped: RuleFile = parse(readFileSync(new URL('../../../dashboards/alerts.yaml', import.meta.url), 'utf8'));
    const text = JSON.stringify(scaledRules(shipped, 180));
    expect(text.match(/\d+[smhd]\b/g)?.filter((duration) => duration !== '0s')).toEqual([]);
    const bare = (file: string) => file.replace(/\d+(ms|[smhd])\b/g, 'T');
    expect(bare(text)).toBe(bare(JSON.stringify(shipped)));
  });
});
