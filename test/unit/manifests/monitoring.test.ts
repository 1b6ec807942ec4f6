import { expect, test } from 'vitest';
import {
  alerts,
  expressions,
  labelNames,
  labelsWithoutSource,
  metricNames,
  metricsWithoutSource,
  runbookAnchors,
} from '../../harness/monitoring.ts';

test('every alert has its section of the runbook', async () => {
  const anchors = await runbookAnchors();
  for (const { alert, annotations } of await alerts()) {
    expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    expect(anchors).toContain(alert.toLowerCase());
  }
});

test('metric names are distinguished from the words of an expression', () => {
  expect(
    metricNames(
      'histogram_quantile(0.99, sum by (le) (rate(a_b_bucket{c_d="x", code!="200"}[5m]))) - time()',
    ),
  ).toEqual(['a_b_bucket']);
});

test('every label that an alert or the dashboard uses is one of its metric', async () => {
  expect(labelNames('sum by (le, a) (rate(x_y{b="1", code!="2", job="j"}[5m])) == 0')).toEqual([
    'a',
    'b',
    'code',
  ]);
  expect(await labelsWithoutSource()).toEqual([]);
});

test('a context counts as down where one of several controllers that look at it cannot reach it', async () => {
  const asked = (await expressions()).filter((expression) =>
    expression.includes('context_syncer_context_up'),
  );
  expect(asked).toEqual([
    'min by (context) (context_syncer_context_up) == 0',
    'count(min by (context) (context_syncer_context_up) == 0) or vector(0)',
  ]);
});

test('a metric that no program exports is found', async () => {
  const exported =
    '# TYPE context_syncer_problems gauge\n# TYPE controller_runtime_webhook_latency_seconds histogram\n';
  const missing = await metricsWithoutSource(exported);
  expect(missing).toContain('context_syncer_catalog_ok');
  expect(missing).not.toContain('context_syncer_problems');
  expect(missing).not.toContain('controller_runtime_webhook_latency_seconds_bucket');
});
