import type { SyncedKindName } from '../synced-kind.ts';

/** Allows some sources to use some contexts. Policies for one context add up. */
export interface ContextPolicy {
  /** Names, or beginnings of names with a `*` behind them. */
  readonly contexts: readonly string[];
  /** The same for the namespaces of sources. */
  readonly sourceNamespaces: readonly string[];
  readonly kinds: readonly SyncedKindName[];
}

/** What happens with contexts that no policy names. */
export type PolicyDefault = 'allow' | 'deny';

/** Which sources may use which contexts. */
export class ContextPolicies {
  readonly policies: readonly ContextPolicy[];
  readonly otherwise: PolicyDefault;
  /** The policies for a context, found once: a refusal asks about each context of the catalog. */
  readonly #byContext = new Map<string, readonly ContextPolicy[]>();

  constructor(policies: readonly ContextPolicy[], otherwise: PolicyDefault) {
    this.policies = policies;
    this.otherwise = otherwise;
  }

  /**
   * Whether a source of this namespace and kind may use the context. It must be one of the catalog: the answer is
   * prepared for each name once.
   */
  allow(context: string, source: { readonly namespace: string; readonly kind: SyncedKindName }): boolean {
    // A look-up for each of hundreds of contexts is most of what a refusal costs.
    const policies = this.policies.length === 0 ? this.policies : this.#policiesFor(context);
    return policies.length === 0
      ? this.otherwise === 'allow'
      : policies.some(
          ({ sourceNamespaces, kinds }) =>
            kinds.includes(source.kind) && matches(sourceNamespaces, source.namespace),
        );
  }

  #policiesFor(context: string): readonly ContextPolicy[] {
    const known = this.#byContext.get(context);
    if (known !== undefined) {
      return known;
    }
    const found = this.policies.filter(({ contexts }) => matches(contexts, context));
    this.#byContext.set(context, found);
    return found;
  }
}

function matches(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
}
