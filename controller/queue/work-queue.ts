import type { Clock } from '../../shared/clock.ts';

/**
 * A de-duplicating queue with one worker a key at most: a key that is added while it is being worked on is handed
 * out once more afterwards, however often it was added. Order is first come, first served.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  readonly #ready = new Map<string, number>();
  readonly #processing = new Set<string>();
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  #adds = 0;

  /** `onReady` is called whenever a key can be taken. */
  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  /** Keys that can be taken now. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Keys that were put up for work since the start; one that already waits for its turn is not counted again. */
  get adds(): number {
    return this.#adds;
  }

  /** Keys being worked on. */
  get active(): number {
    return this.#processing.size;
  }

  /** Keys that wait for their time. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /** Adds a key for now; a delay that it was under ends. */
  add(key: string): void {
    this.#cancelDelay(key);
    if (this.#processing.has(key)) {
      this.#again.add(key);
      return;
    }
    if (!this.#ready.has(key)) {
      this.#adds += 1;
      this.#ready.set(key, this.#clock.monotonic());
      this.#onReady();
    }
  }

  /** Adds a key for `delayMs` from now, unless it is due earlier anyway. */
  addAfter(key: string, delayMs: number): void {
    const at = this.#clock.monotonic() + delayMs;
    const due = this.#delayed.get(key)?.at ?? Number.POSITIVE_INFINITY;
    if (this.#ready.has(key) || this.#again.has(key) || due <= at) {
      return;
    }
    this.#cancelDelay(key);
    const cancel = this.#clock.schedule(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, cancel });
  }

  /** Hands out the key that waited longest, with the milliseconds it waited. It must be given back by `done`. */
  take(): { readonly key: string; readonly waitedMs: number } | undefined {
    const next = this.#ready.entries().next();
    if (next.done === true) {
      return undefined;
    }
    const [key, since] = next.value;
    this.#ready.delete(key);
    this.#processing.add(key);
    return { key, waitedMs: this.#clock.monotonic() - since };
  }

  done(key: string): void {
    this.#processing.delete(key);
    if (this.#again.delete(key)) {
      this.add(key);
    }
  }

  /** Fruitless passes in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  failed(key: string): void {
    this.#failures.set(key, this.failures(key) + 1);
  }

  succeeded(key: string): void {
    this.#failures.delete(key);
  }

  /** Drops everything that is not being worked on. */
  clear(): void {
    for (const { cancel } of this.#delayed.values()) {
      cancel();
    }
    this.#delayed.clear();
    this.#ready.clear();
    this.#again.clear();
    this.#failures.clear();
  }

  #cancelDelay(key: string): void {
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }
}
