import { expect, test } from 'vitest';
import { ControllerMetrics, type MetricsSources } from '../../../../controller/observe/controller-metrics.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

test('the series of a context end when it is gone from the kubeconfig', async () => {
  let contexts = ['left', 'gone'];
  const read: MetricsSources = {
    lanes: () => [],
    contexts: () => contexts.map((name) => ({ name, state: 'up', credentialsExpireAt: 1_000 })),
    sources: () => 0,
    problems: () => new Map(),
    eventsDropped: () => 0,
    leases: () => [],
    sourceIsOther: () => false,
  };
  const { registry } = new ControllerMetrics(read, { clock: new ManualClock() });
  expect(await registry.metrics()).toContain('context_syncer_context_up{context="gone"} 1');
  contexts = ['left'];
  const text = await registry.metrics();
  expect(text).toContain('context_syncer_context_up{context="left"} 1');
  expect(text).not.toContain('gone');
});
