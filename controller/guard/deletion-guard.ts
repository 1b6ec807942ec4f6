import type { TargetKey } from '../copy/target-ref.ts';
import type { Trip, TripReason } from './trip.ts';

/** Deletions that no event explains which are never too many, whatever the share. */
const alwaysAllowed = 500;
/** The share of a cluster's copies that may be deleted in a round. */
const allowedShare = 0.5;
/** Milliseconds that an allowance is for: a cluster that comes and goes must not renew it each time. */
const roundMs = 60 * 60_000;

export interface DeletionGuardOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
  /** What stops deletion in this cluster now, of copies with or without a seal. */
  readonly trip: (sealed: boolean) => Trip | undefined;
  /** Stops deletion in this cluster; yields the trip. */
  readonly stop: (reason: TripReason) => Trip;
}

/**
 * Stops mass deletion in one target cluster: a wrong kubeconfig or a restored source cluster looks like thousands of
 * deleted sources, each with its own proof. Deletions that a watch event explains do not count. Copies without a seal, which
 * somebody can have forged, have an allowance of their own.
 */
export class DeletionGuard {
  readonly #options: DeletionGuardOptions;
  /** Deleted in this round, with and without a seal; as many as are allowed at most. */
  readonly #sealed = new Set<TargetKey>();
  readonly #unsealed = new Set<TargetKey>();
  /** Held back by the trip; at most as many keys as the cluster has copies, as are those that were released. */
  readonly #held = new Map<TargetKey, { readonly sealed: boolean }>();
  readonly #released = new Set<TargetKey>();
  #limit = alwaysAllowed;
  #begunAt: number | undefined;

  constructor(options: DeletionGuardOptions) {
    this.#options = options;
  }

  get tripped(): boolean {
    return this.#options.trip(false) !== undefined;
  }

  /** How many deletions are held back. */
  get held(): number {
    return this.#held.size;
  }

  /**
   * Something gives rise to inference (a start, a relist, a recovery) over this many sealed copies. The allowance is new once
   * the last one is an hour old, and grows with what is found.
   */
  begin(copies: number): void {
    const now = this.#options.monotonic();
    if (this.#begunAt === undefined || now - this.#begunAt >= roundMs) {
      this.#begunAt = now;
      this.#sealed.clear();
      this.#unsealed.clear();
      this.#limit = alwaysAllowed;
    }
    this.#limit = Math.max(this.#limit, Math.floor(copies * allowedShare));
  }

  /**
   * Asks for one deletion that no event explains, and that is proved; yields what holds it back. One object counts once
   * in a round, however often it is deleted.
   */
  obstacle(target: TargetKey, sealed = true): Trip | undefined {
    if (this.#released.has(target)) {
      return undefined;
    }
    const counted = sealed ? this.#sealed : this.#unsealed;
    const isTooMany = !counted.has(target) && counted.size >= (sealed ? this.#limit : alwaysAllowed);
    const reason = sealed ? 'TooManyDeletions' : 'TooManyUnsealed';
    const trip = this.#options.trip(sealed) ?? (isTooMany ? this.#options.stop(reason) : undefined);
    if (trip === undefined) {
      counted.add(target);
    } else {
      this.#held.set(target, { sealed });
    }
    return trip;
  }

  /** A deletion that was allowed did not happen: a copy that cannot be deleted must not count. */
  giveBack(target: TargetKey): void {
    this.#sealed.delete(target);
    this.#unsealed.delete(target);
  }

  /** The object need not be deleted any more: it was, or it is wanted again. */
  settle(target: TargetKey): void {
    this.#held.delete(target);
    this.#released.delete(target);
  }

  /**
   * A trip was released: what no other one holds back may go, and for everything else a new round begins. Yields the
   * objects that may go.
   */
  release(): readonly TargetKey[] {
    const freed = [...this.#held]
      .filter(([, { sealed }]) => this.#options.trip(sealed) === undefined)
      .map(([target]) => target);
    for (const target of freed) {
      this.#held.delete(target);
      this.#released.add(target);
    }
    this.#begunAt = undefined;
    return freed;
  }
}
