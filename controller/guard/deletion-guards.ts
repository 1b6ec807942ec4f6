import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { TargetKey } from '../copy/target-ref.ts';
import { Allowance } from './allowance.ts';
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
 * The mass-deletion guards of all target clusters, by identity. The allowance of a cluster outlives its lanes, so that one that
 * comes and goes does not renew it, and trips outlive the process. What is held back is a lane's: the next lane of the
 * cluster, here or elsewhere, finds for itself what is to be deleted.
 */
export class DeletionGuards {
  readonly #options: DeletionGuardsOptions;
  /** One for each cluster that had a lane in this term of leadership. */
  readonly #allowances = new Map<string, Allowance>();
  /** Those of the lanes that are open. */
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

  /** A guard for a lane of a cluster that opens, while passes of the one before may still be under way. */
  open(cluster: string): DeletionGuard {
    const { clock } = this.#options;
    const allowance = this.#allowances.get(cluster) ?? new Allowance(() => clock.monotonic());
    this.#allowances.set(cluster, allowance);
    const guard = new DeletionGuard({
      allowance,
      trip: (sealed) => this.#tripOf(cluster, sealed),
      stop: (reason) => this.stop(cluster, reason),
    });
    this.#guards.set(cluster, guard);
    return guard;
  }

  /** The lane of a cluster closes: what it held back is not released here any more. */
  close(cluster: string): void {
    this.#guards.delete(cluster);
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
   * Releases the trips of these names; other names mean nothing. A new round is due where nothing stops deletion any more.
   * Yields what was held back there and may be deleted now, by cluster.
   */
  release(names: readonly string[]): ReadonlyMap<string, readonly TargetKey[]> {
    const { kept, logger } = this.#options;
    const trips = kept.trips.filter(({ name }) => names.includes(name));
    for (const { name, ...trip } of trips) {
      kept.removeTrip(name);
      logger.info('mass deletion released', { trip: name, cluster: trip.cluster, reason: trip.reason });
    }
    const isFreed = (cluster: string): boolean =>
      this.#tripOf(cluster, true) === undefined &&
      trips.some((trip) => trip.cluster === undefined || trip.cluster === cluster);
    for (const [cluster, allowance] of this.#allowances) {
      if (isFreed(cluster)) {
        allowance.end();
      }
    }
    const freed = [...this.#guards].filter(([cluster]) => isFreed(cluster));
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
