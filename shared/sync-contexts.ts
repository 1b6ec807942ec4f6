/** The parsed value of the sync-contexts annotation. */
export interface ContextList {
  /** Names in the order of the list, each once, blanks around them removed. */
  readonly names: readonly string[];
  /** Names that the list holds more than once. */
  readonly repeated: readonly string[];
  /** True when something between commas is empty while other entries are not. */
  readonly hasEmptyName: boolean;
}

/**
 * Parses a comma list of context names. Names may hold anything but a comma; blanks around them do not count.
 * `""` and `","` yield no names at all.
 */
export function parseContextList(value: string): ContextList {
  const entries = value.split(',').map((entry) => entry.trim());
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
  };
}
