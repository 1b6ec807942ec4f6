import type { Clock } from '../../shared/clock.ts';

/**
 * - `live`: something changed a moment ago.
 * - `later`: initial work, retries and resyncs.
 */
export type Priority = 'live' | 'later';

/** A key to work on. It must be given back by `done`. */
export interface Taken {
  readonly key: string;
  readonly waitedMs: number;
}

/**
 * A de-duplicating queue with one worker a key at most: a key that is added while it is being worked on is handed
 * out once more afterwards, however often it was added. Live keys go first; within a priority, first come, first
 * served. Everything that there is can be put up for work as a backlog, which is walked through and not stored.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #onReady: (priority: Priority) => void;
  readonly #ready: Readonly<Record<Priority, Map<string, number>>> = { live: new Map(), later: new Map() };
  readonly #processing = new Set<string>();
  readonly #again = new Map<string, Priority>();
  readonly #delayed = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  #backlog: Iterator<string> | undefined;
  #nextBacklog: (() => Iterable<string>) | undefined;
  #adds = 0;

  /** `onReady` is called whenever a key of this priority can be taken. */
  constructor(clock: Clock, onReady: (priority: Priority) => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  /** Keys that can be taken now, the backlog apart. */
  get depth(): number {
    return this.#ready.live.size + this.#ready.later.size;
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

  /** True while a backlog is being walked through. */
  get hasBacklog(): boolean {
    return this.#backlog !== undefined || this.#nextBacklog !== undefined;
  }

  /** Adds a key for now; a delay that it was under ends. */
  add(key: string, priority: Priority = 'live'): void {
    this.#cancelDelay(key);
    if (this.#processing.has(key)) {
      if (priority === 'live' || !this.#again.has(key)) {
        this.#again.set(key, priority);
      }
      return;
    }
    if (this.#ready.live.has(key) || (priority === 'later' && this.#ready.later.has(key))) {
      return;
    }
    if (!this.#ready.later.delete(key)) {
      this.#adds += 1;
    }
    this.#ready[priority].set(key, this.#clock.monotonic());
    this.#onReady(priority);
  }

  /** Adds a key for `delayMs` from now, unless it is due earlier anyway. */
  addAfter(key: string, delayMs: number): void {
    const at = this.#clock.monotonic() + delayMs;
    const due = this.#delayed.get(key)?.at ?? Number.POSITIVE_INFINITY;
    if (this.#ready.live.has(key) || this.#ready.later.has(key) || this.#again.has(key) || due <= at) {
      return;
    }
    this.#cancelDelay(key);
    const cancel = this.#clock.schedule(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key, 'later');
    });
    this.#delayed.set(key, { at, cancel });
  }

  /**
   * Puts up everything that `keys` yields, after all else. One walk at a time: a call during a walk asks for one more
   * after it, however many calls there are.
   */
  addAll(keys: () => Iterable<string>): void {
    this.#nextBacklog = keys;
    this.#onReady('later');
  }

  /** Hands out the next key of a priority. */
  take(priority: Priority): Taken | undefined {
    const next = this.#ready[priority].entries().next();
    if (next.done !== true) {
      const [key, since] = next.value;
      this.#ready[priority].delete(key);
      this.#processing.add(key);
      return { key, waitedMs: this.#clock.monotonic() - since };
    }
    const key = priority === 'later' ? this.#takeFromBacklog() : undefined;
    return key === undefined ? undefined : { key, waitedMs: 0 };
  }

  done(key: string): void {
    this.#processing.delete(key);
    const again = this.#again.get(key);
    if (again !== undefined) {
      this.#again.delete(key);
      this.add(key, again);
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
    this.#ready.live.clear();
    this.#ready.later.clear();
    this.#again.clear();
    this.#failures.clear();
    this.#backlog = undefined;
    this.#nextBacklog = undefined;
  }

  #takeFromBacklog(): string | undefined {
    while (this.hasBacklog) {
      if (this.#backlog === undefined) {
        this.#backlog = this.#nextBacklog?.()[Symbol.iterator]();
        this.#nextBacklog = undefined;
      }
      const next = this.#backlog?.next();
      if (next === undefined || next.done === true) {
        this.#backlog = undefined;
      } else if (this.#processing.has(next.value)) {
        this.add(next.value, 'later');
      } else if (!this.#ready.live.has(next.value)) {
        this.#cancelDelay(next.value);
        this.#processing.add(next.value);
        this.#adds += 1;
        return next.value;
      }
    }
    return undefined;
  }

  #cancelDelay(key: string): void {
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }
}
