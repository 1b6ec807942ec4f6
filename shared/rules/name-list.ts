/** As many names as a person still reads; a kubeconfig can hold hundreds, and an annotation tens of thousands. */
export const namesShown = 10;
/** Characters of a name that are shown: the owner of an object chooses it, and an annotation holds 256 KiB. */
export const longestName = 253;

/** `"a", "b" and 3 more`, or `none`. */
export function enumerateNames(names: readonly string[]): string {
  if (names.length === 0) {
    return 'none';
  }
  const shown = names.slice(0, namesShown).map(quotedName).join(', ');
  return names.length > namesShown ? `${shown} and ${names.length - namesShown} more` : shown;
}

/** `"a"`, `"a" and "b"`, `"a", "b" and "c"`, or as many as a person still reads; `after` adds to single names. */
export function quotedNames(names: readonly string[], after: (name: string) => string = () => ''): string {
  const shown = names.slice(0, namesShown).map((name) => `${quotedName(name)}${after(name)}`);
  const more = names.length - shown.length;
  const parts = more > 0 ? [...shown, `${more} more`] : shown;
  const last = parts.at(-1) ?? '';
  return parts.length < 2 ? last : `${parts.slice(0, -1).join(', ')} and ${last}`;
}

function quotedName(name: string): string {
  return `"${name.length > longestName ? `${name.slice(0, longestName).toWellFormed()}…` : name}"`;
}
