import type { Clock } from '../../shared/clock.ts';

/** A time in which nothing is begun, because a server asked for less. */
export class Pause {
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #until = 0;
  #cancel: (() => void) | undefined;

  /** `onEnd` is called when it is over. */
  constructor(clock: Clock, onEnd: () => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  get isOn(): boolean {
    return this.#cancel !== undefined;
  }

  /** Pauses for this many milliseconds from now. A shorter call does not end a longer one. */
  begin(ms: number): void {
    this.#until = Math.max(this.#until, this.#clock.monotonic() + ms);
    this.#arm();
  }

  #arm(): void {
    this.#cancel?.();
    const leftMs = this.#until - this.#clock.monotonic();
    this.#cancel = this.#clock.schedule(Math.max(1, leftMs), () => {
      this.#cancel = undefined;
      // A timer can fire a little early.
      if (this.#clock.monotonic() < this.#until) {
        this.#arm();
      } else {
        this.#onEnd();
      }
    });
  }
}
