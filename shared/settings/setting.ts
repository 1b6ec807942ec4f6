import type { ValueType } from './value-type.ts';

/**
 * One setting of a command. Flags, help, keys of the YAML file and the schema that checks them all follow from this.
 */
export interface Setting<T> {
  readonly type: ValueType<T>;
  /** The placeholder of the value in the help, in capitals. */
  readonly placeholder: string;
  /** One or more sentences for the help. */
  readonly description: string;
  /** As a user would write it. */
  readonly default?: string;
  readonly required?: true;
  /** There is no flag for it. */
  readonly fileOnly?: true;
  /** Of all settings of this name of a group, exactly one must be given. */
  readonly exactlyOneOf?: string;
}

/** The settings of a command by their keys, in the order of the help. A key is camelCase, as in the YAML file. */
export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;

/** The checked values of a table's settings. */
export type SettingValues<Table extends SettingsTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Setting<infer T>
    ? Table[Key] extends { readonly default: string } | { readonly required: true }
      ? T
      : T | undefined
    : never;
};

/** `--cluster-name` for `clusterName`. */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`;
}

/** The groups of which exactly one setting must be given: their keys, in the table's order. */
export function exclusiveGroups(table: SettingsTable): readonly (readonly string[])[] {
  const groups = Map.groupBy(Object.keys(table), (key) => table[key]?.exactlyOneOf);
  return [...groups].filter(([name]) => name !== undefined).map(([, keys]) => keys);
}
