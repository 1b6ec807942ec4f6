export type ViolationReason =
  | 'EmptyList'
  | 'EmptyName'
  | 'ListTooLong'
  | 'UnknownContext'
  | 'SameCluster'
  | 'SourceCluster'
  | 'ContextNotAllowed'
  | 'SystemNamespace'
  | 'TargetNamespace'
  | 'CopyAsSource'
  | 'SpecialSecret';

/**
 * What a violation stops.
 * - `object`: nothing is served for the object.
 * - `contexts`: the contexts that it names are not served; the others are.
 * - `creation`: copies in the clusters that it names are kept up to date, and none is created.
 * - `nothing`: the list is served as far as it can be read.
 */
export type Effect = 'object' | 'contexts' | 'creation' | 'nothing';

/** One broken rule, as a whole sentence that says what to change. Never contains payload. */
export interface Violation {
  readonly reason: ViolationReason;
  readonly stops: Effect;
  readonly message: string;
  /** The contexts of the list that it concerns; empty: the whole object. */
  readonly contexts: readonly string[];
}
