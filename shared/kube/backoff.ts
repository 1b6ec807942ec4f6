import type { Random } from '../clock.ts';

export interface BackoffOptions {
  /** Upper bound of the first delay, in milliseconds. */
  readonly baseMs: number;
  /** Upper bound of every delay, in milliseconds. */
  readonly maxMs: number;
  /**
   * `equal` (the default) waits between half the bound and the bound, so that a retry is never immediate;
   * `full` waits between 0 and the bound, which spreads a crowd best.
   */
  readonly jitter?: 'equal' | 'full' | undefined;
}

/**
 * Milliseconds to wait before the retry that follows failure number `attempt` (0 is the first failure). The bound
 * doubles with each attempt up to `maxMs`.
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: Random): number {
  // Math.pow overflows to Infinity for a great many attempts; the minimum brings that back to maxMs.
  const bound = Math.min(options.maxMs, options.baseMs * 2 ** Math.max(0, attempt));
  return options.jitter === 'full' ? random() * bound : bound / 2 + random() * (bound / 2);
}
