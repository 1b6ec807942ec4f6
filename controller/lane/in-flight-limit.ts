/**
 * The bound for nearby servers. 32 requests in flight are as many as make them faster (measured with a bare loop), and passes of
 * several clusters wait for one read of their source: with 64, initial copies reach 0.91 of a bare loop, with 32 they reached 0.80.
 */
const floor = 64;
/** The bound that distance can raise it to: 512 at 50 ms of round trip are 10,000 writes a second. */
const ceiling = 512;
/** Share of a write's time that is spent waiting in a server's queue, below which more may be in flight, above which fewer. */
const growBelow = 0.35;
const shrinkAbove = 0.6;
/** Weight of the newest sample in the moving average. */
const weight = 0.05;
/** Milliseconds after which the shortest time seen is forgotten: a route can become longer. */
const windowMs = 30_000;

/** The shortest time of a write to one cluster in the last 30 to 60 seconds: what distance costs, without queues. */
export class Baseline {
  #startedAt = 0;
  #current = Number.POSITIVE_INFINITY;
  #previous = Number.POSITIVE_INFINITY;

  /** Takes the time of a write, in milliseconds, at a monotonic time; yields the shortest one. */
  take(durationMs: number, now: number): number {
    if (now - this.#startedAt > windowMs) {
      this.#startedAt = now;
      this.#previous = this.#current;
      this.#current = Number.POSITIVE_INFINITY;
    }
    this.#current = Math.min(this.#current, durationMs);
    return Math.min(this.#current, this.#previous);
  }
}

/**
 * How many passes may be in flight at a time over all clusters. While writes take about as long as distance alone makes
 * them, more may be; when they queue, fewer (the idea of TCP Vegas). So a distant cluster is kept busy, and a near one
 * has no queue in which a live change would wait.
 */
export class InFlightLimit {
  #value = floor;
  #queueing = 1;

  get value(): number {
    return Math.floor(this.#value);
  }

  /** Takes the time of a write and the shortest one of its cluster, in milliseconds. `full`: the limit was reached. */
  sample(durationMs: number, baselineMs: number, full: boolean): void {
    const queueing = durationMs <= 0 ? 0 : 1 - Math.min(1, baselineMs / durationMs);
    this.#queueing += weight * (queueing - this.#queueing);
    if (this.#queueing < growBelow && full) {
      this.#value = Math.min(ceiling, this.#value + 1);
    } else if (this.#queueing > shrinkAbove) {
      this.#value = Math.max(floor, this.#value - 1);
    }
  }

  /** A server asked for less. */
  overload(): void {
    this.#value = Math.max(floor, this.#value / 2);
  }
}
