import { expect, test } from 'vitest';
import { latencyChart } from '../../bench/chart.ts';
import { reportTable } from '../../bench/report.ts';
import { type BenchReport, Recorder, wrongCounts } from '../../bench/result.ts';

const rate = { what: 'initial', unit: 'copies/s', bar: '>= 90 %' };

function report(record: Recorder, unfinished?: string): BenchReport {
  return {
    version: '0.1.0',
    date: '2026-01-01T00:00:00Z',
    quick: false,
    machine: { cpu: 'CPU', cores: 2, memoryGiB: 24, system: 'Linux 6', node: 'v26' },
    cases: [record.result('copies', 'copies of sources', 1, unfinished)],
  };
}

test('a ratio belongs to one round, and the table shows their median and spread', () => {
  const record = new Recorder();
  for (const [product, reference] of [
    [900, 1000],
    [400, 800],
    [700, 1000],
  ] as const) {
    record.measured(rate, 'product', product);
    record.measured(rate, 'reference', reference);
  }
  expect(reportTable(report(record))).toContain(
    '| copies | initial | 700 copies/s | 1000 copies/s | 0.70 (0.50 to 0.90) | >= 90 % |',
  );
});

test('a wrong count and a case that did not finish are named', () => {
  const record = new Recorder();
  record.count('writes', 8, 8);
  record.count('reads', 1, 20);
  const { cases, ...rest } = report(record, '3 copies were not in sync');
  expect(cases.flatMap(wrongCounts)).toEqual([{ what: 'reads', expected: 1, found: 20 }]);
  const table = reportTable({ ...rest, cases });
  expect(table).toContain('- copies: reads: 20 instead of 1');
  expect(table).toContain('- copies did not finish: 3 copies were not in sync');
});

test('the chart has a curve for each series of the cases with latencies', () => {
  const record = new Recorder();
  record.latencies('product', [5, 7, 9]);
  record.latencies('a < b', [6]);
  const chart = latencyChart([...report(record).cases, ...report(new Recorder()).cases]);
  expect(chart.match(/<polyline/g)).toHaveLength(2);
  expect(chart).toContain('a &lt; b');
});
