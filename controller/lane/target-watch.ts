import type { ContextLink } from '../contexts/context-link.ts';
import { TargetScope, type TargetScopeOptions } from './target-scope.ts';

export type TargetWatchOptions = Omit<TargetScopeOptions, 'namespace' | 'link' | 'onForbidden'> & {
  /** Namespaces that somebody claims an object in: what is watched where not all may be. */
  readonly claimedNamespaces: () => ReadonlySet<string>;
};

/**
 * Sees to it that the copies of one kind on a target cluster are watched, with the rights there are: all namespaces
 * by way of one context that may, else every namespace that matters by way of the context that fits it best.
 */
export class TargetWatch {
  readonly #options: TargetWatchOptions;
  readonly #scopes = new Map<string | undefined, TargetScope>();
  /** Not asked again: their namespaces are watched, and rights over all namespaces hold in each of them, too. */
  readonly #wideRefused = new WeakSet<ContextLink>();
  readonly #stopping = new Set<Promise<void>>();
  #links: readonly ContextLink[] = [];

  constructor(options: TargetWatchOptions) {
    this.#options = options;
  }

  /** Why nothing is known of a namespace: the failure of its lists. */
  listFailure(namespace: string): unknown {
    return (this.#scopes.get(namespace) ?? this.#scopes.get(undefined))?.failure;
  }

  /** Scopes whose lists fail at present. */
  get failingLists(): number {
    return [...this.#scopes.values()].filter(({ failure }) => failure !== undefined).length;
  }

  /** Takes the present links of the cluster, and brings the scopes in line with them and with the claims. */
  adjust(links: readonly ContextLink[]): void {
    this.#links = links;
    const wanted = this.#wanted();
    for (const [namespace, scope] of this.#scopes) {
      const link = wanted.get(namespace);
      if (link === undefined || !this.#serves(scope.link, link)) {
        this.#scopes.delete(namespace);
        this.#stop(scope);
      }
    }
    for (const [namespace, link] of wanted) {
      if (!this.#scopes.has(namespace)) {
        this.#scopes.set(namespace, this.#start(namespace, link));
      }
    }
  }

  /** Makes sure that a namespace is watched. */
  watchNamespace(namespace: string): void {
    if (!this.#scopes.has(undefined) && !this.#scopes.has(namespace)) {
      this.adjust(this.#links);
    }
  }

  /** Tries again at once whatever failed: the cluster is known to answer. */
  wake(): void {
    for (const scope of this.#scopes.values()) {
      scope.wake();
    }
  }

  /** Lists everything again. */
  relist(): void {
    for (const scope of this.#scopes.values()) {
      scope.relist();
    }
  }

  async close(): Promise<void> {
    for (const scope of this.#scopes.values()) {
      this.#stop(scope);
    }
    this.#scopes.clear();
    await Promise.all(this.#stopping);
  }

  #wanted(): ReadonlyMap<string | undefined, ContextLink> {
    const wide = byPreference(this.#links, undefined).find((link) => !this.#wideRefused.has(link));
    if (wide !== undefined) {
      return new Map([[undefined, wide]]);
    }
    const bound = this.#links.flatMap(({ namespace }) => namespace ?? []);
    const namespaces = new Set([...bound, ...this.#options.claimedNamespaces()]);
    return new Map(
      [...namespaces].flatMap((namespace) => {
        const [link] = byPreference(this.#links, namespace);
        return link === undefined ? [] : [[namespace, link] as const];
      }),
    );
  }

  /** A link that is in use stays in use while it works, whichever would be chosen afresh. */
  #serves(current: ContextLink, wanted: ContextLink): boolean {
    return (
      current === wanted ||
      (this.#links.includes(current) && (current.state === 'up' || wanted.state !== 'up'))
    );
  }

  #start(namespace: string | undefined, link: ContextLink): TargetScope {
    const scope = new TargetScope({
      ...this.#options,
      namespace,
      link,
      onForbidden: (refused) => {
        if (this.#scopes.get(undefined) === refused) {
          this.#wideRefused.add(refused.link);
          this.#scopes.delete(undefined);
          this.#stop(refused);
          this.adjust(this.#links);
        }
      },
    });
    scope.start();
    return scope;
  }

  #stop(scope: TargetScope): void {
    const stopped = scope.stop();
    this.#stopping.add(stopped);
    void stopped.finally(() => this.#stopping.delete(stopped));
  }
}

/** Links in the order in which they fit a namespace: those that answer, then those bound to it, then those bound to none. */
export function byPreference(
  links: readonly ContextLink[],
  namespace: string | undefined,
): readonly ContextLink[] {
  const rank = (link: ContextLink): number =>
    (link.state === 'up' ? 0 : 4) + (link.namespace === namespace ? 0 : link.namespace === undefined ? 1 : 2);
  return links.toSorted((left, right) => rank(left) - rank(right));
}
