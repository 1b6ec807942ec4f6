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

/** Everything that is asked of the metrics: by alerts and by the dashboard. */
export async function expressions(): Promise<readonly string[]> {
  return [...(await alerts()).map(({ expr }) => expr), ...(await dashboardExpressions())];
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

/** Labels that an expression groups by or matches; those that Prometheus itself adds are left out. */
export function labelNames(expression: string): readonly string[] {
  const groups = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(','));
  const matchers = [...expression.matchAll(/\b([a-z_]+)\s*(?:!=|=~|!~|=(?!=))\s*"/g)].map(
    ([, name = '']) => name,
  );
  return [...groups, ...matchers]
    .map((name) => name.trim())
    .filter((name) => !['job', 'service', 'le'].includes(name));
}

/** Labels that rules and dashboard ask of a metric, but docs/reference.md, which is made from the code, does not list. */
export async function labelsWithoutSource(): Promise<readonly string[]> {
  const reference = await readFile(join(manifestsFolder, '..', 'docs', 'reference.md'), 'utf8');
  const known = new Map(
    [...reference.matchAll(/^\| `([a-z_]+)(?:\{([a-z_,]*)\})?` \|/gm)].map(([, name, labels = '']) => [
      name,
      labels.split(','),
    ]),
  );
  return (await expressions()).flatMap((expression) =>
    metricNames(expression).flatMap((metric) => {
      const name = metric.replace(/_(bucket|sum|count)$/, '');
      return labelNames(expression).flatMap((label) =>
        !/^(nodejs|process)_/.test(name) && known.get(name)?.includes(label) !== true
          ? [`${metric}{${label}}`]
          : [],
      );
    }),
  );
}

/** What rules and dashboard ask for, but no program exports. `exported`: the texts of /metrics of all programs. */
export async function metricsWithoutSource(exported: string): Promise<readonly string[]> {
  const known = new Set(
    [...exported.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
  const asked = new Set((await expressions()).flatMap((expression) => metricNames(expression)));
  return [...asked].filter((name) => !known.has(name));
}

/** The headings of the runbook, as anchors. */
export async function runbookAnchors(): Promise<ReadonlySet<string>> {
  const text = await readFile(join(manifestsFolder, '..', 'docs', 'operations.md'), 'utf8');
  return new Set([...text.matchAll(/^#+ (\S+)$/gm)].map(([, title = '']) => title.toLowerCase()));
}
