/** JSON that our own code wrote, or that the caller knows the shape of: taken at its word. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- that belief is the parameter's whole point
export function trustedJson<T>(text: string): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place where a shape is believed
  return JSON.parse(text) as T;
}

/** A property of a value of unknown shape; undefined where there is none. */
export function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined;
}
