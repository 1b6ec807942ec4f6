import type { Clock } from '../shared/clock.ts';

export interface BodyBudgetOptions {
  /** Bytes of large bodies that are in memory at a time; a body that is larger than this gets all of it. */
  readonly totalBytes: number;
  /** Bodies up to this size never wait, so that a flood of large ones cannot hold them up. */
  readonly smallBytes: number;
  /** Milliseconds that a large body waits for its turn. */
  readonly maxWaitMs: number;
  /** Large bodies that wait; one more is turned away at once. */
  readonly maxWaiting: number;
  readonly clock: Clock;
}

interface Waiting {
  readonly bytes: number;
  readonly start: () => void;
}

/** Bounds the memory that large bodies take: the API server sends up to 3 MiB twice, anybody else what he likes. */
export class BodyBudget {
  readonly #options: BodyBudgetOptions;
  readonly #waiting = new Set<Waiting>();
  #taken = 0;

  constructor(options: BodyBudgetOptions) {
    this.#options = options;
  }

  /**
   * Waits for room, first come first served. Yields the function that gives the room back (more than once does no
   * harm), or undefined when none came free in time.
   */
  async take(bytes: number): Promise<(() => void) | undefined> {
    const { totalBytes, smallBytes, maxWaitMs, maxWaiting, clock } = this.#options;
    if (bytes <= smallBytes) {
      return () => undefined;
    }
    const share = Math.min(bytes, totalBytes);
    if (this.#waiting.size === 0 && this.#taken + share <= totalBytes) {
      return this.#start(share);
    }
    if (this.#waiting.size >= maxWaiting) {
      return undefined;
    }
    return await new Promise((resolve) => {
      const cancel = clock.schedule(maxWaitMs, () => {
        this.#waiting.delete(waiting);
        resolve(undefined);
        this.#next();
      });
      const waiting: Waiting = {
        bytes: share,
        start: () => {
          cancel();
          this.#waiting.delete(waiting);
          resolve(this.#start(share));
        },
      };
      this.#waiting.add(waiting);
    });
  }

  #start(bytes: number): () => void {
    this.#taken += bytes;
    let held = true;
    return () => {
      if (held) {
        held = false;
        this.#taken -= bytes;
        this.#next();
      }
    };
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      if (this.#taken + waiting.bytes > this.#options.totalBytes) {
        return;
      }
      waiting.start();
    }
  }
}
