import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { trustedJson } from '../sandbox/json.ts';
import { manifestsFolder } from './manifests.ts';

const folder = join(manifestsFolder, 'components', 'monitoring');

/** An alert of the PrometheusRule. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

export async function alerts(): Promise<readonly Alert[]> {
  const rule: unknown = parse(await readFile(join(folder, 'prometheus-rule.yaml'), 'utf8'));
  const { spec } = trustedJson<{ spec: { groups: readonly { rules: readonly Alert[] }[] } }>(
    JSON.stringify(rule),
  );
  return spec.groups.flatMap(({ rules }) => rules);
}

/** The expressions of the dashboard's panels. */
async function dashboardExpressions(): Promise<readonly string[]> {
  const text = await readFile(join(folder, 'context-syncer.json'), 'utf8');
  const { panels } = trustedJson<{ panels: readonly { targets?: readonly { expr: string }[] }[] }>(text);
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}

/** Names in an expression that have the form of a metric's name: none of PromQL's own words has an underscore, but these. */
export function metricNames(expression: string): readonly string[] {
  const names = expression.match(/\b[a-z]+_[a-z0-9_]+\b(?!\s*=)/g) ?? [];
  return names.filter((name) => name !== 'histogram_quantile');
}

/** What rules and dashboard ask for, but no program exports. `exported`: the texts of /metrics of all programs. */
export async function metricsWithoutSource(exported: string): Promise<readonly string[]> {
  const known = new Set(
    [...exported.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
  const expressions = [...(await alerts()).map(({ expr }) => expr), ...(await dashboardExpressions())];
  const asked = new Set(expressions.flatMap((expression) => metricNames(expression)));
  return [...asked].filter((name) => !known.has(name));
}

/** The headings of the runbook, as anchors. */
export async function runbookAnchors(): Promise<ReadonlySet<string>> {
  const text = await readFile(join(manifestsFolder, '..', 'docs', 'operations.md'), 'utf8');
  return new Set([...text.matchAll(/^#+ (\S+)$/gm)].map(([, title = '']) => title.toLowerCase()));
}
