/**
 * Why deletion stopped.
 * - `TooManyDeletions`: more than the allowance would be deleted in one cluster without an event that explains it.
 * - `TooManyUnsealed`: the same of copies whose origin is not sealed, which somebody can have forged. It stops these alone.
 * - `SourceRestored`: the source cluster went back in time, so that what it lacks proves nothing.
 */
export type TripReason = 'TooManyDeletions' | 'TooManyUnsealed' | 'SourceRestored';

/** The mass-deletion guard stopped deleting. It lasts until an operator releases it by its name. */
export interface Trip {
  /** Short and random. */
  readonly name: string;
  /** Identity of the target cluster; absent: all of them. */
  readonly cluster?: string;
  readonly reason: TripReason;
  /** RFC 3339. */
  readonly since: string;
}

/** Where trips are kept, so that they outlive the process. */
export interface TripStore {
  readonly trips: readonly Trip[];
  addTrip(trip: Trip): void;
  removeTrip(name: string): void;
}
