/** The value that `share` (0 to 1) of the values do not exceed, by the nearest rank; NaN for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle value, or the mean of the two middle ones; NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** A median with the smallest and the largest value. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The ratio of each round; rounds that one of both did not finish are left out. */
export function ratios(product: readonly number[], reference: readonly number[]): readonly number[] {
  return product.flatMap((value, round) => {
    const ratio = value / (reference[round] ?? Number.NaN);
    return Number.isFinite(ratio) ? [ratio] : [];
  });
}

/**
 * Events a second between the first and the last tenth, so that neither the start nor a straggler counts.
 *
 * @param times milliseconds, in any order
 */
export function steadyRate(times: readonly number[]): number {
  const sorted = Float64Array.from(times).sort();
  const first = Math.floor(sorted.length * 0.1);
  const last = Math.ceil(sorted.length * 0.9) - 1;
  const seconds = ((sorted[last] ?? Number.NaN) - (sorted[first] ?? Number.NaN)) / 1000;
  return (last - first) / seconds;
}
