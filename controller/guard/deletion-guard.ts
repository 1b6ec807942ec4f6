import type { TargetKey } from '../copy/target-ref.ts';
import type { Allowance } from './allowance.ts';
import type { Trip, TripReason } from './trip.ts';

export interface DeletionGuardOptions {
  /** That of the cluster. */
  readonly allowance: Allowance;
  /** What stops deletion in this cluster now, of copies with or without a seal. */
  readonly trip: (sealed: boolean) => Trip | undefined;
  /** Stops deletion in this cluster; yields the trip. */
  readonly stop: (reason: TripReason) => Trip;
}

/**
 * Stops mass deletion by one lane: a wrong kubeconfig or a restored source cluster looks like thousands of deleted sources,
 * each with its own proof. Deletions that a watch event explains do not count.
 */
export class DeletionGuard {
  readonly #options: DeletionGuardOptions;
  /** Held back by the trip; at most as many keys as the cluster has copies, as are those that were released. */
  readonly #held = new Map<TargetKey, { readonly sealed: boolean }>();
  readonly #released = new Set<TargetKey>();

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

  /** Something gives rise to inference over this many sealed copies, see `Allowance.begin`. */
  begin(copies: number): void {
    this.#options.allowance.begin(copies);
  }

  /** Asks for one deletion that no event explains, and that is proved; yields what holds it back. */
  obstacle(target: TargetKey, sealed = true): Trip | undefined {
    if (this.#released.has(target)) {
      return undefined;
    }
    const { allowance, stop } = this.#options;
    const reason = sealed ? 'TooManyDeletions' : 'TooManyUnsealed';
    const trip = this.#options.trip(sealed) ?? (allowance.take(target, sealed) ? undefined : stop(reason));
    if (trip !== undefined) {
      this.#held.set(target, { sealed });
    }
    return trip;
  }

  /** A deletion that was allowed did not happen. */
  giveBack(target: TargetKey): void {
    this.#options.allowance.giveBack(target);
  }

  /** The object need not be deleted any more: it was, or it is wanted again. */
  settle(target: TargetKey): void {
    this.#held.delete(target);
    this.#released.delete(target);
  }

  /** A trip was released: what no other one holds back may go. Yields these objects. */
  release(): readonly TargetKey[] {
    const freed = [...this.#held]
      .filter(([, { sealed }]) => this.#options.trip(sealed) === undefined)
      .map(([target]) => target);
    for (const target of freed) {
      this.#held.delete(target);
      this.#released.add(target);
    }
    return freed;
  }
}
