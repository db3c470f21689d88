/** Every metric is used: by a panel of a dashboard or by an alert. */
import { expect, it } from 'vitest';
import { metricUses } from '../../scripts/metric-uses.ts';
import { createMetrics } from '../../src/reconciler/metrics/index.ts';

it('has no metric that no panel and no alert looks at', () => {
  // Experimental ones are for people who opt in.
  const names = createMetrics().described.flatMap(({ name, stability }) => (stability === 'stable' ? [name] : []));
  const used = new Set(metricUses(names).map(({ metric }) => metric));
  expect(names.filter((name) => !used.has(name))).toEqual([]);
});
