import { beforeAll, expect, test } from 'vitest';
import { allowAgain, deny } from '../harness/admission-policy.ts';
import { create, type Manifest, recreate } from '../harness/kubectl.ts';
import { type MarkerWay, processed } from '../harness/processed.ts';
import { appears, eventAbout, find, type StoredObject, syncContexts, useStage } from '../harness/stage.ts';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';

/** What an API server never changes in place: the payload of an immutable object, and the type of a Secret. */
const stage = useStage({ targets: 1 });
const origin = 'kubed.appscode.com/origin';
const marker: MarkerWay = { context: 'context-1', target: 1, namespace: 'demo' };

beforeAll(async () => {
  const here = stage();
  await here.setContexts([{ name: 'context-1', cluster: here.target(1) }]);
  await here.createNamespace('demo');
});

type Content = Pick<Manifest, 'kind' | 'data' | 'binaryData' | 'type' | 'immutable'>;
interface Change {
  readonly what: string;
  readonly from: Content;
  readonly to: Content;
}

const text = (value: string): string => Buffer.from(value).toString('base64');
const changes: readonly Change[] = [
  {
    what: 'other data of an immutable ConfigMap',
    from: { kind: 'ConfigMap', immutable: true, data: { value: 'old' } },
    to: { kind: 'ConfigMap', immutable: true, data: { value: 'new' } },
  },
  {
    what: 'other binary data of an immutable ConfigMap',
    from: { kind: 'ConfigMap', immutable: true, binaryData: { value: text('old') } },
    to: { kind: 'ConfigMap', immutable: true, binaryData: { value: text('new') } },
  },
  {
    what: 'an immutable ConfigMap that is mutable now',
    from: { kind: 'ConfigMap', immutable: true, data: { value: 'same' } },
    to: { kind: 'ConfigMap', data: { value: 'same' } },
  },
  {
    what: 'a ConfigMap that is immutable now',
    from: { kind: 'ConfigMap', data: { value: 'old' } },
    to: { kind: 'ConfigMap', immutable: true, data: { value: 'new' } },
  },
  {
    what: 'other data of an immutable Secret',
    from: { kind: 'Secret', type: 'Opaque', immutable: true, data: { value: text('old') } },
    to: { kind: 'Secret', type: 'Opaque', immutable: true, data: { value: text('new') } },
  },
  {
    what: 'another type of a Secret',
    from: { kind: 'Secret', type: 'Opaque', data: { username: text('omni') } },
    to: { kind: 'Secret', type: 'kubernetes.io/basic-auth', data: { username: text('omni') } },
  },
  {
    what: 'another type and other data of an immutable Secret',
    from: { kind: 'Secret', type: 'example.org/one', immutable: true, data: { value: text('old') } },
    to: { kind: 'Secret', type: 'example.org/two', immutable: true, data: { value: text('new') } },
  },
];

test.each(changes.map((change, index) => [change.what, `live-${index}`, change] as const))(
  '%s arrives when the source is created again',
  async (_what, name, { from, to }) => {
    const here = stage();
    await here.startController();
    await create(here.source, sourceWith(name, from));
    await copyWith(here.target(1), name, from);

    await recreate(here.source, sourceWith(name, to));
    const copy = await copyWith(here.target(1), name, to);
    expect(copy.metadata.annotations?.[origin]).toContain(
      (await stored(here.source, name, to))?.metadata.uid,
    );
  },
);

test('all of them arrive when the sources were created again while the controller was down', async () => {
  const here = stage();
  const named = changes.map((change, index) => ({ ...change, name: `restart-${index}` }));
  const before = await here.startController();
  for (const { name, from } of named) {
    await create(here.source, sourceWith(name, from));
    await copyWith(here.target(1), name, from);
  }
  await before.kill();
  for (const { name, to } of named) {
    await recreate(here.source, sourceWith(name, to));
  }

  const controller = await here.startController();
  for (const { name, to } of named) {
    await copyWith(here.target(1), name, to);
  }
  await processed(here, controller, marker);
  for (const { name, to } of named) {
    const source = await stored(here.source, name, to);
    const copy = await stored(here.target(1), name, to);
    expect(copy?.metadata.annotations?.[origin]).toContain(source?.metadata.uid);
  }
});

test('what can be changed in place is: the labels of an immutable object', async () => {
  const here = stage();
  await here.startController();
  const content: Content = { kind: 'ConfigMap', immutable: true, data: { value: 'same' } };
  await create(here.source, sourceWith('labelled', content));
  const copy = await copyWith(here.target(1), 'labelled', content);

  await here.source.kubectl(['label', 'configmap/labelled', '-n', 'demo', 'team=payments']);
  await appears(here.target(1), 'configmaps', 'demo', 'labelled', ({ metadata }) => {
    expect(metadata).toMatchObject({ uid: copy.metadata.uid, labels: { team: 'payments' } });
  });
});

test('a copy is not deleted for one that its cluster would refuse', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const [from, to]: readonly [Content, Content] = [
    { kind: 'Secret', type: 'example.org/allowed', data: { value: text('old') } },
    { kind: 'Secret', type: 'example.org/forbidden', data: { value: text('new') } },
  ];
  const before = await here.startController();
  await create(source, sourceWith('guarded', from));
  const copy = await copyWith(target, 'guarded', from);
  await before.kill();
  // While nobody looks, so that it is a change of type and not a source that went.
  await recreate(source, sourceWith('guarded', to));
  await deny(target, {
    name: 'no-forbidden-type',
    resources: ['secrets'],
    operations: ['CREATE'],
    expression: 'object.type != "example.org/forbidden"',
    refused: { kind: 'Secret', type: 'example.org/forbidden' },
  });

  const controller = await here.startController();
  const event = await eventAbout(source, 'demo', 'guarded', 'TargetRefused');
  expect(event).toMatchObject({ type: 'Warning' });
  expect(event.message).toContain('Secret demo/guarded');
  await processed(here, controller, marker);
  expect(await find(target, 'secrets', 'demo', 'guarded')).toEqual(copy);

  await allowAgain(target, 'no-forbidden-type');
  await copyWith(target, 'guarded', to);
  await eventAbout(source, 'demo', 'guarded', 'Recovered');
});

function sourceWith(name: string, content: Content): Manifest {
  return {
    ...content,
    metadata: { name, namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
  };
}

/** Waits until the copy has exactly this content. */
async function copyWith(target: ControlPlane, name: string, content: Content): Promise<StoredObject> {
  return await appears(target, pluralOf(content), 'demo', name, (copy) => {
    expect({
      data: copy.data,
      binaryData: copy.binaryData,
      type: copy.type,
      immutable: copy.immutable,
    }).toEqual({
      data: content.data,
      binaryData: content.binaryData,
      type: content.type,
      immutable: content.immutable,
    });
  });
}

async function stored(
  place: ControlPlane,
  name: string,
  content: Content,
): Promise<StoredObject | undefined> {
  return await find(place, pluralOf(content), 'demo', name);
}

function pluralOf({ kind }: Content): 'configmaps' | 'secrets' {
  return kind === 'ConfigMap' ? 'configmaps' : 'secrets';
}
