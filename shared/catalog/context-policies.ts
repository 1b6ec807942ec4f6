import type { SyncedKindName } from '../synced-kind.ts';

/** Allows some sources to use some contexts. Policies for one context add up. */
export interface ContextPolicy {
  /** Names, or beginnings of names with a `*` behind them. */
  readonly contexts: readonly string[];
  /** The same for the namespaces of sources. */
  readonly sourceNamespaces: readonly string[];
  readonly kinds: readonly SyncedKindName[];
}

/** Which sources may use which contexts. */
export interface ContextPolicies {
  readonly policies: readonly ContextPolicy[];
  /** For contexts that no policy names. */
  readonly otherwise: 'allow' | 'deny';
}

/** Whether a source of this namespace and kind may use the context. Without policies, all may use all. */
export function mayUse(
  context: string,
  source: { readonly namespace: string; readonly kind: SyncedKindName },
  policies: ContextPolicies | undefined,
): boolean {
  if (policies === undefined) {
    return true;
  }
  const about = policies.policies.filter(({ contexts }) => matches(contexts, context));
  return about.length === 0
    ? policies.otherwise === 'allow'
    : about.some(
        ({ sourceNamespaces, kinds }) =>
          kinds.includes(source.kind) && matches(sourceNamespaces, source.namespace),
      );
}

function matches(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
}
