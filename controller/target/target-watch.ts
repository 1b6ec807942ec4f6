import { type BackoffOptions, backoffMs } from '../../shared/kube/backoff.ts';
import type { SyncedKindName } from '../../shared/synced-kind.ts';
import type { ContextLink } from '../contexts/context-link.ts';
import { TargetScope, type TargetScopeOptions } from './target-scope.ts';

/** Between two attempts to watch all namespaces after a refusal, in milliseconds. */
const wideBackoff: BackoffOptions = { baseMs: 30_000, maxMs: 10 * 60_000 };

/** Namespaces of the cluster that hold copies of a kind. They are remembered across restarts. */
export interface RememberedNamespaces {
  of(kind: SyncedKindName): ReadonlySet<string>;
  remember(kind: SyncedKindName, namespace: string): void;
  forget(kind: SyncedKindName, namespace: string): void;
  forgetAll(kind: SyncedKindName): void;
}

export type TargetWatchOptions = Omit<
  TargetScopeOptions,
  'namespace' | 'link' | 'onForbidden' | 'onUnwatchable'
> & {
  /** Namespaces that somebody claims an object in: what is watched where not all may be. */
  readonly claimedNamespaces: () => ReadonlySet<string>;
  readonly namespaces: RememberedNamespaces;
};

/**
 * Sees to it that the copies of one kind on a target cluster are watched, with the rights there are: all namespaces
 * through one context that may, else every namespace that matters through the context that fits it best. Rights over all
 * namespaces are tried again from time to time: a refusal can be of the moment.
 */
export class TargetWatch {
  readonly #options: TargetWatchOptions;
  readonly #scopes = new Map<string | undefined, TargetScope>();
  /** Links that were refused all namespaces. */
  readonly #wideRefused = new WeakSet<ContextLink>();
  /** Links that were refused a namespace, by namespace, since the last attempt at all namespaces. */
  readonly #refused = new Map<string, Set<ContextLink>>();
  /** Links of which the log says that they may not watch. */
  readonly #unwatchable = new WeakSet<ContextLink>();
  readonly #stopping = new Set<Promise<void>>();
  #links: readonly ContextLink[] = [];
  /** Tries to list all namespaces, beside the scopes in use until it has. */
  #candidate: TargetScope | undefined;
  #attempts = 0;
  #cancelAttempt: (() => void) | undefined;

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
        if (namespace === undefined) {
          // The link that takes over may turn out to have rights in some namespaces only.
          this.#rememberCopies();
        }
        this.#scopes.delete(namespace);
        this.#stop(scope);
      }
    }
    for (const [namespace, link] of wanted) {
      if (!this.#scopes.has(namespace)) {
        this.#scopes.set(namespace, this.#start(namespace, link));
      }
    }
    this.#adjustAttempts(wanted.has(undefined));
  }

  /** Makes sure that a namespace is watched. */
  watchNamespace(namespace: string): void {
    if (this.#scopes.has(undefined)) {
      return;
    }
    // It can be watched and forgotten: a list showed no copy there, and nobody claimed one then.
    this.#options.namespaces.remember(this.#options.kind.name, namespace);
    if (!this.#scopes.has(namespace)) {
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
    this.#adjustAttempts(true);
    for (const scope of this.#scopes.values()) {
      this.#stop(scope);
    }
    this.#scopes.clear();
    await Promise.all(this.#stopping);
  }

  #wanted(): ReadonlyMap<string | undefined, ContextLink> {
    const wide = this.#linkFor(undefined, this.#wideRefused);
    if (wide !== undefined) {
      return new Map([[undefined, wide]]);
    }
    if (this.#scopes.has(undefined)) {
      this.#rememberCopies();
    }
    const { kind, namespaces, claimedNamespaces } = this.#options;
    const bound = this.#links.flatMap(({ namespace }) => namespace ?? []);
    const claimed = claimedNamespaces();
    for (const namespace of claimed) {
      namespaces.remember(kind.name, namespace);
    }
    return new Map(
      [...new Set([...bound, ...claimed, ...namespaces.of(kind.name)])].flatMap((namespace) => {
        const refused = this.#refused.get(namespace) ?? new Set();
        const link = this.#linkFor(namespace, refused) ?? this.#linkFor(namespace, new Set());
        return link === undefined ? [] : [[namespace, link] as const];
      }),
    );
  }

  /** The link that fits a scope best, those apart that were refused it. While any link answers, no other one is waited for. */
  #linkFor(namespace: string | undefined, refused: Pick<Set<ContextLink>, 'has'>): ContextLink | undefined {
    const up = this.#links.filter(({ state }) => state === 'up');
    return byPreference(up.length > 0 ? up : this.#links, namespace).find((link) => !refused.has(link));
  }

  /** A link that is in use stays in use while it works, whichever would be chosen afresh. */
  #serves(current: ContextLink, wanted: ContextLink): boolean {
    return (
      current === wanted ||
      (this.#links.includes(current) && (current.state === 'up' || wanted.state !== 'up'))
    );
  }

  #start(namespace: string | undefined, link: ContextLink): TargetScope {
    const scope: TargetScope = new TargetScope({
      ...this.#options,
      namespace,
      link,
      onListed: (first, copies) => {
        this.#listed(scope, copies.length);
        this.#options.onListed(first, copies, namespace);
      },
      onForbidden: (refused) => {
        if (refused === this.#candidate) {
          this.#dropCandidate();
          this.#scheduleAttempt();
          return true;
        }
        if (refused.namespace !== undefined) {
          return this.#passOn(refused, refused.namespace);
        }
        if (this.#scopes.get(undefined) === refused) {
          this.#narrow(refused);
        }
        return true;
      },
      onUnwatchable: () => {
        if (!this.#unwatchable.has(link)) {
          this.#unwatchable.add(link);
          this.#options.logger.warn(
            'copies on a target cluster are listed but cannot be watched, changes there are noticed late; grant watch',
            { context: link.name, kind: this.#options.kind.name },
          );
        }
      },
    });
    scope.start();
    return scope;
  }

  /** A list of a scope was finished, with this many copies of ours. */
  #listed(scope: TargetScope, copies: number): void {
    const { kind, namespaces, claimedNamespaces } = this.#options;
    const { namespace } = scope;
    if (namespace === undefined) {
      if (scope === this.#candidate) {
        this.#widen(scope);
      }
      namespaces.forgetAll(kind.name);
    } else if (copies > 0) {
      namespaces.remember(kind.name, namespace);
    } else if (!claimedNamespaces().has(namespace)) {
      namespaces.forget(kind.name, namespace);
    }
  }

  /** Hands a namespace to a link that was not refused it yet; false where there is none. */
  #passOn(scope: TargetScope, namespace: string): boolean {
    const refused = this.#refused.get(namespace) ?? new Set();
    this.#refused.set(namespace, refused.add(scope.link));
    const next = this.#linkFor(namespace, refused);
    if (next === undefined || this.#scopes.get(namespace) !== scope) {
      return false;
    }
    this.#stop(scope);
    this.#scopes.set(namespace, this.#start(namespace, next));
    return true;
  }

  /** Before all namespaces go out of sight: those in which copies were seen are to be watched. */
  #rememberCopies(): void {
    const { kind, namespaces, index } = this.#options;
    for (const { target, record } of index.copies(kind.name)) {
      if (record.ownership === 'ours') {
        namespaces.remember(kind.name, target.namespace);
      }
    }
  }

  /** From all namespaces to those that matter. */
  #narrow(refused: TargetScope): void {
    this.#rememberCopies();
    this.#wideRefused.add(refused.link);
    this.#scopes.delete(undefined);
    this.#stop(refused);
    this.adjust(this.#links);
  }

  /** All namespaces were listed: from now on that scope alone is in use. What was known stays known throughout. */
  #widen(candidate: TargetScope): void {
    this.#wideRefused.delete(candidate.link);
    this.#candidate = undefined;
    this.#attempts = 0;
    const narrow = [...this.#scopes.values()];
    this.#scopes.clear();
    this.#scopes.set(undefined, candidate);
    for (const scope of narrow) {
      this.#stop(scope);
    }
  }

  #isUp(link: ContextLink): boolean {
    return link.state === 'up' && this.#links.includes(link);
  }

  #adjustAttempts(isWide: boolean): void {
    if (isWide) {
      this.#cancelAttempt?.();
      this.#cancelAttempt = undefined;
      this.#dropCandidate();
    } else if (this.#candidate !== undefined && !this.#isUp(this.#candidate.link)) {
      this.#dropCandidate();
    }
    if (!isWide && this.#candidate === undefined && this.#cancelAttempt === undefined) {
      this.#scheduleAttempt();
    }
  }

  #scheduleAttempt(): void {
    const { clock, random } = this.#options;
    this.#cancelAttempt = clock.schedule(backoffMs(this.#attempts, wideBackoff, random), () => {
      this.#cancelAttempt = undefined;
      this.#refused.clear();
      // Each context in turn: any of them may have been given the rights.
      const link = this.#links[this.#attempts % Math.max(1, this.#links.length)];
      this.#attempts += 1;
      if (link === undefined || link.state !== 'up') {
        this.#scheduleAttempt();
      } else {
        this.#candidate = this.#start(undefined, link);
      }
    });
  }

  #dropCandidate(): void {
    const dropped = this.#candidate;
    this.#candidate = undefined;
    if (dropped !== undefined) {
      this.#stop(dropped);
    }
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
