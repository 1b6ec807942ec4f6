import type { SyncedKindName } from '../../shared/synced-kind.ts';

/**
 * The versions up to which lists and events told everything, by kind and namespace. An answer of such a version holds
 * nothing that is not known, however late it comes.
 */
export class ToldVersions {
  readonly #versions = new Map<string, number>();

  /** A list (namespace undefined: of all namespaces) or an event of this version has come in. */
  tell(kind: SyncedKindName, namespace: string | undefined, resourceVersion: string | undefined): void {
    const key = scopeKey(kind, namespace);
    // A version that is no number tells nothing: then no answer counts as late.
    this.#versions.set(key, Math.max(this.#versions.get(key) ?? 0, Number(resourceVersion) || 0));
  }

  /** The highest version told of a namespace; 0 for none. */
  upTo(kind: SyncedKindName, namespace: string): number {
    const scopes = [scopeKey(kind, namespace), scopeKey(kind, undefined)];
    return Math.max(...scopes.map((scope) => this.#versions.get(scope) ?? 0));
  }

  /** Forgets a scope (namespace undefined: all namespaces): a new list begins, and its cluster may have been restored. */
  forget(kind: SyncedKindName, namespace: string | undefined): void {
    const key = scopeKey(kind, namespace);
    for (const told of this.#versions.keys()) {
      if (namespace === undefined ? told.startsWith(key) : told === key) {
        this.#versions.delete(told);
      }
    }
  }
}

/** `Kind/namespace`; `Kind/` is all namespaces. */
function scopeKey(kind: SyncedKindName, namespace: string | undefined): string {
  return `${kind}/${namespace ?? ''}`;
}
