import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { annotate, apply, remove, removeAnnotation, setData } from '../harness/kubectl.ts';
import { metric } from '../harness/metrics.ts';
import { appears, disappears, eventAbout, find, syncContexts, useStage } from '../harness/stage.ts';
import { FaultProxy } from '../sandbox/network/fault-proxy.ts';

const stage = useStage({ targets: 2 });
const webhookConfigurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';

beforeAll(async () => {
  const here = stage();
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2) },
  ]);
  await here.createNamespace('silent');
  await here.createNamespace('killed');
});

const outages = [
  {
    outage: 'falls silent',
    namespace: 'silent',
    begin: () => stage().target(1).pause(),
    end: () => stage().target(1).resume(),
  },
  {
    outage: 'is killed and started again',
    namespace: 'killed',
    begin: () => stage().target(1).kill(),
    end: () => stage().target(1).restart(),
  },
] as const;

for (const { outage, namespace, begin, end } of outages) {
  test(`a target that ${outage} delays no other, and is in sync when it is back`, async () => {
    const here = stage();
    const { source } = here;
    const [first, second] = [here.target(1), here.target(2)];
    const controller = await here.startController();
    for (const name of ['changed', 'deleted', 'de-annotated', 'delisted', 'unchanged']) {
      await apply(source, configMap(namespace, name, 'before'));
      await appears(first, 'configmaps', namespace, name);
    }
    const unchanged = await find(first, 'configmaps', namespace, 'unchanged');

    await begin();
    await apply(source, configMap(namespace, 'new', 'after'));
    await appears(second, 'configmaps', namespace, 'new');
    await setData(source, namespace, 'configmap/changed', { value: 'after' });
    await appears(second, 'configmaps', namespace, 'changed', ({ data }) => {
      expect(data).toEqual({ value: 'after' });
    });
    await remove(source, namespace, 'configmap/deleted');
    await disappears(second, 'configmaps', namespace, 'deleted');
    await removeAnnotation(source, namespace, 'configmap/de-annotated');
    await disappears(second, 'configmaps', namespace, 'de-annotated');
    await annotate(source, namespace, 'configmap/delisted', 'context-2');
    const event = await eventAbout(source, namespace, 'new', 'TargetUnreachable');
    expect(event.message).toContain('"context-1"');
    expect(await metric(controller, 'context_syncer_context_up', { context: 'context-1' })).toBe(0);
    expect(await metric(controller, 'context_syncer_context_up', { context: 'context-2' })).toBe(1);
    await controller.ready();
    // Still so, long after the breaker of the other lane has opened.
    await apply(source, configMap(namespace, 'newer', 'after'));
    await appears(second, 'configmaps', namespace, 'newer');

    await end();
    for (const name of ['new', 'newer', 'changed']) {
      await appears(first, 'configmaps', namespace, name, ({ data }) => {
        expect(data).toEqual({ value: 'after' });
      });
    }
    for (const name of ['deleted', 'de-annotated', 'delisted']) {
      await disappears(first, 'configmaps', namespace, name);
    }
    await eventAbout(source, namespace, 'new', 'Recovered');
    expect(await find(first, 'configmaps', namespace, 'unchanged')).toEqual(unchanged);
    expect(await find(second, 'configmaps', namespace, 'delisted')).toBeDefined();
  });
}

test('a namespace of a target whose admission webhook hangs holds up no other one', async () => {
  const here = stage();
  const { source } = here;
  const target = here.target(1);
  for (const namespace of ['hanging', 'beside']) {
    await here.createNamespace(namespace);
  }
  await using webhook = await FaultProxy.start(target);
  await webhook.setMode('silent');
  await target.request('POST', webhookConfigurations, {
    metadata: { name: 'hanging' },
    webhooks: [
      {
        name: 'hanging.example.com',
        clientConfig: { url: webhook.url, caBundle: Buffer.from(target.caPem).toString('base64') },
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'hanging' } },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        timeoutSeconds: 30,
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  });
  const controller = await here.startController();
  await apply(source, configMap('beside', 'changed', 'before'));
  await appears(target, 'configmaps', 'beside', 'changed');
  const names = Array.from({ length: 50 }, (_, index) => `source-${index}`);
  await Promise.all(
    names.map((name) =>
      source.request('POST', '/api/v1/namespaces/hanging/configmaps', configMap('hanging', name, 'there')),
    ),
  );
  await eventually('as many writes hang as a cluster has passes', async () => {
    expect(await metric(controller, 'controller_runtime_active_workers')).toBeGreaterThanOrEqual(32);
  });
  await setData(source, 'beside', 'configmap/changed', { value: 'after' });
  await appears(target, 'configmaps', 'beside', 'changed', ({ data }) => {
    expect(data).toEqual({ value: 'after' });
  });
  expect(await metric(controller, 'controller_runtime_reconcile_errors_total')).toBe(0);

  await target.request('DELETE', `${webhookConfigurations}/hanging`);
  for (const name of names) {
    await appears(target, 'configmaps', 'hanging', name);
  }
});

test('copies that are edited and deleted while a target cannot be reached are corrected', async () => {
  const here = stage();
  const { source } = here;
  const target = here.target(1);
  const controller = await here.startController();
  for (const name of ['edited', 'lost']) {
    await apply(source, configMap('silent', name, 'right'));
    await appears(target, 'configmaps', 'silent', name);
  }

  // Another way to the same server stays open for the person who edits, as inside that cluster.
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1), server: 'https://127.0.0.1:1' },
    { name: 'context-2', cluster: here.target(2) },
  ]);
  await eventually('the target is taken to be down', async () => {
    expect(await metric(controller, 'context_syncer_context_up', { context: 'context-1' })).toBe(0);
  });
  await setData(target, 'silent', 'configmap/edited', { value: 'wrong' });
  await remove(target, 'silent', 'configmap/lost');
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2) },
  ]);

  for (const name of ['edited', 'lost']) {
    await appears(target, 'configmaps', 'silent', name, ({ data }) => {
      expect(data).toEqual({ value: 'right' });
    });
  }
});

test('a controller that starts while a target is silent serves the others, and that one when it is back', async () => {
  const here = stage();
  const { source } = here;
  await here.target(1).pause();
  await apply(source, configMap('silent', 'early', 'there'));
  const controller = await here.startController();

  await appears(here.target(2), 'configmaps', 'silent', 'early');
  const event = await eventAbout(source, 'silent', 'early', 'ContextUnavailable');
  expect(event.message).toContain('"context-1"');
  expect(controller.running).toBe(true);

  await here.target(1).resume();
  await appears(here.target(1), 'configmaps', 'silent', 'early');
  await eventAbout(source, 'silent', 'early', 'Recovered');
});

test('SIGTERM ends the controller cleanly while writes to a silent target are under way', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController();
  await apply(source, configMap('silent', 'before-stop', 'there'));
  await appears(here.target(1), 'configmaps', 'silent', 'before-stop');

  await here.target(1).pause();
  await apply(source, configMap('silent', 'at-stop', 'there'));
  await appears(here.target(2), 'configmaps', 'silent', 'at-stop');
  await eventually('a pass hangs', async () => {
    expect(await metric(controller, 'controller_runtime_active_workers')).toBeGreaterThan(0);
  });
  // The program gives up with another status when it has not ended after 20 s.
  expect(await controller.stop()).toEqual({ code: 0, signal: null });
  expect(controller.log.at(-1)).toMatchObject({ msg: 'stopped' });
  await here.target(1).resume();

  await here.startController();
  await appears(here.target(1), 'configmaps', 'silent', 'at-stop');
});

test('SIGTERM ends a leader cleanly while neither the source cluster nor a target answers', async () => {
  const here = stage();
  const { source } = here;
  await here.createNamespace('context-syncer', [source]);
  const controller = await here.startController(['--leader-elect']);
  await apply(source, configMap('silent', 'before-last-stop', 'there'));
  await appears(here.target(1), 'configmaps', 'silent', 'before-last-stop');

  await here.target(1).pause();
  await apply(source, configMap('silent', 'at-last-stop', 'there'));
  await appears(here.target(2), 'configmaps', 'silent', 'at-last-stop');
  await source.pause();
  expect(await controller.stop()).toEqual({ code: 0, signal: null });
  await source.resume();
  await here.target(1).resume();
});

test('a source cluster that is killed and started again is followed on', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController();
  await apply(source, configMap('silent', 'kept', 'before'));
  const kept = await appears(here.target(1), 'configmaps', 'silent', 'kept');

  await source.kill();
  await source.restart();
  await setData(source, 'silent', 'configmap/kept', { value: 'after' });
  await appears(here.target(1), 'configmaps', 'silent', 'kept', (copy) => {
    expect(copy).toMatchObject({ data: { value: 'after' }, metadata: { uid: kept.metadata.uid } });
  });
  await apply(source, configMap('silent', 'later', 'there'));
  await appears(here.target(2), 'configmaps', 'silent', 'later');
  expect(controller.running).toBe(true);
});

function configMap(namespace: string, name: string, value: string) {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace, annotations: { [syncContexts]: 'context-1,context-2' } },
    data: { value },
  } as const;
}
