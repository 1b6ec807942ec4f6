import type { TargetKey } from '../copy/target-ref.ts';

/** Deletions that no event explains which are never too many, whatever the share. */
const alwaysAllowed = 500;
/** The share of a cluster's copies that may be deleted in a round. */
const allowedShare = 0.5;
/** Milliseconds that an allowance is for: a cluster that comes and goes must not renew it each time. */
const roundMs = 60 * 60_000;

/**
 * How many copies of one target cluster may be deleted in a round without an event that explains it. Copies without a seal,
 * which somebody can have forged, have an allowance of their own.
 */
export class Allowance {
  readonly #monotonic: () => number;
  /** Deleted in this round, with and without a seal; as many as are allowed at most. */
  readonly #sealed = new Set<TargetKey>();
  readonly #unsealed = new Set<TargetKey>();
  #limit = alwaysAllowed;
  #begunAt: number | undefined;

  /** `monotonic`: milliseconds of a clock that never goes back. */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /**
   * Something gives rise to inference (a start, a relist, a recovery) over this many sealed copies. The allowance is new once
   * the last one is an hour old, and grows with what is found.
   */
  begin(copies: number): void {
    const now = this.#monotonic();
    if (this.#begunAt === undefined || now - this.#begunAt >= roundMs) {
      this.#begunAt = now;
      this.#sealed.clear();
      this.#unsealed.clear();
      this.#limit = alwaysAllowed;
    }
    this.#limit = Math.max(this.#limit, Math.floor(copies * allowedShare));
  }

  /** Ends the round: the next one begins with the next rise. */
  end(): void {
    this.#begunAt = undefined;
  }

  /** Counts one object, once in a round however often it is deleted; false where it is one too many, which does not count. */
  take(target: TargetKey, sealed: boolean): boolean {
    const counted = sealed ? this.#sealed : this.#unsealed;
    if (!counted.has(target) && counted.size >= (sealed ? this.#limit : alwaysAllowed)) {
      return false;
    }
    counted.add(target);
    return true;
  }

  /** A deletion that was allowed did not happen: a copy that cannot be deleted must not count. */
  giveBack(target: TargetKey): void {
    this.#sealed.delete(target);
    this.#unsealed.delete(target);
  }
}
