import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { TargetKey } from '../copy/target-ref.ts';
import { DeletionGuard } from './deletion-guard.ts';
import type { Trip, TripReason, TripStore } from './trip.ts';

/** Letters and digits that nobody confuses, for names that people type. */
const alphabet = '23456789abcdefghjkmnpqrstuvwxyz';
const nameLength = 6;

export interface DeletionGuardsOptions {
  readonly kept: TripStore;
  /** How to release a trip, as a command for people. */
  readonly releaseCommand: (trip: string) => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * The mass-deletion guards of all target clusters, by identity: they outlive changed credentials, and trips outlive the
 * process. One guard for each cluster that had a lane in this term of leadership.
 */
export class DeletionGuards {
  readonly #options: DeletionGuardsOptions;
  readonly #guards = new Map<string, DeletionGuard>();
  /** Names of the trips that the log has; as many as are kept. */
  #logged: ReadonlySet<string> = new Set();

  constructor(options: DeletionGuardsOptions) {
    this.#options = options;
    this.logTrips();
  }

  /** Logs the trips that are kept and were not logged yet: other processes trip, too. */
  logTrips(): void {
    const { trips } = this.#options.kept;
    for (const trip of trips) {
      if (!this.#logged.has(trip.name)) {
        this.#log(trip);
      }
    }
    this.#logged = new Set(trips.map(({ name }) => name));
  }

  /** The guard of a cluster. */
  of(cluster: string): DeletionGuard {
    const known = this.#guards.get(cluster);
    if (known !== undefined) {
      return known;
    }
    const guard = new DeletionGuard({
      monotonic: () => this.#options.clock.monotonic(),
      trip: (sealed) => this.#tripOf(cluster, sealed),
      stop: (reason) => this.stop(cluster, reason),
    });
    this.#guards.set(cluster, guard);
    return guard;
  }

  /** Stops deletion in a cluster (undefined: in all of them), unless it is stopped already. */
  stop(cluster: string | undefined, reason: TripReason): Trip {
    const present = this.#tripOf(cluster, reason !== 'TooManyUnsealed');
    if (present !== undefined) {
      return present;
    }
    const { kept, clock } = this.#options;
    const trip: Trip = {
      name: this.#name(),
      ...(cluster === undefined ? {} : { cluster }),
      reason,
      since: new Date(clock.now()).toISOString(),
    };
    kept.addTrip(trip);
    this.logTrips();
    return trip;
  }

  /**
   * Releases the trips of these names; other names mean nothing. Yields what was held back and may be deleted now, by
   * cluster. A cluster that another trip stops as well stays stopped.
   */
  release(names: readonly string[]): ReadonlyMap<string, readonly TargetKey[]> {
    const { kept, logger } = this.#options;
    const trips = kept.trips.filter(({ name }) => names.includes(name));
    for (const { name, ...trip } of trips) {
      kept.removeTrip(name);
      logger.info('mass deletion released', { trip: name, cluster: trip.cluster, reason: trip.reason });
    }
    const freed = [...this.#guards].filter(
      ([cluster]) =>
        this.#tripOf(cluster, true) === undefined &&
        trips.some((trip) => trip.cluster === undefined || trip.cluster === cluster),
    );
    return new Map(freed.map(([cluster, guard]) => [cluster, guard.release()]));
  }

  /** What stops the deletion of copies with or without a seal. */
  #tripOf(cluster: string | undefined, sealed: boolean): Trip | undefined {
    return this.#options.kept.trips.find(
      (trip) =>
        (trip.cluster === undefined || trip.cluster === cluster) &&
        (!sealed || trip.reason !== 'TooManyUnsealed'),
    );
  }

  #name(): string {
    return Array.from({ length: nameLength }, () =>
      alphabet.charAt(Math.floor(this.#options.random() * alphabet.length)),
    ).join('');
  }

  #log({ name, cluster, reason, since }: Trip): void {
    const { logger, releaseCommand } = this.#options;
    logger.error('mass deletion is stopped', {
      trip: name,
      cluster: cluster ?? 'all',
      reason,
      since,
      release: releaseCommand(name),
    });
  }
}
