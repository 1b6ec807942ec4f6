import type { CatalogSettings } from './catalog-settings.ts';

/**
 * What both processes know of one kubeconfig context. Never a credential.
 */
export interface CatalogContext {
  readonly name: string;
  /** The namespace that the context carries; copies go there instead of the source's namespace. */
  readonly namespace?: string | undefined;
  /** Normalised URL of the API server; absent where the kubeconfig gives none that can be used. */
  readonly server?: string | undefined;
  /**
   * Which real cluster this is: equal ids mean one cluster. While the cluster has not been reached, the id is
   * derived from the URL.
   */
  readonly cluster: string;
  /** True once the cluster itself has said who it is. Before that, a list that names it proves nothing absent. */
  readonly identified: boolean;
  /** True while the very first attempt to reach the cluster is under way: too early to serve or to judge. */
  readonly settling: boolean;
  /** The cluster that the sources live in. */
  readonly isSource: boolean;
  /** Why the context cannot be used at all, as a sentence; absent for a usable context. */
  readonly problem?: string | undefined;
  /** Since when its cluster cannot be reached, in milliseconds since the Unix epoch; absent while it can. */
  readonly unreachableSince?: number | undefined;
}

/** All contexts of the kubeconfig in use, by name, and the settings that lists are judged by. Without policies, every source may use every context. */
export interface Catalog extends Partial<CatalogSettings> {
  readonly contexts: ReadonlyMap<string, CatalogContext>;
  /**
   * The names in the form in which suggestions compare them. The webhook has them made once a catalog, so that refusing an
   * object costs little more than accepting it.
   */
  readonly plainNames?: ReadonlyMap<string, string> | undefined;
}
