import { isRecord } from '../../shared/is-record.ts';
import type { Trip, TripReason } from '../guard/trip.ts';

/** Trips beyond this many, and released names beyond this many: the oldest are dropped. A cluster has two trips at most. */
const maxTrips = 1_000;

const tripReasons: readonly TripReason[] = ['TooManyDeletions', 'TooManyUnsealed', 'SourceRestored'];

/**
 * Trips of the mass-deletion guard. A trip is there as soon as any process says so, until its name is released. Released
 * names are kept, so that a process that writes late, or did not see the release, does not bring the trip back.
 */
export class KeptTrips {
  readonly #standing = new Map<string, Trip>();
  /** By name: when each trip began. Unlike the time of a release, that is the same in all processes. */
  readonly #released = new Map<string, string>();

  get standing(): readonly Trip[] {
    return [...this.#standing.values()];
  }

  /** Names of the trips that were released, here or by another process. */
  get released(): readonly string[] {
    return [...this.#released.keys()];
  }

  add(trip: Trip): void {
    this.#standing.set(trip.name, trip);
    dropOldest(this.#standing, ({ since }) => since);
  }

  /** Releases a trip; false where it does not stand. */
  release(name: string): boolean {
    const trip = this.#standing.get(name);
    if (trip !== undefined) {
      this.#standing.delete(name);
      this.#addReleased(trip);
    }
    return trip !== undefined;
  }

  /**
   * Takes the `entries` of any process; what is nothing of that kind is ignored. Of two trips of the same cluster and reason,
   * the one that is written counts. `released`: the name of a trip that counts no more, written or not. Own trips that
   * another process released stand until `release`, since what they hold back is to go.
   */
  take(entries: Readonly<Record<string, unknown>>, released?: string): void {
    const { trips, released: names } = entries;
    for (const [name, since] of Object.entries(isRecord(names) ? names : {})) {
      if (typeof since === 'string') {
        this.#addReleased({ name, since });
      }
    }
    const written = Array.isArray(trips) ? trips.filter(isTrip) : [];
    for (const trip of written.filter(({ name }) => name === released)) {
      this.#addReleased(trip);
    }
    const taken = written.filter(({ name }) => !this.#released.has(name));
    const takenNames = new Set(taken.map(({ name }) => name));
    for (const [name, { cluster, reason }] of this.#standing) {
      const isSame = (trip: Trip): boolean => trip.cluster === cluster && trip.reason === reason;
      if (!takenNames.has(name) && taken.some(isSame)) {
        this.#standing.delete(name);
      }
    }
    for (const trip of taken) {
      this.add(trip);
    }
  }

  /** What is known, for `take`; equal knowledge gives equal entries in equal order. */
  get entries(): { readonly trips: readonly Trip[]; readonly released?: Readonly<Record<string, string>> } {
    const trips = this.standing.toSorted((left, right) => (left.name < right.name ? -1 : 1));
    const released = [...this.#released].toSorted(([left], [right]) => (left < right ? -1 : 1));
    return { trips, ...(released.length > 0 ? { released: Object.fromEntries(released) } : {}) };
  }

  #addReleased({ name, since }: Pick<Trip, 'name' | 'since'>): void {
    this.#released.set(name, since);
    dropOldest(this.#released, (begun) => begun);
  }
}

/** Which one is the oldest must not depend on who learned of it when: all processes write the same. */
function dropOldest<V>(trips: Map<string, V>, since: (trip: V) => string): void {
  if (trips.size > maxTrips) {
    const ages = [...trips].map(([name, trip]) => ({ name, age: `${since(trip)} ${name}` }));
    const [oldest] = ages.toSorted((left, right) => (left.age < right.age ? -1 : 1));
    trips.delete(oldest?.name ?? '');
  }
}

function isTrip(value: unknown): value is Trip {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    (value['cluster'] === undefined || typeof value['cluster'] === 'string') &&
    tripReasons.some((reason) => reason === value['reason']) &&
    typeof value['since'] === 'string'
  );
}
