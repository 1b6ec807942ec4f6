import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { annotate, create, type Manifest, remove, removeAnnotation, setData } from '../harness/kubectl.ts';
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

/** Through the context `shared`, whose namespace is fixed, both teams' objects of one name mean one target object. */
const stage = useStage({ targets: 2 });
const marker: MarkerWay = { context: 'plain', target: 1, namespace: 'team-a' };

beforeAll(async () => {
  const here = stage();
  await here.setContexts([
    { name: 'shared', cluster: here.target(1), namespace: 'shared' },
    { name: 'plain', cluster: here.target(1) },
    { name: 'other', cluster: here.target(2) },
  ]);
  for (const namespace of ['team-a', 'team-b', 'shared']) {
    await here.createNamespace(namespace);
  }
});

type Leave = (source: ControlPlane, namespace: string, name: string) => Promise<void>;
const waysToLeave: readonly (readonly [how: string, leave: Leave])[] = [
  ['is deleted', (source, namespace, name) => remove(source, namespace, `configmap/${name}`)],
  [
    'loses its annotation',
    (source, namespace, name) => removeAnnotation(source, namespace, `configmap/${name}`),
  ],
  [
    'lists another context',
    (source, namespace, name) => annotate(source, namespace, `configmap/${name}`, 'other'),
  ],
];
const orders = [
  ['team-a', 'team-b'],
  ['team-b', 'team-a'],
] as const;
const histories = waysToLeave.flatMap(([how, leave], way) =>
  orders.map(([owner, heir]) => [owner, how, heir, leave, `pair-${way}-${owner}`] as const),
);

test.each(histories)(
  'the source of %s keeps the copy that it had first; when it %s, %s inherits it in place',
  async (owner, _how, heir, leave, name) => {
    const here = stage();
    const [{ source }, target] = [here, here.target(1)];
    const controller = await here.startController();
    await create(source, sourceOf(owner, name));
    const copy = await appears(target, 'configmaps', 'shared', name);

    await create(source, sourceOf(heir, name));
    const event = await eventAbout(source, heir, name, 'ClaimedByOther');
    expect(event).toMatchObject({ type: 'Warning' });
    expect(event.message).toContain(`ConfigMap shared/${name}`);
    expect(event.message).toContain(`${owner}/${name}`);
    await setData(source, heir, `configmap/${name}`, { version: 'second' });
    await processed(here, controller, marker);
    expect(await find(target, 'configmaps', 'shared', name)).toEqual(copy);

    await setData(source, owner, `configmap/${name}`, { version: 'second' });
    await appears(target, 'configmaps', 'shared', name, (now) => {
      expect(now).toMatchObject({
        data: { team: owner, version: 'second' },
        metadata: { uid: copy.metadata.uid },
      });
    });

    await leave(source, owner, name);
    await appears(target, 'configmaps', 'shared', name, (now) => {
      expect(now).toMatchObject({
        data: { team: heir, version: 'second' },
        metadata: { uid: copy.metadata.uid },
      });
      expect(ownerOf(now)).toBe(heir);
    });
    await eventAbout(source, heir, name, 'Recovered');

    await remove(source, heir, `configmap/${name}`);
    await disappears(target, 'configmaps', 'shared', name);
  },
);

test('the one that waits can go without a trace', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const controller = await here.startController();
  await create(source, sourceOf('team-b', 'waiting'));
  const copy = await appears(target, 'configmaps', 'shared', 'waiting');
  await create(source, sourceOf('team-a', 'waiting'));
  await eventAbout(source, 'team-a', 'waiting', 'ClaimedByOther');

  await remove(source, 'team-a', 'configmap/waiting');
  await processed(here, controller, marker);
  expect(await find(target, 'configmaps', 'shared', 'waiting')).toEqual(copy);
});

test('an owner whose list becomes invalid for a while does not lose its copy to the other', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const controller = await here.startController();
  await create(source, sourceOf('team-b', 'frozen'));
  const copy = await appears(target, 'configmaps', 'shared', 'frozen');
  await create(source, sourceOf('team-a', 'frozen'));
  await eventAbout(source, 'team-a', 'frozen', 'ClaimedByOther');

  await annotate(source, 'team-b', 'configmap/frozen', ',');
  await eventAbout(source, 'team-b', 'frozen', 'InvalidSyncContexts');
  await processed(here, controller, marker);
  expect(await find(target, 'configmaps', 'shared', 'frozen')).toEqual(copy);

  await annotate(source, 'team-b', 'configmap/frozen', 'shared');
  await setData(source, 'team-b', 'configmap/frozen', { version: 'second' });
  await appears(target, 'configmaps', 'shared', 'frozen', (now) => {
    expect(now).toMatchObject({
      data: { team: 'team-b', version: 'second' },
      metadata: { uid: copy.metadata.uid },
    });
  });
});

test('a restart changes no owner, and an owner that went meanwhile is inherited from', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  // The incumbents are the younger ones, so that their age cannot be what decides.
  await create(source, { ...sourceOf('team-a', 'kept'), metadata: { name: 'kept', namespace: 'team-a' } });
  await create(source, { ...sourceOf('team-a', 'left'), metadata: { name: 'left', namespace: 'team-a' } });
  const before = await here.startController();
  await create(source, sourceOf('team-b', 'kept'));
  await create(source, sourceOf('team-b', 'left'));
  const copies = {
    kept: await appears(target, 'configmaps', 'shared', 'kept'),
    left: await appears(target, 'configmaps', 'shared', 'left'),
  };
  await annotate(source, 'team-a', 'configmap/kept', 'shared');
  await annotate(source, 'team-a', 'configmap/left', 'shared');
  await eventAbout(source, 'team-a', 'kept', 'ClaimedByOther');
  await eventAbout(source, 'team-a', 'left', 'ClaimedByOther');
  await before.kill();
  await remove(source, 'team-b', 'configmap/left');

  const controller = await here.startController();
  await appears(target, 'configmaps', 'shared', 'left', (now) => {
    expect(now).toMatchObject({ data: { team: 'team-a' }, metadata: { uid: copies.left.metadata.uid } });
  });
  await processed(here, controller, marker);
  expect(await find(target, 'configmaps', 'shared', 'kept')).toEqual(copies.kept);

  await setData(source, 'team-b', 'configmap/kept', { version: 'second' });
  await appears(target, 'configmaps', 'shared', 'kept', (now) => {
    expect(now).toMatchObject({
      data: { team: 'team-b', version: 'second' },
      metadata: { uid: copies.kept.metadata.uid },
    });
  });
});

test('of two that both exist before the first start, the older one is served', async () => {
  const here = stage();
  const { source } = here;
  await create(source, sourceOf('team-b', 'both'));
  const older = await appears(source, 'configmaps', 'team-b', 'both');
  // Ages are known to the second: made again until it is younger for certain.
  await eventually('a younger source', async () => {
    await create(source, sourceOf('team-a', 'both'));
    const { metadata } = await appears(source, 'configmaps', 'team-a', 'both');
    if (metadata.creationTimestamp === older.metadata.creationTimestamp) {
      await remove(source, 'team-a', 'configmap/both');
      throw new Error('it is of the same second');
    }
  });

  await here.startController();
  const copy = await appears(here.target(1), 'configmaps', 'shared', 'both');
  expect(copy.data).toMatchObject({ team: 'team-b' });
  await eventAbout(source, 'team-a', 'both', 'ClaimedByOther');
});

function sourceOf(team: string, name: string): Manifest {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace: team, annotations: { [syncContexts]: 'shared' } },
    data: { team, version: 'first' },
  };
}

/** The namespace of the source that the copy's origin names. */
function ownerOf({ metadata }: StoredObject): string | undefined {
  return metadata.labels?.['kubed.appscode.com/origin.namespace'];
}
