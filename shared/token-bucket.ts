import type { Clock } from './clock.ts';

/** A token bucket: `burst` tokens at the start, and one more every `everyMs` milliseconds up to `burst`. */
export class TokenBucket {
  readonly #burst: number;
  readonly #everyMs: number;
  readonly #clock: Clock;
  #tokens: number;
  #at: number;

  constructor(burst: number, everyMs: number, clock: Clock) {
    this.#burst = burst;
    this.#everyMs = everyMs;
    this.#clock = clock;
    this.#tokens = burst;
    this.#at = clock.monotonic();
  }

  /** Takes a token if there is one. */
  take(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Milliseconds until a token is there; 0 if one is. */
  wait(): number {
    this.#refill();
    // Rounded up: a timer that fires a fraction early would find the bucket empty.
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) * this.#everyMs);
  }

  #refill(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) / this.#everyMs);
    this.#at = now;
  }
}
