/**
 * Time and randomness as things that are passed in, so that every decision can be tested without waiting.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. Can jump; use for time stamps that leave the process. */
  now(): number;
  /** Milliseconds of a clock that never goes back. Use for durations and deadlines. */
  monotonic(): number;
  /**
   * Resolves after `ms` milliseconds, or at once when `signal` aborts (it never rejects: callers look at
   * the signal). Delays over 2^31-1 ms are cut to that: Node fires longer timers after 1 ms.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms` milliseconds; the returned function cancels. The timer does not keep the process alive. */
  schedule(ms: number, run: () => void): () => void;
}

/** A source of numbers in [0, 1), as `Math.random`. */
export type Random = () => number;

/** The longest delay that a Node timer honours, in milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

/** The real clock. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep(ms, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted) {
          resolve();
          return;
        }
        const finish = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', finish);
          resolve();
        };
        const timer = setTimeout(finish, Math.min(ms, maxTimerMs));
        signal?.addEventListener('abort', finish, { once: true });
      });
    },
    schedule(ms, run) {
      const timer = setTimeout(run, Math.min(ms, maxTimerMs));
      timer.unref();
      return () => {
        clearTimeout(timer);
      };
    },
  };
}
