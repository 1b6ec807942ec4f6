/** Deletions inferred from absence that are never too many, whatever the share. */
const alwaysAllowed = 500;
/** The share of a cluster's copies that may go on inference alone. */
const allowedShare = 0.5;
/** Milliseconds that the allowance is for: a cluster that comes and goes must not renew it each time. */
const roundMs = 60 * 60_000;

/**
 * Stops mass deletion. A wrong kubeconfig or a restored source cluster looks like thousands of deleted sources, each
 * with its own proof; a person who deletes is seen doing it and does not count here.
 */
export class DeletionFuse {
  #spent = 0;
  #limit = alwaysAllowed;
  #tripped = false;
  #begunAt: number | undefined;

  get tripped(): boolean {
    return this.#tripped;
  }

  /**
   * Something gives rise to inference (a start, a relist, a recovery) over this many standing copies, at a monotonic time
   * in milliseconds. The allowance is new once the last one is an hour old. A trip stays.
   */
  begin(copies: number, now: number): void {
    if (this.#tripped) {
      return;
    }
    if (this.#begunAt === undefined || now - this.#begunAt >= roundMs) {
      this.#begunAt = now;
      this.#spent = 0;
      this.#limit = alwaysAllowed;
    }
    this.#limit = Math.max(this.#limit, Math.floor(copies * allowedShare));
  }

  /** Asks for one deletion that nobody was seen to cause. */
  allows(): boolean {
    if (this.#spent >= this.#limit) {
      this.#tripped = true;
    }
    if (!this.#tripped) {
      this.#spent += 1;
    }
    return !this.#tripped;
  }

  /** A deletion that was allowed did not happen: retries of one copy must not look like many copies. */
  giveBack(): void {
    this.#spent = Math.max(0, this.#spent - 1);
  }
}
