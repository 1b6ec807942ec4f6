import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../../shared/kube/backoff.ts';

const options = { baseMs: 300, maxMs: 10_000 };

describe('backoffMs', () => {
  it('doubles the bound with each failure up to the maximum', () => {
    const nearlyOne = (): number => 1 - Number.EPSILON;
    const bounds = [0, 1, 2, 3, 4, 5, 6, 2_000].map((attempt) =>
      Math.round(backoffMs(attempt, options, nearlyOne)),
    );
    expect(bounds).toEqual([300, 600, 1_200, 2_400, 4_800, 9_600, 10_000, 10_000]);
  });

  it('never waits less than half the bound with equal jitter', () => {
    expect(backoffMs(0, options, () => 0)).toBe(150);
    expect(backoffMs(9, options, () => 0)).toBe(5_000);
  });

  it('spreads from zero with full jitter', () => {
    expect(backoffMs(3, { ...options, jitter: 'full' }, () => 0)).toBe(0);
    expect(backoffMs(3, { ...options, jitter: 'full' }, () => 0.5)).toBe(1_200);
  });

  it('stays within its limits for any attempt and any random number', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.constantFrom('equal' as const, 'full' as const),
        (attempt, random, jitter) => {
          const delay = backoffMs(attempt, { ...options, jitter }, () => random);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(10_000);
        },
      ),
    );
  });
});
