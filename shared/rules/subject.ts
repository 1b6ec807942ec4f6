import type { Catalog } from '../catalog/catalog.ts';
import type { Keys } from '../keys.ts';
import type { ContextList } from '../sync-contexts.ts';
import type { SyncedKindName } from '../synced-kind.ts';
import type { Violation } from './violation.ts';

/**
 * The object whose annotation is judged. Its name is no part of it: all objects of a namespace with the same list are
 * judged alike, and once.
 */
export interface Subject {
  readonly kind: SyncedKindName;
  readonly namespace: string;
  readonly list: ContextList;
  /** True when the object is somebody's copy, see `isCopy` in copy-mark.ts. */
  readonly isCopy: boolean;
  /** A Secret's type where it is known: metadata does not carry it. */
  readonly type?: string | undefined;
}

/** What the rules are judged against. */
export interface Circumstances {
  readonly keys: Keys;
  readonly catalog: Catalog;
  /** The namespace of this installation; it holds the targets' credentials. */
  readonly ownNamespace: string;
}

/** A rule yields everything that is wrong in its respect, in the order of the list. */
export type Rule = (subject: Subject, circumstances: Circumstances) => readonly Violation[];
