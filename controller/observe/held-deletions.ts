import type { Clock } from '../../shared/clock.ts';
import type { SyncedKindName } from '../../shared/synced-kind.ts';
import type { RecordedOrigin } from '../copy/copy-record.ts';
import { type SourceKey, sourceKey } from '../source/source-record.ts';
import type { SourceEvents } from './event-reason.ts';

/** One Event a source and hour: a mass deletion holds back thousands, and each is looked at again and again. */
const eventEveryMs = 60 * 60_000;
/** Sources whose last Event is remembered; beyond that the oldest can get another one. */
const memoryLimit = 20_000;

export interface HeldDeletionsOptions {
  readonly events: SourceEvents;
  readonly clock: Clock;
}

/** Reports to the sources of copies that the mass-deletion guard holds their deletion back. */
export class HeldDeletions {
  readonly #options: HeldDeletionsOptions;
  /** When a source got its last Event, in monotonic milliseconds; the oldest first. */
  readonly #toldAt = new Map<SourceKey, number>();

  constructor(options: HeldDeletionsOptions) {
    this.#options = options;
  }

  /** A copy with this origin is held back by the trip of this name. The source may no longer exist. */
  report(kind: SyncedKindName, { namespace, name, uid }: RecordedOrigin, trip: string): void {
    const { events, clock } = this.#options;
    const key = sourceKey({ kind, namespace, name });
    const toldAt = this.#toldAt.get(key);
    const now = clock.monotonic();
    if (toldAt !== undefined && now - toldAt < eventEveryMs) {
      return;
    }
    this.#toldAt.delete(key);
    this.#toldAt.set(key, now);
    const [oldest] = this.#toldAt.keys();
    if (this.#toldAt.size > memoryLimit && oldest !== undefined) {
      this.#toldAt.delete(oldest);
    }
    events.record({
      object: { apiVersion: 'v1', kind, namespace, name, uid },
      type: 'Warning',
      reason: 'DeletionHeld',
      message: `Copies of this object are no longer wanted, but the mass-deletion guard stopped deletion (trip ${trip}). An operator has to release it; the log of the controller has the command.`,
    });
  }
}
