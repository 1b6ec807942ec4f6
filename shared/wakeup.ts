import type { Clock } from './clock.ts';

/** A sleep that can be cut short from outside. A wake that comes while nobody sleeps ends the next sleep at once. */
export class Wakeup {
  readonly #clock: Clock;
  #pending = false;
  #current: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    this.#pending = true;
    this.#current?.abort();
  }

  /** Resolves after `ms` milliseconds, on a wake, or when the signal aborts. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) {
      const current = new AbortController();
      this.#current = current;
      await this.#clock.sleep(ms, AbortSignal.any([signal, current.signal]));
      this.#current = undefined;
    }
    this.#pending = false;
  }
}
