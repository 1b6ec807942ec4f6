import { exclusiveGroups, type SettingsTable } from '../../shared/settings/setting.ts';
import type { GivenSetting } from './given-setting.ts';

/**
 * The settings that count, by key: a flag wins over the file, and of a repeated flag the last wins, as usual for
 * commands of Kubernetes. A flag also displaces the file's other settings of its exclusive group: else one who
 * overrides `contextsSecret` of a file by `--contexts-kubeconfig` could only be answered that both were given.
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
  const flags = new Map<string, GivenSetting>();
  for (const flag of fromFlags) {
    const before = flags.get(flag.key);
    const addsUp = before !== undefined && table[flag.key]?.type.list === true;
    flags.set(flag.key, addsUp ? together(before, flag) : flag);
  }
  return new Map([...kept.map((given) => [given.key, given] as const), ...flags]);
}

/** Two flags of a list as one. One without a value stays alone, so that it is reported. */
function together(one: GivenSetting, other: GivenSetting): GivenSetting {
  if (typeof one.value !== 'object') {
    return one;
  }
  return typeof other.value === 'object'
    ? { key: one.key, value: { text: `${one.value.text},${other.value.text}` } }
    : other;
}
