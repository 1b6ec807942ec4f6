import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { create, remove, setData } from '../harness/kubectl.ts';
import { metric, scrape } from '../harness/metrics.ts';
import type { Program } from '../harness/program.ts';
import { appears, disappears, eventAbout, syncContexts, useStage } from '../harness/stage.ts';

const stage = useStage({ targets: 2 });

beforeAll(async () => {
  const here = stage();
  await here.createNamespace('demo');
  await here.createNamespace('context-syncer', [here.source]);
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2) },
  ]);
});

async function get(program: Program, path: string): Promise<readonly [status: number, body: string]> {
  const answer = await fetch(`${await program.endpoint('health')}${path}`);
  return [answer.status, await answer.text()];
}

/** Waits until a metric has the value. */
async function reads(
  program: Program,
  value: number,
  name: string,
  labels?: Readonly<Record<string, string>>,
): Promise<void> {
  await eventually(`${name} is ${value}`, async () => {
    expect(await metric(program, name, labels)).toBe(value);
  });
}

test('health says alive and ready, and what was looked at', async () => {
  const here = stage();
  const controller = await here.startController();
  expect(await get(controller, '/livez')).toEqual([200, 'ok']);
  expect(await get(controller, '/readyz')).toEqual([200, 'ok']);
  expect(await get(controller, '/readyz?verbose')).toEqual([
    200,
    '[+]source-cluster ok\n[+]kubeconfig ok\n[+]sources ok\nreadyz check passed\n',
  ]);
  const answer = await fetch(`${await controller.endpoint('health')}/livez`, { method: 'POST' });
  expect(answer.status).toBe(405);
  expect(await get(controller, '/secrets')).toEqual([404, expect.stringContaining('/readyz')]);
});

test('metrics count what was written, by the names that the field knows', async () => {
  const here = stage();
  const controller = await here.startController(['--leader-elect=true']);
  await create(here.source, {
    kind: 'ConfigMap',
    metadata: {
      name: 'omni-7f3a',
      namespace: 'demo',
      annotations: { [syncContexts]: 'context-1,context-2' },
    },
    data: { leave: 'no' },
  });
  await create(here.source, {
    kind: 'Secret',
    metadata: { name: 'pointless', namespace: 'demo', annotations: { [syncContexts]: 'nowhere' } },
  });
  await appears(here.target(1), 'configmaps', 'demo', 'omni-7f3a');
  await appears(here.target(2), 'configmaps', 'demo', 'omni-7f3a');
  await eventAbout(here.source, 'demo', 'pointless', 'InvalidSyncContexts');
  await setData(here.source, 'demo', 'configmap/omni-7f3a', { leave: 'yes' });
  await reads(controller, 2, 'context_syncer_writes_total', { action: 'update', reason: 'SourceChanged' });
  await setData(here.target(1), 'demo', 'configmap/omni-7f3a', { leave: 'spoilt' });
  await reads(controller, 1, 'context_syncer_writes_total', { action: 'update', reason: 'Drifted' });
  await reads(controller, 2, 'context_syncer_writes_total', { action: 'create', reason: 'Missing' });
  await reads(controller, 2, 'context_syncer_sources');
  await reads(controller, 2, 'context_syncer_copies');
  await reads(controller, 1, 'context_syncer_problems', { reason: 'InvalidSyncContexts' });
  await reads(controller, 1, 'context_syncer_context_up', { context: 'context-1' });
  await reads(controller, 1, 'context_syncer_context_up', { context: 'context-2' });
  await reads(controller, 1, 'leader_election_master_status', { name: 'context-syncer-controller' });
  await reads(controller, 1, 'context_syncer_kubeconfig_reloads_total', { result: 'accepted' });
  await reads(controller, 1, 'context_syncer_kubeconfig_in_use');
  await reads(controller, 0, 'workqueue_depth');
  await reads(controller, 0, 'controller_runtime_active_workers');
  await reads(controller, 0, 'context_syncer_deletion_guard_tripped');
  await reads(controller, 0, 'controller_runtime_reconcile_errors_total');

  await remove(here.source, 'demo', 'configmap/omni-7f3a');
  await disappears(here.target(1), 'configmaps', 'demo', 'omni-7f3a');
  await reads(controller, 2, 'context_syncer_writes_total', { action: 'delete', reason: 'SourceDeleted' });
  await reads(controller, 0, 'context_syncer_copies');

  const passes = await metric(controller, 'controller_runtime_reconcile_total', { result: 'written' });
  expect(passes).toBe(7);
  for (const name of ['controller_runtime_reconcile_time_seconds', 'workqueue_queue_duration_seconds']) {
    expect(await metric(controller, `${name}_count`)).toBeGreaterThanOrEqual(passes);
    expect(await metric(controller, `${name}_sum`)).toBeGreaterThan(0);
  }
  const text = await scrape(controller);
  for (const name of [
    'workqueue_adds_total',
    'workqueue_depth',
    'workqueue_queue_duration_seconds',
    'workqueue_work_duration_seconds',
    'workqueue_retries_total',
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_seconds',
  ]) {
    expect(text).toContain(`\n# TYPE ${name} `);
  }
  expect(text).not.toContain('omni-7f3a');
});

test('a target that goes down is reported in metrics and an Event, and does not make the controller unready', async () => {
  const here = stage();
  const controller = await here.startController();
  await create(here.source, {
    kind: 'ConfigMap',
    metadata: { name: 'lasting', namespace: 'demo', annotations: { [syncContexts]: 'context-1,context-2' } },
    data: { round: '1' },
  });
  await appears(here.target(1), 'configmaps', 'demo', 'lasting');
  await appears(here.target(2), 'configmaps', 'demo', 'lasting');

  await here.target(2).kill();
  await setData(here.source, 'demo', 'configmap/lasting', { round: '2' });
  await appears(here.target(1), 'configmaps', 'demo', 'lasting', ({ data }) => {
    expect(data).toEqual({ round: '2' });
  });
  await reads(controller, 0, 'context_syncer_context_up', { context: 'context-2' });
  await reads(controller, 1, 'context_syncer_context_up', { context: 'context-1' });
  const event = await eventAbout(here.source, 'demo', 'lasting', 'TargetUnreachable');
  expect(event.message).toBe(
    'The cluster of context "context-2" cannot be reached: its API server refuses connections. The copy follows as soon as it can.',
  );
  await reads(controller, 1, 'context_syncer_problems', { reason: 'TargetUnreachable' });
  expect(await get(controller, '/readyz')).toEqual([200, 'ok']);
  expect(await get(controller, '/livez')).toEqual([200, 'ok']);

  await here.target(2).restart();
  await appears(here.target(2), 'configmaps', 'demo', 'lasting', ({ data }) => {
    expect(data).toEqual({ round: '2' });
  });
  await reads(controller, 1, 'context_syncer_context_up', { context: 'context-2' });
  await reads(controller, 0, 'context_syncer_problems', { reason: 'TargetUnreachable' });
  await eventAbout(here.source, 'demo', 'lasting', 'Recovered');
});
