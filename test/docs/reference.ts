import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Registry } from 'prom-client';
import { registerCertificateMetrics } from '../../certs/certificate-metrics.ts';
import { ControllerMetrics } from '../../controller/observe/controller-metrics.ts';
import { controllerSettingsTable } from '../../controller/settings/settings.ts';
import { keysOf } from '../../shared/keys.ts';
import { commonSettings } from '../../shared/settings/common-settings.ts';
import { flagOf, type Setting, type SettingsTable } from '../../shared/settings/setting.ts';
import { filePath } from '../../shared/settings/value-type.ts';
import { webhookSettingsTable } from '../../webhook/settings.ts';
import { WebhookMetrics } from '../../webhook/webhook-metrics.ts';
import { alerts, metricNames } from '../harness/monitoring.ts';
import { ManualClock } from '../unit/fakes/manual-clock.ts';
import { effects, events, heldBack, keys, rules, writes } from './explanations.ts';

export const referenceFile = fileURLToPath(new URL('../../docs/reference.md', import.meta.url));

/** `text` with everything between `<!-- generated: NAME -->` and `<!-- end -->` made anew from the code. */
export async function withTables(text: string): Promise<string> {
  const tables: ReadonlyMap<string, string> = new Map(Object.entries(await allTables()));
  const used = new Set<string>();
  const result = text.replaceAll(
    /(<!-- generated: ([a-z-]+) -->\n)[^]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => {
      used.add(name);
      return `${begin}\n${tables.get(name) ?? `There is no table "${name}".`}\n${end}`;
    },
  );
  const unused = [...tables.keys()].filter((name) => !used.has(name));
  if (unused.length > 0) {
    throw new Error(`the reference has no place for: ${unused.join(', ')}`);
  }
  return result;
}

/** The reference as it is, and as it should be. */
export async function reference(): Promise<{ readonly stored: string; readonly current: string }> {
  const stored = await readFile(referenceFile, 'utf8');
  return { stored, current: await withTables(stored) };
}

async function allTables() {
  const common = new Set(Object.keys(commonSettings));
  const own = (settings: SettingsTable): SettingsTable =>
    Object.fromEntries(Object.entries(settings).filter(([key]) => !common.has(key)));
  const alertsOf = await alertsByMetric();
  return {
    keys: table(
      ['key', 'where', 'value'],
      Object.entries(keys).map(([key, { where, value }]) => [code(keyNames.get(key) ?? key), where, value]),
    ),
    controller: settingsOf(own(controllerSettingsTable)),
    webhook: settingsOf(own(webhookSettingsTable)),
    common: settingsOf(commonSettings),
    rules: table(
      ['reason', 'refused', 'the controller'],
      Object.entries(rules).map(([reason, { refused, stops }]) => [
        code(reason),
        refused,
        stops === '' ? '' : effects[stops],
      ]),
    ),
    events: table(
      ['reason', 'what it says', 'what to do'],
      Object.entries(events).map(([reason, { says, action }]) => [code(reason), says, action]),
    ),
    'controller-metrics': metricsOf(controllerRegistry(), alertsOf),
    'webhook-metrics': metricsOf(webhookRegistry(), alertsOf),
    writes: reasons(writes),
    'held-back': reasons(heldBack),
  };
}

const keyNames: ReadonlyMap<string, string> = new Map(Object.entries(keysOf('kubed.appscode.com')));

function settingsOf(settings: SettingsTable): string {
  return table(
    ['flag', 'in the file', 'default', 'meaning'],
    Object.entries(settings).map(([key, setting]) => [
      setting.fileOnly ? 'none' : code(`${flagOf(key)} ${setting.placeholder}`),
      code(key),
      defaultOf(setting, settings),
      meaningOf(setting),
    ]),
  );
}

function defaultOf(setting: Setting<unknown>, settings: SettingsTable): string {
  if (setting.default !== undefined) return code(setting.default);
  if (setting.required) return 'required';
  const { exactlyOneOf } = setting;
  const group = Object.keys(settings).filter((key) => settings[key]?.exactlyOneOf === exactlyOneOf);
  return exactlyOneOf === undefined ? '' : `required: ${group.map((key) => code(flagOf(key))).join(' or ')}`;
}

function meaningOf({ type, description }: Setting<unknown>): string {
  // A path, a switch and a list of policies need no words.
  const plain = type === filePath || type.json !== 'string';
  return plain ? description : `${description} It is ${type.allowed}.`;
}

function reasons(explained: Readonly<Record<string, string>>): string {
  return table(
    ['reason', 'meaning'],
    Object.entries(explained).map(([reason, meaning]) => [code(reason), meaning]),
  );
}

/** The alerts of manifests/components/monitoring that ask for a metric. */
async function alertsByMetric(): Promise<ReadonlyMap<string, readonly string[]>> {
  const pairs = (await alerts()).flatMap(({ alert, expr }) =>
    [...new Set(metricNames(expr))].map((metric) => ({ metric, alert })),
  );
  const byMetric = Map.groupBy(pairs, ({ metric }) => metric);
  return new Map([...byMetric].map(([metric, group]) => [metric, group.map(({ alert }) => alert)]));
}

function metricsOf(registry: Registry, alertsOf: ReadonlyMap<string, readonly string[]>): string {
  const rows = registry
    .getMetricsAsArray()
    .map((metric) => ({ name: metric.name, help: metric.help, labels: labelsOf(metric) }))
    // What prom-client tells of Node.js is not ours to explain.
    .filter(({ name }) => !/^(process|nodejs)_/.test(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, help, labels }) => [
      code(labels.length === 0 ? name : `${name}{${labels.join(',')}}`),
      help,
      (alertsOf.get(name) ?? [])
        .map((alert) => `[${alert}](operations.md#${alert.toLowerCase()})`)
        .join(', '),
    ]);
  return table(['metric', 'meaning', 'alert'], rows);
}

/** prom-client's types do not have them. */
function labelsOf(metric: object): readonly string[] {
  const labels: unknown = Reflect.get(metric, 'labelNames');
  return Array.isArray(labels) ? labels.map(String) : [];
}

function controllerRegistry(): Registry {
  const nothing = {
    lanes: () => [],
    contexts: () => [],
    sources: () => 0,
    problems: () => new Map<string, number>(),
    eventsDropped: () => 0,
    leases: () => [],
    sourceIsOther: () => false,
  };
  return new ControllerMetrics(nothing, { clock: new ManualClock() }).registry;
}

function webhookRegistry(): Registry {
  const { registry } = new WebhookMetrics({
    catalogCurrent: () => false,
    catalogAgeSeconds: () => undefined,
    catalogContexts: () => undefined,
    differingSettings: () => 0,
    configurationProblems: () => 0,
    certificateExpiry: () => ({ leaf: undefined, authority: undefined }),
  });
  registerCertificateMetrics(registry, () => undefined);
  return registry;
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`.replaceAll(/ {2,}/g, ' ');
  return `${[line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')}\n`;
}
