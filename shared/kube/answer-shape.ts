import type { KubeObject, ListPage } from './object.ts';

/**
 * The caller names the type. What the program relies on is checked: an answer by somebody else must not pass for an
 * object. Reviews (who am I, may I) have no name.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- only the caller knows the type that it asked the server for
export function isObjectNamed<T extends KubeObject>(value: unknown, name: string): value is T {
  return hasMetadata(value) && (value.metadata.name ?? '') === name;
}

/** `{}` must not pass for an empty list, because absence from a list can lead to deletion. */
export function isListPage<T extends KubeObject>(value: unknown): value is ListPage<T> {
  return hasMetadata(value) && 'items' in value && (value.items === null || Array.isArray(value.items));
}

function hasMetadata(value: unknown): value is { metadata: { name?: unknown } } {
  return (
    value !== null &&
    typeof value === 'object' &&
    'metadata' in value &&
    value.metadata !== null &&
    typeof value.metadata === 'object'
  );
}
