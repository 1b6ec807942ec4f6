import { beforeAll, expect, test } from 'vitest';
import { apply, create, type Manifest, remove, removeAnnotation, setData } from '../harness/kubectl.ts';
import { metric } from '../harness/metrics.ts';
import { type MarkerWay, processed } from '../harness/processed.ts';
import {
  appears,
  disappears,
  eventAbout,
  find,
  type StoredObject,
  syncContexts,
  useStage,
} from '../harness/stage.ts';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';
import { trustedJson } from '../sandbox/json.ts';

/** Targets on which Kubed has been at work before this controller starts. */
const stage = useStage({ targets: 1 });
const marker: MarkerWay = { context: 'context-1', target: 1, namespace: 'demo' };
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const origin = 'kubed.appscode.com/origin';

beforeAll(async () => {
  const here = stage();
  await here.setContexts([{ name: 'context-1', cluster: here.target(1) }]);
  await here.createNamespace('demo');
});

test.each([
  ['ConfigMap', 'configmaps', 'configmap'],
  ['Secret', 'secrets', 'secret'],
] as const)(
  'a %s of Kubed is taken over in place by the source that claims it',
  async (kind, plural, prefix) => {
    const here = stage();
    const [{ source }, target] = [here, here.target(1)];
    const name = `claimed-${prefix}`;
    const manifest = { ...sourceNamed(name), kind };
    await apply(source, manifest);
    const original = await appears(source, plural, 'demo', name);
    await copyAsKubed(target, kind, original);
    const copy = await appears(target, plural, 'demo', name);
    expect(copy.metadata.annotations).toHaveProperty([lastApplied]);

    await here.startController();
    const taken = await appears(target, plural, 'demo', name, ({ metadata }) => {
      expect(Object.keys(metadata.annotations ?? {}).toSorted()).toEqual(['example.org/note', origin]);
    });
    expect(taken.metadata.uid).toBe(copy.metadata.uid);
    expect(taken.data).toEqual(original.data);
    expect(taken.metadata.labels).toEqual({ team: 'payments', ...originLabels(name, 'hub') });
    expect(trustedJson(taken.metadata.annotations?.[origin] ?? '')).toMatchObject({
      namespace: 'demo',
      name,
      uid: original.metadata.uid,
      resourceVersion: original.metadata.resourceVersion,
      clusterUID: await uidOfCluster(source),
      context: 'context-1',
    });

    // From now on it is a copy as any other.
    await removeAnnotation(source, 'demo', `${prefix}/${name}`);
    await disappears(target, plural, 'demo', name);
  },
);

test('a copy that Kubed left stale is updated in place, and what others added to it stays', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  await apply(source, sourceNamed('stale'));
  const original = await appears(source, 'configmaps', 'demo', 'stale');
  await copyAsKubed(target, 'ConfigMap', { ...original, data: { value: 'old', gone: 'b2xk' } });
  await target.kubectl(['label', 'configmap/stale', '-n', 'demo', 'added=there']);
  const copy = await appears(target, 'configmaps', 'demo', 'stale');

  await here.startController();
  await appears(target, 'configmaps', 'demo', 'stale', ({ metadata, data }) => {
    expect(data).toEqual(original.data);
    expect(metadata.uid).toBe(copy.metadata.uid);
    expect(metadata.labels).toMatchObject({ added: 'there', team: 'payments' });
    expect(metadata.annotations).not.toHaveProperty([lastApplied]);
  });
});

test('a copy of Kubed that no source claims is left as it is', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const names = ['source-gone', 'source-without-annotation', 'source-deleted-later'];
  for (const name of names) {
    await apply(source, sourceNamed(name));
    await copyAsKubed(target, 'ConfigMap', await appears(source, 'configmaps', 'demo', name));
  }
  await remove(source, 'demo', 'configmap/source-gone');
  await removeAnnotation(source, 'demo', 'configmap/source-without-annotation');
  await removeAnnotation(source, 'demo', 'configmap/source-deleted-later');
  const before = await Promise.all(names.map((name) => find(target, 'configmaps', 'demo', name)));

  const controller = await here.startController();
  await processed(here, controller, marker);
  await remove(source, 'demo', 'configmap/source-deleted-later');
  await processed(here, controller, marker);

  const after = await Promise.all(names.map((name) => find(target, 'configmaps', 'demo', name)));
  expect(after).toEqual(before);
  expect(after).not.toContain(undefined);
});

test('the copy of a Kubed in another source cluster is foreign', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  await create(source, sourceNamed('neighbour'));
  await copyAsKubed(
    target,
    'ConfigMap',
    await appears(source, 'configmaps', 'demo', 'neighbour'),
    'other-hub',
  );
  const copy = await find(target, 'configmaps', 'demo', 'neighbour');

  const controller = await here.startController();
  await eventAbout(source, 'demo', 'neighbour', 'Unowned');
  await processed(here, controller, marker);
  expect(await find(target, 'configmaps', 'demo', 'neighbour')).toEqual(copy);
});

test('copies of 0.1, which did not record their place, are updated once in place; of those nobody claims, only what is where copies are put goes', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const first = await here.startController();
  const names = ['claimed-01', 'unclaimed-01', 'cloned-01'];
  for (const name of names) {
    await apply(source, sourceNamed(name));
    await appears(target, 'configmaps', 'demo', name);
  }
  await processed(here, first, marker);
  await first.kill();
  for (const name of names) {
    await asOf01(target, name);
  }
  await here.createNamespace('clones', [target]);
  const { metadata, data = {} } = await appears(target, 'configmaps', 'demo', 'cloned-01');
  const { name, labels = {}, annotations = {} } = metadata;
  await create(target, {
    kind: 'ConfigMap',
    metadata: { namespace: 'clones', name, labels, annotations },
    data,
  });
  const clone = await find(target, 'configmaps', 'clones', 'cloned-01');
  const claimed = await find(target, 'configmaps', 'demo', 'claimed-01');
  for (const gone of ['unclaimed-01', 'cloned-01']) {
    await remove(source, 'demo', `configmap/${gone}`);
  }

  const second = await here.startController();
  for (const gone of ['unclaimed-01', 'cloned-01']) {
    await disappears(target, 'configmaps', 'demo', gone);
  }
  await appears(target, 'configmaps', 'demo', 'claimed-01', (copy) => {
    expect(trustedJson(copy.metadata.annotations?.[origin] ?? '')).toMatchObject({
      copy: { namespace: 'demo', name: 'claimed-01' },
    });
    expect([copy.metadata.uid, copy.data]).toEqual([claimed?.metadata.uid, claimed?.data]);
  });
  await processed(here, second, marker);
  expect(await find(target, 'configmaps', 'clones', 'cloned-01')).toEqual(clone);
  expect(await metric(second, 'context_syncer_writes_total', { reason: 'Relabelled' })).toBe(1);
});

test('a source that Kubed marked with its own uid is a source, and its copies within the cluster are reported as not ours', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  await here.startController();
  await create(source, sourceNamed('marked'));
  await appears(target, 'configmaps', 'demo', 'marked');
  const { metadata } = await appears(source, 'configmaps', 'demo', 'marked');
  const { namespace, name, uid, resourceVersion } = metadata;
  const mark = `${origin}=${JSON.stringify({ namespace, name, uid, resourceVersion })}`;
  const within = 'kubed.appscode.com/sync=team=payments';
  await source.kubectl(['annotate', 'configmap/marked', '-n', 'demo', within, mark]);
  await setData(source, 'demo', 'configmap/marked', { value: 'bmV3' });
  await appears(target, 'configmaps', 'demo', 'marked', (copy) => {
    expect(copy.data).toEqual({ value: 'bmV3' });
  });
  const event = await eventAbout(source, 'demo', 'marked', 'SyncIgnored');
  expect(event.message).toContain('kubed.appscode.com/sync is not acted upon');
  await removeAnnotation(source, 'demo', 'configmap/marked');
  await disappears(target, 'configmaps', 'demo', 'marked');
});

/** Takes from a copy's origin what 0.1 did not write. */
async function asOf01(target: ControlPlane, name: string): Promise<void> {
  const { metadata } = await appears(target, 'configmaps', 'demo', name);
  const { copy: _place, ...rest } = trustedJson<Record<string, unknown>>(
    metadata.annotations?.[origin] ?? '',
  );
  await target.request(
    'PATCH',
    `/api/v1/namespaces/demo/configmaps/${name}`,
    { metadata: { annotations: { [origin]: JSON.stringify(rest) } } },
    { contentType: 'application/merge-patch+json' },
  );
}

/** Its value is the same for both kinds: Secrets want base64, to ConfigMaps it is text. */
function sourceNamed(name: string): Manifest {
  return {
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'demo',
      labels: { team: 'payments' },
      annotations: { [syncContexts]: 'context-1', 'example.org/note': 'kept' },
    },
    data: { value: 'dmFsdWU=' },
  };
}

function originLabels(name: string, cluster: string): Readonly<Record<string, string>> {
  return {
    'kubed.appscode.com/origin.name': name,
    'kubed.appscode.com/origin.namespace': 'demo',
    'kubed.appscode.com/origin.cluster': cluster,
  };
}

/**
 * Makes the copy that Kubed makes of an object: source labels and annotations less the sync keys, what `kubectl apply`
 * left there included, and an origin of four fields.
 */
async function copyAsKubed(
  target: ControlPlane,
  kind: Manifest['kind'],
  { metadata, data = {} }: StoredObject,
  cluster = 'hub',
): Promise<void> {
  const { namespace, name, uid, resourceVersion, labels, annotations } = metadata;
  const { [syncContexts]: _list, ...travelling } = annotations ?? {};
  await create(target, {
    kind,
    metadata: {
      namespace,
      name,
      labels: { ...labels, ...originLabels(name, cluster) },
      annotations: { ...travelling, [origin]: JSON.stringify({ namespace, name, uid, resourceVersion }) },
    },
    data,
  });
}

async function uidOfCluster(place: ControlPlane): Promise<string> {
  const { body } = await place.request<{ metadata: { uid: string } }>(
    'GET',
    '/api/v1/namespaces/kube-system',
  );
  return body.metadata.uid;
}
