import type { Clock } from '../shared/clock.ts';

/**
 * The time by which certificates are judged. The API server verifies them, so its clock is the one that counts: where
 * the own clock differs from it by more than a limit, the API server's time is used, and nothing is to be removed or
 * replaced because of its age, since one of the two clocks is wrong.
 */
export class ApiClock {
  readonly #clock: Clock;
  readonly #limitMs: number;
  #seen: { readonly time: number; readonly at: number } | undefined;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** An answer carried the API server's time, milliseconds since the epoch. */
  saw(time: number): void {
    this.#seen = { time, at: this.#clock.monotonic() };
  }

  /** How far the own clock is ahead of the API server's, milliseconds; undefined before the first answer. */
  get offsetMs(): number | undefined {
    const server = this.#server();
    return server === undefined ? undefined : this.#clock.now() - server;
  }

  get agrees(): boolean {
    return Math.abs(this.offsetMs ?? 0) <= this.#limitMs;
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.agrees ? this.#clock.now() : (this.#server() ?? this.#clock.now());
  }

  #server(): number | undefined {
    return this.#seen === undefined ? undefined : this.#seen.time + this.#clock.monotonic() - this.#seen.at;
  }
}
