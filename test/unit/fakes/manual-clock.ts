import type { Clock } from '../../../shared/clock.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Lets everything that is ready run: all promise callbacks, and what they start. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #elapsed = 0;
  #epoch: number;
  #order = 0;
  readonly #timers = new Set<Timer>();

  /** `epoch` is the wall clock at the start, in milliseconds. */
  constructor(epoch = Date.UTC(2026, 0, 1)) {
    this.#epoch = epoch;
  }

  now(): number {
    return this.#epoch + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** Timers and sleepers that wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Sets the wall clock off by `ms`, as a correction by NTP does; durations do not notice. */
  jump(ms: number): void {
    this.#epoch += ms;
  }

  /** Lets `ms` milliseconds pass in which nothing runs, as when the event loop is blocked: timers come late. */
  block(ms: number): void {
    this.#elapsed += ms;
  }

  schedule(ms: number, run: () => void): () => void {
    const timer = { at: this.#elapsed + Math.max(0, ms), order: this.#order++, run };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const finish = (): void => {
        cancel();
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const cancel = this.schedule(ms, finish);
      signal?.addEventListener('abort', finish, { once: true });
    });
  }

  /** Moves `ms` milliseconds on, timer by timer, and lets everything run that each sets free. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#elapsed = Math.max(this.#elapsed, next.at);
      next.run();
      await settle();
    }
    // A callback can have moved this clock further.
    this.#elapsed = Math.max(this.#elapsed, end);
  }

  /** Moves on, timer by timer, until `condition` holds; throws after `limitMs` of this clock. */
  async until(condition: () => boolean, limitMs = 600_000): Promise<void> {
    const end = this.#elapsed + limitMs;
    await settle();
    while (!condition()) {
      const next = this.#next(end);
      if (next === undefined) throw new Error(`the condition did not hold within ${limitMs} ms`);
      await this.advance(Math.max(0, next.at - this.#elapsed));
    }
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) {
        next = timer;
      }
    }
    return next;
  }
}
