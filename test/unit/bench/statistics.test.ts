import { expect, test } from 'vitest';
import { cpuSeconds, mebibytes } from '../../bench/process-usage.ts';
import { median, percentile, ratios, spread, steadyRate } from '../../bench/statistics.ts';

test('percentiles go by the nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(percentile(values, 0.5)).toBe(50);
  expect(percentile(values, 0.99)).toBe(99);
  expect(percentile(values, 0)).toBe(1);
  expect(percentile([], 0.5)).toBeNaN();
});

test('the median of an even count is the mean of the middle', () => {
  expect(median([4, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
  expect(spread([2, 9, 4])).toEqual({ median: 4, min: 2, max: 9 });
});

test('ratios pair the rounds and leave out what has no partner', () => {
  expect(ratios([1, 6, 5], [2, 3])).toEqual([0.5, 2]);
});

test('the steady rate leaves out the first and the last tenth', () => {
  const even = Array.from({ length: 1000 }, (_, index) => index);
  expect(steadyRate(even)).toBeCloseTo(1000);
  const straggler = [...even.slice(0, 950), ...even.slice(950).map((time) => time + 60_000)];
  expect(steadyRate(straggler)).toBeCloseTo(1000);
});

test('usage is read from /proc, whatever the process is called', () => {
  const fields = Array.from({ length: 40 }, (_, index) => String(index + 3));
  expect(cpuSeconds(`12 (a (b) c) ${fields.join(' ')}`)).toBeCloseTo((14 + 15) / 100);
  expect(mebibytes('VmPeak:\t  9 kB\nVmHWM:\t    2048 kB\n', 'VmHWM')).toBe(2);
});
