import type { Clock, Random } from '../shared/clock.ts';
import { backoffMs } from '../shared/kube/backoff.ts';

/** Writes older than this are forgotten, in milliseconds. */
const windowMs = 600_000;
/** A rotation's few writes cost next to nothing; ten undone writes in a row cost a minute each. */
const pause = { baseMs: 100, maxMs: 60_000 };

/** Slows down a writer whose writes are undone by somebody else. */
export class WriteBudget {
  readonly #clock: Clock;
  readonly #random: Random;
  #writes: number[] = [];

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  count(): void {
    this.#writes.push(this.#clock.monotonic());
  }

  /** Milliseconds to pause before the next look. */
  pauseMs(): number {
    const since = this.#clock.monotonic() - windowMs;
    this.#writes = this.#writes.filter((time) => time > since);
    return backoffMs(this.#writes.length, pause, this.#random);
  }
}
