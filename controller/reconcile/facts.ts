import type { Claim } from '../claims/claim.ts';
import type { TargetRef } from '../copy/target-ref.ts';
import type { SourceReading } from '../source/source-reader.ts';
import type { Observed } from '../target/copy-index.ts';
import type { DeleteReason } from './outcome.ts';

/** A reading, and of which source it is. */
export interface GatheredSource {
  /** Uid of the source that was served when it was read. */
  readonly uid: string;
  readonly reading: SourceReading;
  /** Read for this very pass, not remembered. */
  readonly fresh: boolean;
}

/** What a live read of an unclaimed copy's source proves. */
export type Release =
  | { readonly released: true; readonly reason: DeleteReason }
  | {
      readonly released: false;
      readonly reason:
        | 'StillListed'
        | 'ListInvalid'
        | 'ContextMoved'
        | 'ContextUnidentified'
        | 'PlaceUnrecorded';
    };

/** A proof, and of which version of which copy it is. */
export interface GatheredRelease {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly release: Release;
}

/** Everything that a decision rests on. What is absent was not gathered yet. */
export interface Facts {
  readonly target: TargetRef;
  readonly claims: readonly Claim[];
  readonly observed: Observed;
  /** What is there was read in this very pass. */
  readonly looked?: boolean | undefined;
  /** False after versions went back (a restored etcd): then only content is compared. */
  readonly versionsTrusted: boolean;
  /** Counts only for the source that it is of: events come while a source is read. */
  readonly source?: GatheredSource | undefined;
  /** Counts only for the version that it is of: a copy can pass to another source meanwhile. */
  readonly release?: GatheredRelease | undefined;
}
