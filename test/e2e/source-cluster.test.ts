import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { apply, setData } from '../harness/kubectl.ts';
import { metric } from '../harness/metrics.ts';
import { type MarkerWay, processed } from '../harness/processed.ts';
import type { Program } from '../harness/program.ts';
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
import { FaultProxy } from '../sandbox/network/fault-proxy.ts';

/** Target 2 takes the source's place, with an authority and tokens that the controller accepts. */
const stage = useStage({ targets: 2, sharedCredentials: true });
const ownNamespace = 'context-syncer';
const catalog = 'context-syncer-catalog';

beforeAll(async () => {
  const here = stage();
  await here.setContexts([{ name: 'context-1', cluster: here.target(1) }]);
  for (const namespace of ['moved', 'restored', ownNamespace]) {
    await here.createNamespace(namespace);
  }
});

test('while the address of the source leads to another cluster, nothing is written; then work goes on', async () => {
  const here = stage();
  await using proxy = await FaultProxy.start(here.source);
  const kubeconfig = join(here.sandbox.folder, 'moving-source.kubeconfig');
  await writeFile(
    kubeconfig,
    here.sandbox.contextsKubeconfig([{ name: 'source', cluster: here.source, server: proxy.url }]),
  );
  const controller = await here.startController(['--leader-elect=false', `--kubeconfig=${kubeconfig}`]);
  const copies = await makeSources('moved', 30);

  proxy.lead(here.target(2));
  proxy.cut();
  await readinessSays(controller, 'is another cluster');
  expect(await metric(controller, 'context_syncer_source_is_other_cluster')).toBe(1);
  expect(await find(here.target(2), 'configmaps', ownNamespace, catalog)).toBeUndefined();

  proxy.lead(here.source);
  proxy.cut();
  await controller.ready();
  await setData(here.source, 'moved', 'configmap/source-0', { value: 'after' });
  await appears(here.target(1), 'configmaps', 'moved', 'source-0', ({ data, metadata }) => {
    expect([data, metadata.uid]).toEqual([{ value: 'after' }, copies[0]?.metadata.uid]);
  });
  await processed(here, controller, { context: 'context-1', target: 1, namespace: 'moved' });
  expect((await copiesIn('moved')).filter(({ metadata }) => metadata.name !== 'source-0')).toEqual(
    copies.slice(1),
  );
  const told = controller.log.filter(({ msg }) => msg.startsWith('another cluster answers'));
  expect(told).toHaveLength(1);
});

test('a restored source is followed at once, and what its snapshot lacks goes when an operator releases it', async () => {
  const here = stage();
  const { source } = here;
  const target = here.target(1);
  const way: MarkerWay = { context: 'context-1', target: 1, namespace: 'restored' };
  const controller = await here.startController();
  await apply(source, configMap('restored', 'changed', 'before'));
  await appears(target, 'configmaps', 'restored', 'changed');
  await processed(here, controller, way);
  const snapshot = await source.snapshot();
  await setData(source, 'restored', 'configmap/changed', { value: 'after' });
  await appears(target, 'configmaps', 'restored', 'changed', hasValue('after'));
  await apply(source, configMap('restored', 'lost', 'there'));
  const lost = await appears(target, 'configmaps', 'restored', 'lost');

  await source.restore(snapshot);
  await appears(target, 'configmaps', 'restored', 'changed', hasValue('before'));
  await heldDeletions(controller, 1);
  await eventAbout(source, 'restored', 'lost', 'DeletionHeld');
  await setData(source, 'restored', 'configmap/changed', { value: 'new' });
  await appears(target, 'configmaps', 'restored', 'changed', hasValue('new'));
  // The watch shows that its marker is deleted: that is no reason to hold it back.
  await processed(here, controller, way);
  const trip = tripOf(controller, 'SourceRestored');
  await appears(source, 'configmaps', ownNamespace, catalog, ({ data }) => {
    expect(data?.['state.json']).toContain(trip);
  });
  await controller.kill();

  const second = await here.startController();
  await heldDeletions(second, 1);
  await release('another');
  await processed(here, second, way);
  expect(await find(target, 'configmaps', 'restored', 'lost')).toEqual(lost);
  await release(trip);
  await disappears(target, 'configmaps', 'restored', 'lost');
  await heldDeletions(second, 0);
  expect(await metric(second, 'context_syncer_deletion_guard_tripped')).toBe(0);
  await noTripIsLeft();
});

test('a new process notices by a copy of ours that the source was restored, and by no forged one', async () => {
  const here = stage();
  const { source } = here;
  const target = here.target(1);
  const first = await here.startController();
  await apply(source, configMap('restored', 'genuine', 'before'));
  const genuine = await appears(target, 'configmaps', 'restored', 'genuine');
  await first.kill();
  const origin = genuine.metadata.annotations?.['kubed.appscode.com/origin'] ?? '';
  await apply(target, {
    kind: 'ConfigMap',
    metadata: {
      name: 'forged',
      namespace: 'restored',
      labels: genuine.metadata.labels ?? {},
      annotations: {
        'kubed.appscode.com/origin': origin
          .replaceAll('"genuine"', '"forged"')
          .replace(/"resourceVersion":"\d+"/, '"resourceVersion":"999999999"'),
      },
    },
  });
  const second = await here.startController();
  await disappears(target, 'configmaps', 'restored', 'forged');
  expect(await metric(second, 'context_syncer_deletion_guard_tripped')).toBe(0);

  const snapshot = await source.snapshot();
  // More than an API server writes by itself when it starts.
  await Promise.all(
    Array.from({ length: 1_000 }, (_, index) =>
      source.request('POST', '/api/v1/namespaces/restored/configmaps', {
        metadata: { name: `plain-${index}` },
      }),
    ),
  );
  await setData(source, 'restored', 'configmap/genuine', { value: 'after' });
  await apply(source, configMap('restored', 'missing', 'there'));
  await appears(target, 'configmaps', 'restored', 'genuine', hasValue('after'));
  const missing = await appears(target, 'configmaps', 'restored', 'missing');
  await second.kill();
  await source.restore(snapshot);
  const third = await here.startController();
  await appears(target, 'configmaps', 'restored', 'genuine', hasValue('before'));
  await heldDeletions(third, 1);
  expect(await find(target, 'configmaps', 'restored', 'missing')).toEqual(missing);
  await release(tripOf(third, 'SourceRestored'));
  await disappears(target, 'configmaps', 'restored', 'missing');
  await noTripIsLeft();
});

test('a leader notices by its Lease that the source was restored, where no source shows it', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController(['--leader-elect']);
  await apply(source, configMap('restored', 'kept', 'there'));
  await appears(here.target(1), 'configmaps', 'restored', 'kept');
  await appears(source, 'configmaps', ownNamespace, catalog);
  const snapshot = await source.snapshot();
  await apply(source, configMap('restored', 'gone', 'there'));
  const copy = await appears(here.target(1), 'configmaps', 'restored', 'gone');
  // The second renewal shows that the leader has the answer to the first.
  await leaseIsRenewed();
  await leaseIsRenewed();

  await source.restore(snapshot);
  await heldDeletions(controller, 1);
  expect(await find(here.target(1), 'configmaps', 'restored', 'gone')).toEqual(copy);
  await release(tripOf(controller, 'SourceRestored'));
  await disappears(here.target(1), 'configmaps', 'restored', 'gone');
});

test('copies of a source cluster that was rebuilt are foreign, until an operator names its uid', async () => {
  const here = stage();
  const { source } = here;
  const target = here.target(1);
  const way: MarkerWay = { context: 'context-1', target: 1, namespace: 'rebuilt' };
  const old = await clusterUid(source);
  await here.createNamespace('rebuilt');
  const first = await here.startController();
  for (const name of ['made-again', 'not-made-again']) {
    await apply(source, configMap('rebuilt', name, 'old'));
  }
  const copy = await appears(target, 'configmaps', 'rebuilt', 'made-again');
  const orphan = await appears(target, 'configmaps', 'rebuilt', 'not-made-again');

  await source.rebuild();
  await readinessSays(first, 'is another cluster');
  await first.kill();
  for (const namespace of ['rebuilt', ownNamespace]) {
    await here.createNamespace(namespace, [source]);
  }
  await apply(source, configMap('rebuilt', 'made-again', 'new'));
  const second = await here.startController();
  await eventAbout(source, 'rebuilt', 'made-again', 'Unowned');
  await processed(here, second, way);
  expect(await find(target, 'configmaps', 'rebuilt', 'made-again')).toEqual(copy);
  const counted = await metric(second, 'context_syncer_foreign_copies', { uid: old });
  expect(counted).toBeGreaterThanOrEqual(2);
  await eventually('the log tells of them', () => {
    const told = second.log.filter(({ msg }) => msg.startsWith('copies of another source cluster'));
    expect(told).toEqual([expect.objectContaining({ copies: [`${counted} of ${old}`] })]);
  });
  await second.kill();

  const third = await here.startController(['--leader-elect=false', `--take-over-from-uid=${old}`]);
  await appears(target, 'configmaps', 'rebuilt', 'made-again', ({ data, metadata }) => {
    expect([data, metadata.uid]).toEqual([{ value: 'new' }, copy.metadata.uid]);
  });
  await processed(here, third, way);
  expect(await find(target, 'configmaps', 'rebuilt', 'not-made-again')).toEqual(orphan);
});

async function leaseIsRenewed(): Promise<void> {
  const before = await leaseVersion();
  await eventually('the Lease is renewed', async () => {
    expect(await leaseVersion()).not.toBe(before);
  });
}

async function leaseVersion(): Promise<string> {
  const { body } = await stage().source.request<{ metadata: { resourceVersion: string } }>(
    'GET',
    `/apis/coordination.k8s.io/v1/namespaces/${ownNamespace}/leases/context-syncer-controller`,
  );
  return body.metadata.resourceVersion;
}

async function clusterUid(place: ControlPlane): Promise<string> {
  const { body } = await place.request<{ metadata: { uid: string } }>(
    'GET',
    '/api/v1/namespaces/kube-system',
  );
  return body.metadata.uid;
}

async function readinessSays(controller: Program, sentence: string): Promise<void> {
  await eventually('readiness says what happened', async () => {
    const answer = await fetch(`${await controller.endpoint('health')}/readyz?verbose`);
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining(sentence)]);
  });
}

/** The name of the one trip that the log tells of. */
function tripOf(controller: Program, reason: string): string {
  const [told, ...more] = controller.log.filter(({ msg }) => msg === 'mass deletion is stopped');
  expect([told?.['reason'], more]).toEqual([reason, []]);
  return String(told?.['trip']);
}

function hasValue(value: string): (object: StoredObject) => void {
  return ({ data }) => {
    expect(data).toEqual({ value });
  };
}

async function makeSources(namespace: string, count: number): Promise<readonly StoredObject[]> {
  const names = Array.from({ length: count }, (_, index) => `source-${index}`);
  await Promise.all(
    names.map((name) =>
      stage().source.request(
        'POST',
        `/api/v1/namespaces/${namespace}/configmaps`,
        configMap(namespace, name, 'before'),
      ),
    ),
  );
  await eventually('all copies are made', async () => {
    expect(await copiesIn(namespace)).toHaveLength(count);
  });
  return await copiesIn(namespace);
}

/** The copies on target 1, by name. */
async function copiesIn(namespace: string): Promise<readonly StoredObject[]> {
  const { body } = await stage()
    .target(1)
    .request<{ items: readonly StoredObject[] }>('GET', `/api/v1/namespaces/${namespace}/configmaps`);
  const number = ({ metadata }: StoredObject): number => Number(metadata.name.split('-')[1]);
  return body.items.toSorted((left, right) => number(left) - number(right));
}

async function heldDeletions(controller: Program, count: number): Promise<void> {
  await eventually(`${count} deletions are held back`, async () => {
    expect(await metric(controller, 'context_syncer_deletions_held')).toBe(count);
  });
}

/** No trip outlasts the controller. */
async function noTripIsLeft(): Promise<void> {
  await appears(stage().source, 'configmaps', ownNamespace, catalog, ({ data }) => {
    expect(trustedJson<{ trips: unknown }>(data?.['state.json'] ?? '{}').trips).toEqual([]);
  });
}

async function release(trip: string): Promise<void> {
  const annotation = `kubed.appscode.com/release-deletions=${trip}`;
  await stage().source.kubectl([
    'annotate',
    'configmap',
    catalog,
    '-n',
    ownNamespace,
    annotation,
    '--overwrite',
  ]);
}

function configMap(namespace: string, name: string, value: string) {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace, annotations: { [syncContexts]: 'context-1' } },
    data: { value },
  } as const;
}
