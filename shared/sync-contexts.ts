/**
 * Entries that are read of a list. An annotation of 256 KiB could hold 130,000, and everybody who may annotate an object
 * could keep the webhook busy with it.
 */
export const maxListEntries = 2_000;

/** The parsed value of the sync-contexts annotation. */
export interface ContextList {
  /** Names in the order of the list, each once, blanks around them removed. */
  readonly names: readonly string[];
  /** Names that the list holds more than once. */
  readonly repeated: readonly string[];
  /** True when something between commas is empty while other entries are not. */
  readonly hasEmptyName: boolean;
  /** True when the list has more entries than are read. */
  readonly isTooLong: boolean;
}

/**
 * Parses a comma list of context names. Names may hold anything but a comma; blanks around them do not count.
 * `""` and `","` yield no names at all.
 */
export function parseContextList(value: string): ContextList {
  // One more than are read shows that there are more.
  const all = value.split(',', maxListEntries + 1);
  const entries = all.slice(0, maxListEntries).map((entry) => entry.trim());
  const filled = entries.filter((entry) => entry !== '');
  const names = new Set<string>();
  const repeated = new Set<string>();
  for (const name of filled) {
    (names.has(name) ? repeated : names).add(name);
  }
  return {
    names: [...names],
    repeated: [...repeated],
    hasEmptyName: filled.length > 0 && filled.length < entries.length,
    isTooLong: all.length > maxListEntries,
  };
}
