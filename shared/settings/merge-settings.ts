import type { GivenSetting } from './given-setting.ts';
import { exclusiveGroups, type SettingsTable } from './setting.ts';

/**
 * The settings that count, by key: a flag wins over the file, and of a repeated flag the last wins, as usual for
 * commands of Kubernetes. A flag also displaces the file's other settings of its exclusive group: else one who
 * overrides `contextsSecret` of a file by `--contexts-kubeconfig` could only be told that both were given.
 * Flags of a setting that is a list add up.
 */
export function mergeSettings(
  table: SettingsTable,
  fromFile: readonly GivenSetting[],
  fromFlags: readonly GivenSetting[],
): ReadonlyMap<string, GivenSetting> {
  const flagged = new Set(fromFlags.map(({ key }) => key));
  const displaced = new Set(
    exclusiveGroups(table)
      .filter((keys) => keys.some((key) => flagged.has(key)))
      .flat(),
  );
  const kept = fromFile.filter(({ key }) => !displaced.has(key));
  return new Map([...kept, ...joined(table, fromFlags)].map((given) => [given.key, asText(table, given)]));
}

/** One setting in place of the flags of a list; what was given without a value stays as it is, and is reported. */
function joined(table: SettingsTable, flags: readonly GivenSetting[]): readonly GivenSetting[] {
  const lists = Map.groupBy(
    flags.filter(({ key, value }) => isList(table, key) && typeof value === 'object'),
    ({ key }) => key,
  );
  return [
    ...[...lists].map(([key, given]) => ({
      key,
      value: {
        text: given.flatMap(({ value }) => (typeof value === 'object' ? [value.text] : [])).join(','),
      },
    })),
    ...flags.filter((flag) => !(lists.get(flag.key)?.includes(flag) ?? false)),
  ];
}

/** A list from a file in the form in which a flag has it. */
function asText(table: SettingsTable, given: GivenSetting): GivenSetting {
  return isList(table, given.key) && given.items !== undefined
    ? { ...given, value: { text: given.items.join(',') } }
    : given;
}

/** A file can have keys such as __proto__, which every object seems to have. */
function isList(table: SettingsTable, key: string): boolean {
  return Object.hasOwn(table, key) && table[key]?.type.list === true;
}
