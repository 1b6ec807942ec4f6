import { beforeAll, expect, test } from 'vitest';
import {
  annotate,
  apply,
  create,
  type Manifest,
  remove,
  removeAnnotation,
  setData,
} from '../harness/kubectl.ts';
import { type MarkerWay, processed } from '../harness/processed.ts';
import { appears, disappears, eventAbout, find, syncContexts, useStage } from '../harness/stage.ts';

const stage = useStage({ targets: 1 });
const marker: MarkerWay = { context: 'context-1', target: 1, namespace: 'demo' };

beforeAll(async () => {
  const here = stage();
  await here.setContexts([{ name: 'context-1', cluster: here.target(1) }]);
  await here.createNamespace('demo');
});

const kinds = [
  ['ConfigMap', 'configmaps', 'configmap'],
  ['Secret', 'secrets', 'secret'],
] as const;

test.each(kinds)('a foreign %s survives whatever becomes of the source', async (kind, plural, prefix) => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const controller = await here.startController();
  const name = `taken-${prefix}`;
  const untouched = async (): Promise<void> => {
    await processed(here, controller, marker);
    expect(await find(target, plural, 'demo', name)).toEqual(foreign);
  };
  await create(target, { kind, metadata: { name, namespace: 'demo' }, data: { mine: 'eWVz' } });
  const foreign = await find(target, plural, 'demo', name);

  await create(source, { ...sourceNamed(name), kind });
  const event = await eventAbout(source, 'demo', name, 'Unowned');
  expect(event).toMatchObject({ type: 'Warning', involvedObject: { kind, name } });
  expect(event.message).toContain(`${kind} demo/${name}`);
  expect(event.message).toContain('"context-1"');
  await untouched();

  await setData(source, 'demo', `${prefix}/${name}`, { value: 'bmV3' });
  await untouched();

  await removeAnnotation(source, 'demo', `${prefix}/${name}`);
  await untouched();

  await annotate(source, 'demo', `${prefix}/${name}`, 'context-1');
  await untouched();

  await remove(source, 'demo', `${prefix}/${name}`);
  await untouched();
});

test('the pair heals when the foreign object goes', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  await here.startController();
  const name = 'in-the-way';
  await create(target, { kind: 'ConfigMap', metadata: { name, namespace: 'demo' }, data: { mine: 'yes' } });
  await create(source, sourceNamed(name));
  await eventAbout(source, 'demo', name, 'Unowned');

  await remove(target, 'demo', `configmap/${name}`);
  const copy = await appears(target, 'configmaps', 'demo', name);
  expect(copy.data).toEqual({ value: 'b2xk' });
  await eventAbout(source, 'demo', name, 'Recovered');
});

/** What somebody can put on an object to make it look like a copy of ConfigMap `demo/NAME`. */
const disguises: readonly (readonly [what: string, name: string, origin: string | undefined])[] = [
  ['origin labels alone', 'labels', undefined],
  ['origin labels and half an origin', 'garbled', '{"namespace":"demo"'],
  ['origin labels and the origin of another source cluster', 'other-hub', originOf('other-hub')],
];

test.each(disguises)('%s confer nothing: claimed or not, the object is left', async (_what, name, origin) => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const controller = await here.startController();
  const forge = async (object: string): Promise<void> => {
    await create(target, {
      kind: 'ConfigMap',
      metadata: {
        name: object,
        namespace: 'demo',
        labels: {
          'kubed.appscode.com/origin.name': name,
          'kubed.appscode.com/origin.namespace': 'demo',
          'kubed.appscode.com/origin.cluster': 'hub',
        },
        ...(origin === undefined ? {} : { annotations: { 'kubed.appscode.com/origin': origin } }),
      },
      data: { mine: 'yes' },
    });
  };
  await forge(name);
  await forge(`${name}-unclaimed`);
  const before = {
    claimed: await find(target, 'configmaps', 'demo', name),
    unclaimed: await find(target, 'configmaps', 'demo', `${name}-unclaimed`),
  };

  await create(source, sourceNamed(name));
  await eventAbout(source, 'demo', name, 'Unowned');
  await setData(source, 'demo', `configmap/${name}`, { value: 'bmV3' });
  await processed(here, controller, marker);
  await remove(source, 'demo', `configmap/${name}`);
  await processed(here, controller, marker);

  expect(await find(target, 'configmaps', 'demo', name)).toEqual(before.claimed);
  expect(await find(target, 'configmaps', 'demo', `${name}-unclaimed`)).toEqual(before.unclaimed);
});

test('a copy of ours that lost its labels is still ours: its annotation says so', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  await here.startController();
  await create(source, sourceNamed('stripped'));
  const copy = await appears(target, 'configmaps', 'demo', 'stripped');

  await apply(target, {
    kind: 'ConfigMap',
    metadata: { name: 'stripped', namespace: 'demo' },
    data: { value: 'wrong' },
  });
  await target.kubectl([
    'label',
    'configmap/stripped',
    '-n',
    'demo',
    ...Object.keys(copy.metadata.labels ?? {}).map((label) => `${label}-`),
  ]);

  await appears(target, 'configmaps', 'demo', 'stripped', ({ metadata, data }) => {
    expect(metadata.uid).toBe(copy.metadata.uid);
    expect(metadata.labels).toEqual(copy.metadata.labels);
    expect(data).toEqual({ value: 'b2xk' });
  });
});

test("a clone of a copy under another name is its maker's, and outlives the source", async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const controller = await here.startController();
  await create(source, sourceNamed('cloned'));
  const { metadata, data } = await appears(target, 'configmaps', 'demo', 'cloned');
  const { labels = {}, annotations = {} } = metadata;
  await create(target, {
    kind: 'ConfigMap',
    metadata: { name: 'cloned-backup', namespace: 'demo', labels, annotations },
    data: data ?? {},
  });
  const clone = await find(target, 'configmaps', 'demo', 'cloned-backup');

  await remove(source, 'demo', 'configmap/cloned');
  await disappears(target, 'configmaps', 'demo', 'cloned');
  await processed(here, controller, marker);
  expect(await find(target, 'configmaps', 'demo', 'cloned-backup')).toEqual(clone);
});

/** `value` is the same for both kinds: Secrets want base64, to ConfigMaps it is text. */
function sourceNamed(name: string): Manifest {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
    data: { value: 'b2xk' },
  };
}

/** The origin that another installation, in a hub of the same name, writes for a source of the same name. */
function originOf(name: string): string {
  return JSON.stringify({
    namespace: 'demo',
    name,
    uid: '7e2d8f1c-0000-4000-8000-000000000000',
    resourceVersion: '1',
    clusterUID: '0b5f5b6e-0000-4000-8000-000000000000',
    context: 'context-1',
  });
}

test("a clone of a copy in another namespace is its maker's, and outlives the source", async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  await here.createNamespace('cloned', [target]);
  const controller = await here.startController();
  await create(source, sourceNamed('moved-on'));
  const { metadata, data } = await appears(target, 'configmaps', 'demo', 'moved-on');
  const { name, labels, annotations } = metadata;
  await target.request('POST', '/api/v1/namespaces/cloned/configmaps', {
    metadata: { name, labels, annotations },
    data,
  });
  const clone = await find(target, 'configmaps', 'cloned', 'moved-on');

  await processed(here, controller, marker);
  await remove(source, 'demo', 'configmap/moved-on');
  await disappears(target, 'configmaps', 'demo', 'moved-on');
  await processed(here, controller, marker);
  expect(clone).toBeDefined();
  expect(await find(target, 'configmaps', 'cloned', 'moved-on')).toEqual(clone);
});
