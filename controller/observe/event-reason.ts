import type { EventNote } from '../events/recorder.ts';

/** What keeps a source from being copied, as a documented name: reason of its Event and label of the metric. */
export type ProblemReason =
  | 'InvalidSyncContexts'
  | 'ContextUnavailable'
  | 'TargetUnreachable'
  | 'TargetListFailed'
  | 'TargetForbidden'
  | 'TargetRefused'
  | 'TargetFailed'
  | 'NamespaceNotFound'
  | 'NamespaceTerminating'
  | 'Unowned'
  | 'ClaimedByOther'
  | 'SpecialSecret'
  | 'CopyTerminating'
  | 'Contested';

/** The reasons of all Events on sources. Each has a row in docs/reference.md. */
export type EventReason = ProblemReason | 'DeletionHeld' | 'SyncIgnored' | 'Recovered';

/** Where Events on sources go: an EventRecorder that takes documented reasons only. */
export interface SourceEvents {
  record(note: EventNote & { readonly reason: EventReason }): void;
}
