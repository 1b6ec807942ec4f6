import type { GivenSetting } from './given-setting.ts';
import { exclusiveGroups, type SettingsTable } from './setting.ts';

/**
 * The settings that count, by key: a flag wins over the file, and of a repeated flag the last wins, as usual for
 * commands of Kubernetes. A flag also displaces the file's other settings of its exclusive group: else one who
 * overrides `contextsSecret` of a file by `--contexts-kubeconfig` could only be told that both were given.
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
  return new Map([...kept, ...fromFlags].map((given) => [given.key, given]));
}
