import type { Installation } from '../installation.ts';
import type { ContextPolicies } from './context-policies.ts';

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

/** The part of the catalog that does not change while the controller runs. */
export type CatalogSettings = Pick<Catalog, 'policies' | 'installation'>;

/** All contexts of the kubeconfig in use, by name, and who may use them. */
export interface Catalog {
  readonly contexts: ReadonlyMap<string, CatalogContext>;
  /** Absent: every source may use every context. */
  readonly policies?: ContextPolicies | undefined;
  /** Which installation this is, as its controller was told. */
  readonly installation?: Installation | undefined;
  /**
   * The names in the form in which suggestions compare them. The webhook has them made once a catalog, so that refusing an
   * object costs little more than accepting it.
   */
  readonly plainNames?: ReadonlyMap<string, string> | undefined;
}
