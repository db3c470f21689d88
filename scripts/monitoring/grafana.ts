/** Dashboards as Grafana reads them. */
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  TextBoxVariableBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { Dashboard, Panel } from './panel.ts';

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

export function dashboardJson({ uid, title, description, panels }: Dashboard): string {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['enclave-operator'])
    .refresh('1m')
    .time({ from: 'now-6h', to: 'now' })
    .timezone('browser')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(place('environment', 'Environment'))
    .withVariable(place('region', 'Region'))
    .withVariable(new TextBoxVariableBuilder('price').label('USD a host and hour').defaultValue('0.2'));
  for (const panel of panels) builder.withPanel(shown(panel));
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

function place(name: string, label: string) {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query(`label_values(enclave_operator_build_info, ${name})`)
    .multi(true)
    .includeAll(true)
    .allValue('.*');
}

function shown({ title, description, unit, shown: how = 'lines', queries, empty = 'Nothing yet' }: Panel) {
  const builder = how === 'now' ? new StatBuilder() : new LinesBuilder();
  builder.title(title).description(description).unit(unit).noValue(empty).datasource(DATASOURCE);
  builder.span(how === 'now' ? 6 : 12).height(how === 'now' ? 5 : 8);
  for (const { expr, legend } of queries) builder.withTarget(new DataqueryBuilder().expr(expr).legendFormat(legend));
  return builder;
}
