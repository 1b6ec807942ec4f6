import { beforeAll, expect, test } from 'vitest';
import { annotate, apply, create, remove, removeAnnotation, setData } from '../harness/kubectl.ts';
import { appears, disappears, find, syncContexts, useStage } from '../harness/stage.ts';
import { trustedJson } from '../sandbox/json.ts';

const stage = useStage({ targets: 2 });

beforeAll(async () => {
  const here = stage();
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2), namespace: 'demo-cluster-2' },
  ]);
  await here.createNamespace('demo');
  await here.createNamespace('demo-cluster-2');
});

test('a ConfigMap is in every listed cluster, follows its source, and goes with the annotation', async () => {
  const here = stage();
  const { source } = here;
  await here.startController();
  await source.kubectl(['create', 'configmap', 'omni', '-n', 'demo', '--from-literal=leave=no']);
  await annotate(source, 'demo', 'configmap/omni', 'context-1,context-2');

  const first = await appears(here.target(1), 'configmaps', 'demo', 'omni');
  const second = await appears(here.target(2), 'configmaps', 'demo-cluster-2', 'omni');
  expect(first.data).toEqual({ leave: 'no' });
  expect(second.data).toEqual({ leave: 'no' });

  await setData(source, 'demo', 'configmap/omni', { leave: 'yes' });
  await appears(here.target(1), 'configmaps', 'demo', 'omni', (copy) => {
    expect(copy).toMatchObject({ data: { leave: 'yes' }, metadata: { uid: first.metadata.uid } });
  });
  await appears(here.target(2), 'configmaps', 'demo-cluster-2', 'omni', (copy) => {
    expect(copy).toMatchObject({ data: { leave: 'yes' }, metadata: { uid: second.metadata.uid } });
  });

  await annotate(source, 'demo', 'configmap/omni', 'context-2');
  await disappears(here.target(1), 'configmaps', 'demo', 'omni');
  const kept = await find(here.target(2), 'configmaps', 'demo-cluster-2', 'omni');
  expect(kept?.metadata.uid).toBe(second.metadata.uid);

  await annotate(source, 'demo', 'configmap/omni', 'context-2, context-1');
  await appears(here.target(1), 'configmaps', 'demo', 'omni');

  await removeAnnotation(source, 'demo', 'configmap/omni');
  await disappears(here.target(1), 'configmaps', 'demo', 'omni');
  await disappears(here.target(2), 'configmaps', 'demo-cluster-2', 'omni');
  expect(await find(source, 'configmaps', 'demo', 'omni')).toBeDefined();
});

test('a Secret travels with its type and everything its owner gave it, and goes with its source', async () => {
  const here = stage();
  const { source } = here;
  await here.startController();
  const key = Buffer.from([0, 255, 128, 10, 13]).toString('base64');
  await apply(source, {
    kind: 'Secret',
    metadata: {
      name: 'registry',
      namespace: 'demo',
      labels: { team: 'payments' },
      annotations: { [syncContexts]: 'context-1,context-2', 'example.org/note': 'renewed yearly' },
    },
    type: 'example.org/credentials',
    immutable: true,
    data: { key },
    stringData: { user: 'omni' },
  });
  const stored = await find(source, 'secrets', 'demo', 'registry');
  expect(stored?.metadata.annotations).toHaveProperty(['kubectl.kubernetes.io/last-applied-configuration']);

  for (const copy of [
    await appears(here.target(1), 'secrets', 'demo', 'registry'),
    await appears(here.target(2), 'secrets', 'demo-cluster-2', 'registry'),
  ]) {
    expect(copy).toMatchObject({ type: 'example.org/credentials', immutable: true });
    expect(copy.data).toEqual({ key, user: Buffer.from('omni').toString('base64') });
    expect(copy.metadata.labels).toEqual({
      team: 'payments',
      'kubed.appscode.com/origin.name': 'registry',
      'kubed.appscode.com/origin.namespace': 'demo',
      'kubed.appscode.com/origin.cluster': 'hub',
    });
    expect(Object.keys(copy.metadata.annotations ?? {}).toSorted()).toEqual([
      'example.org/note',
      'kubed.appscode.com/origin',
    ]);
  }

  await remove(source, 'demo', 'secret/registry');
  await disappears(here.target(1), 'secrets', 'demo', 'registry');
  await disappears(here.target(2), 'secrets', 'demo-cluster-2', 'registry');
});

test('a copy says where it comes from, and carries nothing that ties its source to a cluster or a tool', async () => {
  const here = stage();
  const { source } = here;
  await here.startController();
  const bytes = Buffer.from([1, 0, 254]).toString('base64');
  await apply(source, {
    kind: 'ConfigMap',
    metadata: {
      name: 'settings',
      namespace: 'demo',
      labels: {
        team: 'payments',
        'app.kubernetes.io/managed-by': 'Helm',
        'app.kubernetes.io/instance': 'one',
      },
      annotations: {
        [syncContexts]: 'context-1',
        'example.org/note': 'kept',
        'argocd.argoproj.io/tracking-id': 'one:/ConfigMap:demo/settings',
        'meta.helm.sh/release-name': 'one',
        'kustomize.toolkit.fluxcd.io/name': 'one',
      },
      ownerReferences: [
        { apiVersion: 'v1', kind: 'ConfigMap', name: 'parent', uid: '9d3d0d2c-0000-4000-8000-000000000000' },
      ],
      finalizers: ['example.org/held'],
    },
    immutable: true,
    data: { greeting: 'hello' },
    binaryData: { bytes },
  });

  const copy = await appears(here.target(1), 'configmaps', 'demo', 'settings');
  expect(copy).toMatchObject({ immutable: true, data: { greeting: 'hello' }, binaryData: { bytes } });
  expect(copy.metadata.labels).toEqual({
    team: 'payments',
    'kubed.appscode.com/origin.name': 'settings',
    'kubed.appscode.com/origin.namespace': 'demo',
    'kubed.appscode.com/origin.cluster': 'hub',
  });
  const { 'kubed.appscode.com/origin': origin = '', ...annotations } = copy.metadata.annotations ?? {};
  expect(annotations).toEqual({ 'example.org/note': 'kept' });
  expect(copy.metadata).not.toHaveProperty('ownerReferences');
  expect(copy.metadata).not.toHaveProperty('finalizers');

  const original = await find(source, 'configmaps', 'demo', 'settings');
  const { body: hub } = await source.request<{ metadata: { uid: string } }>(
    'GET',
    '/api/v1/namespaces/kube-system',
  );
  const recorded = trustedJson<Record<string, unknown>>(origin);
  expect(Object.keys(recorded).slice(0, 4)).toEqual(['namespace', 'name', 'uid', 'resourceVersion']);
  expect(recorded).toMatchObject({
    namespace: 'demo',
    name: 'settings',
    uid: original?.metadata.uid,
    resourceVersion: original?.metadata.resourceVersion,
    clusterUID: hub.metadata.uid,
    context: 'context-1',
  });
});

test('labels that somebody adds to a copy stay, those that the source takes back go', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  await here.startController();
  await create(source, {
    kind: 'ConfigMap',
    metadata: {
      name: 'labelled',
      namespace: 'demo',
      labels: { kept: 'yes', 'taken-back': 'soon' },
      annotations: { [syncContexts]: 'context-1' },
    },
  });
  await appears(target, 'configmaps', 'demo', 'labelled');

  await target.kubectl([
    'label',
    'configmap',
    'labelled',
    '-n',
    'demo',
    '--overwrite',
    'added=there',
    'kept=no',
  ]);
  await appears(target, 'configmaps', 'demo', 'labelled', ({ metadata }) => {
    expect(metadata.labels).toMatchObject({ kept: 'yes', 'taken-back': 'soon', added: 'there' });
  });

  await source.kubectl(['label', 'configmap', 'labelled', '-n', 'demo', 'taken-back-']);
  await appears(target, 'configmaps', 'demo', 'labelled', ({ metadata }) => {
    expect(metadata.labels).not.toHaveProperty('taken-back');
    expect(metadata.labels).toMatchObject({ kept: 'yes', added: 'there' });
  });
});
