import type { Clock, Random } from '../shared/clock.ts';
import { backoffMs } from '../shared/kube/backoff.ts';

/** Milliseconds after which a write is forgotten, unless an authority lives shorter. */
const windowMs = 600_000;
/** Writes within the window that cost no pause: a rotation takes 8, and two replicas' races some more. */
const freeWrites = 20;
const pause = { baseMs: 100, maxMs: 60_000 };

/** Slows down a writer whose writes are undone by somebody else. */
export class WriteBudget {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #windowMs: number;
  #writes: number[] = [];

  constructor(options: {
    readonly clock: Clock;
    readonly random: Random;
    /** Of one rotation, so that where authorities live for seconds their rotations do not add up. */
    readonly periodMs: number;
  }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#windowMs = Math.min(windowMs, options.periodMs);
  }

  count(): void {
    this.#writes.push(this.#clock.monotonic());
  }

  /** Milliseconds to pause before the next look: 0.1 s, and up to a minute while there were too many writes. */
  pauseMs(): number {
    const since = this.#clock.monotonic() - this.#windowMs;
    this.#writes = this.#writes.filter((time) => time > since);
    return backoffMs(this.#writes.length - freeWrites, pause, this.#random);
  }
}
