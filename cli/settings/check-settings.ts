import type { ErrorObject } from 'ajv';
import { nearestName } from '../../shared/nearest-name.ts';
import { exclusiveGroups, flagOf, type SettingsTable } from '../../shared/settings/setting.ts';
import { describeValue, type GivenSetting, quoted, writtenAs } from './given-setting.ts';
import { compileSettingsSchema } from './settings-schema.ts';

/** The merged settings and what is known about them. */
export interface MergedSettings {
  readonly table: SettingsTable;
  readonly given: ReadonlyMap<string, GivenSetting>;
  /** False when a file could not be read: then nothing counts as missing, for it may be in there. */
  readonly complete: boolean;
}

/** Every problem of the merged settings, one sentence each: unknown keys first, then in the table's order. */
export function checkSettings(merged: MergedSettings): readonly string[] {
  const validate = compileSettingsSchema(merged.table);
  validate(Object.fromEntries([...merged.given].map(([key, given]) => [key, jsonOf(merged.table, given)])));
  // One bad value can violate several keywords and is to be named once: hence the Set, of sentences that are equal then.
  const keys = Object.keys(merged.table);
  const found = (validate.errors ?? []).flatMap((error) => problemOf(merged, error) ?? []);
  const ordered = found.sort((left, right) => keys.indexOf(left.key) - keys.indexOf(right.key));
  return [...new Set(ordered.map(({ sentence }) => sentence))];
}

interface Problem {
  readonly key: string;
  readonly sentence: string;
}

function problemOf(merged: MergedSettings, error: ErrorObject): Problem | undefined {
  const { table, given, complete } = merged;
  const { keyword, schemaPath, instancePath, params } = error;
  if (keyword === 'additionalProperties') {
    const key = String(params['additionalProperty']);
    return { key, sentence: unknownKey(table, key, given.get(key)?.file) };
  }
  if (keyword === 'oneOf') {
    const group = exclusiveGroups(table)[Number(/\d+/.exec(schemaPath)?.[0])] ?? [];
    const present = group.flatMap((key) => given.get(key) ?? []);
    const known = complete || present.length > 0;
    return known ? { key: group[0] ?? '', sentence: exclusiveProblem(group, present) } : undefined;
  }
  if (schemaPath === '#/required') {
    const key = String(params['missingProperty']);
    return complete ? { key, sentence: `${flagOf(key)} is missing: it ${mustBe(table, key)}` } : undefined;
  }
  // The rest is about one value; a oneOf's own branches are at the root and say nothing that it does not say.
  const setting = given.get(instancePath.slice(1));
  return setting === undefined ? undefined : { key: setting.key, sentence: badValue(table, setting) };
}

function badValue(table: SettingsTable, setting: GivenSetting): string {
  const { key, value } = setting;
  const flaw = typeof value === 'object' && value.isList ? table[key]?.type.flaw?.(value.text) : undefined;
  return flaw === undefined
    ? `${writtenAs(setting)} ${describeValue(value)}, but ${mustBe(table, key)}`
    : `${writtenAs(setting)} is wrong: ${flaw}.`;
}

/** The value as the schema wants to see it: text that means a boolean becomes one, other text stays, and is refused. */
function jsonOf(table: SettingsTable, { key, value }: GivenSetting): unknown {
  switch (value) {
    case 'nothing':
      return null;
    case 'a mapping':
      return {};
    default: {
      const type = table[key]?.type;
      if (value.isList && type?.json !== 'list') {
        return [];
      }
      return type?.json === 'boolean' ? (type.parse(value.text)?.value ?? value.text) : value.text;
    }
  }
}

function mustBe(table: SettingsTable, key: string): string {
  return `must be ${table[key]?.type.allowed ?? 'absent'}.`;
}

function unknownKey(table: SettingsTable, key: string, file = ''): string {
  const nearest = nearestName(key, Object.keys(table));
  const advice =
    nearest === undefined ? `the settings are ${Object.keys(table).join(', ')}.` : `did you mean ${nearest}?`;
  return `${quoted(key)} in ${file} is not a setting: ${advice}`;
}

function exclusiveProblem(group: readonly string[], present: readonly GivenSetting[]): string {
  const rule = 'exactly one of them must be given.';
  if (present.length === 0) {
    return `${group.map(flagOf).join(' or ')} is missing: ${rule}`;
  }
  const values = present.map((setting) => `${writtenAs(setting)} ${describeValue(setting.value)}`);
  return `${values.join(' and ')}, but ${rule}`;
}
