/** Every file of the repository that is made from the sources, and what makes it. */
import { renderConfigReference } from '../src/cli/config-reference.ts';
import {
  conditionsReference,
  enclaveJsonSchema,
  enclaveReference,
  eventsReference,
} from '../src/enclave/spec/reference.ts';
import { lifecyclePage } from '../src/machines/diagram.ts';
import { createMetrics } from '../src/reconciler/metrics/index.ts';
import { metricsReference } from '../src/reconciler/metrics/reference.ts';
import { readmeWithFigures } from './bench-table.ts';
import { driftPage } from './drift-page.ts';
import { metricUses } from './metric-uses.ts';
import { ALERTS, alertRules, alertTests, runbook, runbookPath } from './monitoring/alerts.ts';
import { DASHBOARDS } from './monitoring/dashboards.ts';
import { dashboardJson } from './monitoring/grafana.ts';
import { contributingWithRooms } from './rooms.ts';

export interface Generated {
  /** From the root of the repository. */
  readonly path: string;
  render(): string;
}

export const generated: readonly Generated[] = [
  { path: 'docs/configuration.md', render: renderConfigReference },
  { path: 'docs/enclave.md', render: enclaveReference },
  { path: 'docs/conditions.md', render: conditionsReference },
  { path: 'docs/events.md', render: eventsReference },
  { path: 'docs/lifecycle.md', render: lifecyclePage },
  { path: 'dashboards/alerts.yaml', render: alertRules },
  { path: 'dashboards/alerts.test.yaml', render: alertTests },
  ...DASHBOARDS.map((dashboard) => ({
    path: `dashboards/${dashboard.uid}.json`,
    render: () => dashboardJson(dashboard),
  })),
  ...ALERTS.map((alert) => ({ path: runbookPath(alert), render: () => runbook(alert) })),
  { path: 'docs/metrics.md', render: metricsPage },
  { path: 'docs/drift.md', render: driftPage },
  { path: 'README.md', render: readmeWithFigures },
  { path: 'CONTRIBUTING.md', render: contributingWithRooms },
  { path: 'schema/enclave.schema.json', render: enclaveJsonSchema },
];

function metricsPage(): string {
  const { described } = createMetrics();
  return metricsReference(described, metricUses(described.map(({ name }) => name)));
}
