export type ViolationReason =
  | 'EmptyList'
  | 'EmptyName'
  | 'UnknownContext'
  | 'SameCluster'
  | 'SourceCluster'
  | 'SystemNamespace'
  | 'TargetNamespace'
  | 'CopyAsSource'
  | 'SpecialSecret';

/** One broken rule, as a whole sentence that says what to change. Never contains payload. */
export interface Violation {
  readonly reason: ViolationReason;
  readonly message: string;
  /** The contexts of the list that it concerns; empty: the whole object. */
  readonly contexts: readonly string[];
}
