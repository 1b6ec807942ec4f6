import { beforeAll, expect, test } from 'vitest';
import { apply, remove } from '../harness/kubectl.ts';
import { processed } from '../harness/processed.ts';
import { appears, disappears, eventAbout, find, syncContexts, useStage } from '../harness/stage.ts';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';

const stage = useStage({ targets: 2 });

beforeAll(async () => {
  const here = stage();
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2) },
    { name: 'bound', cluster: here.target(2), namespace: 'bound' },
    { name: 'system', cluster: here.target(1), namespace: 'kube-public' },
    { name: 'own', cluster: here.target(2), namespace: 'context-syncer' },
  ]);
  await here.createNamespace('demo');
  await here.createNamespace('context-syncer');
});

for (const { kind, plural, namespace } of [
  { kind: 'ConfigMap', plural: 'configmaps', namespace: 'late-for-configmaps' },
  { kind: 'Secret', plural: 'secrets', namespace: 'late-for-secrets' },
] as const) {
  test(`a ${kind} waits for its namespace in one cluster, follows when that is created, and waits in no other`, async () => {
    const here = stage();
    const { source } = here;
    await here.createNamespace(namespace, [source, here.target(2)]);
    const controller = await here.startController();
    await apply(source, {
      kind,
      metadata: { name: 'omni', namespace, annotations: { [syncContexts]: 'context-1,context-2' } },
      data: { value: 'eA==' },
    });

    await appears(here.target(2), plural, namespace, 'omni');
    const event = await eventAbout(source, namespace, 'omni', 'NamespaceNotFound');
    expect(event).toMatchObject({ type: 'Warning', involvedObject: { kind } });
    expect(event.message).toContain(`"${namespace}"`);
    expect(event.message).toContain('"context-1"');
    await processed(here, controller, { context: 'context-1', target: 1, namespace: 'demo' });
    expect(await namespaceStatus(here.target(1), namespace)).toBe(404);

    await here.target(1).kubectl(['create', 'namespace', namespace]);
    await appears(here.target(1), plural, namespace, 'omni', ({ data }) => {
      expect(data).toEqual({ value: 'eA==' });
    });
    await eventAbout(source, namespace, 'omni', 'Recovered');
  });
}

test('the namespace of a context is not created either, and may be created later', async () => {
  const here = stage();
  const { source } = here;
  await here.startController();
  await apply(source, configMap('demo', 'into-bound', 'context-1,bound'));

  await appears(here.target(1), 'configmaps', 'demo', 'into-bound');
  const event = await eventAbout(source, 'demo', 'into-bound', 'NamespaceNotFound');
  expect(event.message).toContain('"bound"');
  expect(await namespaceStatus(here.target(2), 'bound')).toBe(404);

  await here.target(2).kubectl(['create', 'namespace', 'bound']);
  await appears(here.target(2), 'configmaps', 'bound', 'into-bound');
  expect(await find(here.target(2), 'configmaps', 'demo', 'into-bound')).toBeUndefined();
});

test('a namespace that is deleted and created again on a target gets its copies again', async () => {
  const here = stage();
  const { source } = here;
  const target = here.target(1);
  await here.createNamespace('doomed');
  await here.startController();
  await apply(source, configMap('doomed', 'omni', 'context-1,context-2'));
  const before = await appears(target, 'configmaps', 'doomed', 'omni');

  // What the controller manager of a whole cluster does: no new objects, the old ones go, then the namespace.
  await target.request('DELETE', '/api/v1/namespaces/doomed');
  await remove(target, 'doomed', 'configmap/omni');
  const event = await eventAbout(source, 'doomed', 'omni', 'NamespaceTerminating');
  expect(event.message).toContain('"doomed"');
  await target.request('PUT', '/api/v1/namespaces/doomed/finalize', {
    metadata: { name: 'doomed' },
    spec: { finalizers: [] },
  });
  await eventAbout(source, 'doomed', 'omni', 'NamespaceNotFound');

  await here.createNamespace('doomed', [target]);
  const after = await appears(target, 'configmaps', 'doomed', 'omni');
  expect(after.metadata.uid).not.toBe(before.metadata.uid);
  await eventAbout(source, 'doomed', 'omni', 'Recovered');
});

test('copies are deleted with the annotation also where their namespace is terminating', async () => {
  const here = stage();
  const { source } = here;
  await here.createNamespace('leaving');
  await here.startController();
  await apply(source, configMap('leaving', 'omni', 'context-1,context-2'));
  await appears(here.target(1), 'configmaps', 'leaving', 'omni');
  await appears(here.target(2), 'configmaps', 'leaving', 'omni');

  await here.target(1).request('DELETE', '/api/v1/namespaces/leaving');
  await remove(source, 'leaving', 'configmap/omni');
  await disappears(here.target(1), 'configmaps', 'leaving', 'omni');
  await disappears(here.target(2), 'configmaps', 'leaving', 'omni');
  expect(await namespaceStatus(here.target(1), 'leaving')).toBe(200);
});

test('nothing is copied from or into the namespaces of the system and of the controller itself', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController();
  for (const namespace of ['kube-system', 'kube-public', 'context-syncer']) {
    await apply(source, configMap(namespace, 'from-system', 'context-1'));
    const event = await eventAbout(source, namespace, 'from-system', 'InvalidSyncContexts');
    expect(event.message).toContain(`"${namespace}"`);
  }
  await apply(source, configMap('demo', 'into-system', 'system,own'));
  const event = await eventAbout(source, 'demo', 'into-system', 'InvalidSyncContexts');
  expect(event.message).toContain('"kube-public"');
  expect(event.message).toContain('"context-syncer"');

  await processed(here, controller, { context: 'context-1', target: 1, namespace: 'demo' });
  for (const target of here.sandbox.targets) {
    for (const namespace of ['kube-system', 'kube-public', 'context-syncer', 'demo']) {
      expect(await find(target, 'configmaps', namespace, 'from-system')).toBeUndefined();
      expect(await find(target, 'configmaps', namespace, 'into-system')).toBeUndefined();
    }
  }
});

function configMap(namespace: string, name: string, list: string) {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace, annotations: { [syncContexts]: list } },
    data: { value: 'there' },
  } as const;
}

async function namespaceStatus(place: ControlPlane, name: string): Promise<number> {
  const { status } = await place.request('GET', `/api/v1/namespaces/${name}`, undefined, {
    allowFailure: true,
  });
  return status;
}
