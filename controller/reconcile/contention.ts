import type { Clock } from '../../shared/clock.ts';

/** Repairs in a row that are made at once; after that somebody is taken to be writing against us. */
const freeRepairs = 5;
/** Milliseconds without a repair after which a copy counts as quiet again. */
const quietMs = 10 * 60_000;
const firstPauseMs = 15_000;
const longestPauseMs = 5 * 60_000;

interface Repairs {
  readonly repairs: number;
  readonly lastAt: number;
  readonly pauseMs: number;
}

/**
 * Notices copies that something on the target keeps changing or deleting (a mutating webhook, another controller), so that
 * we back off instead of writing against it for ever. Bounded by the repairs of the last ten minutes.
 */
export class Contention {
  readonly #clock: Clock;
  /** In the order of their last repair. */
  readonly #records = new Map<string, Repairs>();
  /** Copies that somebody deleted, and that were not created again since. */
  readonly #lost = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until the copy may be repaired again; 0 while it is not contested. */
  pauseMs(key: string): number {
    const record = this.#records.get(key);
    if (record === undefined) {
      return 0;
    }
    const passed = this.#clock.monotonic() - record.lastAt;
    if (passed > Math.max(quietMs, record.pauseMs * 2)) {
      return 0;
    }
    return Math.max(0, record.pauseMs - passed);
  }

  /** Somebody deleted the copy. */
  lost(key: string): void {
    this.#lost.add(key);
  }

  /** True when the copy is missing because somebody deleted it. */
  isLost(key: string): boolean {
    return this.#lost.has(key);
  }

  /** A drift was repaired, or a deleted copy created again. `mutated`: the target changed the repair on the way in, so more of them are in vain. */
  repaired(key: string, mutated: boolean): void {
    this.#lost.delete(key);
    this.#forgetQuiet();
    const before = this.#records.get(key);
    this.#records.delete(key);
    const repairs = (before?.repairs ?? 0) + 1;
    const contested = mutated || repairs >= freeRepairs;
    const pauseMs = contested
      ? Math.min(longestPauseMs, Math.max(firstPauseMs, (before?.pauseMs ?? 0) * 2))
      : 0;
    this.#records.set(key, { repairs, lastAt: this.#clock.monotonic(), pauseMs });
  }

  forget(key: string): void {
    this.#records.delete(key);
    this.#lost.delete(key);
  }

  #forgetQuiet(): void {
    for (const [key, { lastAt, pauseMs }] of this.#records) {
      if (this.#clock.monotonic() - lastAt <= Math.max(quietMs, pauseMs * 2)) {
        return;
      }
      this.#records.delete(key);
    }
  }
}
