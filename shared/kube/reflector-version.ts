/** The form in which versions can be compared. */
const decimal = /^[0-9]+$/;

/**
 * True where `seen` is certainly older than `known`: both are decimal, as API servers promise since 1.35. It means
 * that the server's storage went back in time (a restored etcd): nothing known by version holds any longer.
 */
export function wentBack(seen: string, known: string): boolean {
  return decimal.test(seen) && decimal.test(known) && BigInt(seen) < BigInt(known);
}
