import type { Claim } from '../claims/claim.ts';
import type { RecordedOrigin } from '../copy/copy-record.ts';

/** Why a copy is as it is. Reasons are documented names: they appear in Events, metrics and logs. */
export type LeaveReason =
  | 'InSync'
  /** Only metadata was seen so far; its content is verified in the background. */
  | 'Unverified'
  | 'Absent'
  | 'NotOurs'
  | 'UnclaimedAdoptable'
  | 'StillListed'
  | 'ListInvalid'
  | 'ContextMoved'
  /** Somebody deletes it already. */
  | 'Terminating'
  | 'PlaceUnrecorded';

/** What is in the way until a person changes something. */
export type RefuseReason = 'Unowned' | 'ClaimedByOther' | 'AmbiguousCluster' | 'SpecialSecret';

/** What is not known yet; nothing is decided on a guess. */
export type WaitReason =
  | 'TargetNotListed'
  | 'SourceChanging'
  | 'ContextUnidentified'
  /** A context of the list is being reached for the first time: it may be this cluster, too. */
  | 'ContextSettling'
  /** The copy is being deleted, and finalizers hold it. */
  | 'CopyTerminating'
  | 'Contested'
  | 'DeletionGuard'
  | 'TargetUnreachable';

export type WriteReason = 'Missing' | 'SourceChanged' | 'Drifted' | 'TakenOver' | 'Relabelled';
export type DeleteReason = 'SourceDeleted' | 'AnnotationRemoved' | 'ContextDelisted';

export type WriteAction = 'create' | 'update' | 'adopt' | 'replace' | 'delete';

/** What one pass over a target object came to. */
export type Outcome =
  | { readonly kind: 'left'; readonly reason: LeaveReason }
  | { readonly kind: 'written'; readonly action: WriteAction; readonly reason: WriteReason | DeleteReason }
  | { readonly kind: 'refused'; readonly reason: RefuseReason }
  | {
      readonly kind: 'waiting';
      readonly reason: WaitReason;
      readonly retryAfterMs?: number;
      /** The deletion that the mass-deletion guard holds back: the copy's origin, and the name of the trip. */
      readonly held?: { readonly origin: RecordedOrigin; readonly trip: string };
    }
  | { readonly kind: 'failed'; readonly error: unknown };

/** An outcome, and whom it concerns. */
export interface Pass {
  readonly outcome: Outcome;
  /** All claims on the object, and the one that was served. */
  readonly claims: readonly Claim[];
  readonly winner: Claim | undefined;
}
