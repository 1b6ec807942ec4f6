import { beforeAll, expect, test } from 'vitest';
import { apply, remove, setData } from '../harness/kubectl.ts';
import { processed } from '../harness/processed.ts';
import { appears, eventAbout, find, type StoredObject, syncContexts, useStage } from '../harness/stage.ts';

const stage = useStage({ targets: 1 });
const origin = 'kubed.appscode.com/origin';
const originLabels = [`${origin}.name`, `${origin}.namespace`, `${origin}.cluster`] as const;

beforeAll(async () => {
  const here = stage();
  await here.setContexts([{ name: 'context-1', cluster: here.target(1) }]);
  await here.createNamespace('demo');
});

const kinds = [
  { kind: 'ConfigMap', short: 'configmap', plural: 'configmaps' },
  { kind: 'Secret', short: 'secret', plural: 'secrets' },
] as const;

for (const { kind, short, plural } of kinds) {
  test(`an edited ${kind} is corrected in place`, async () => {
    const here = stage();
    const [{ source }, target] = [here, here.target(1)];
    const controller = await here.startController();
    await apply(source, {
      kind,
      metadata: { name: 'edited', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
      data: { value: base64('right') },
    });
    const copy = await appears(target, plural, 'demo', 'edited');

    await setData(target, 'demo', `${short}/edited`, { value: base64('wrong'), more: base64('added') });
    const repaired = await appears(target, plural, 'demo', 'edited', isRight);
    expect(repaired.metadata.uid).toBe(copy.metadata.uid);

    await processed(here, controller, { context: 'context-1', target: 1, namespace: 'demo' });
    expect(await find(target, plural, 'demo', 'edited')).toEqual(repaired);
  });

  test(`a deleted ${kind} is created again`, async () => {
    const here = stage();
    const [{ source }, target] = [here, here.target(1)];
    await here.startController();
    await apply(source, {
      kind,
      metadata: { name: 'deleted', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
      data: { value: base64('right') },
    });
    const copy = await appears(target, plural, 'demo', 'deleted');

    await remove(target, 'demo', `${short}/deleted`);
    await appears(target, plural, 'demo', 'deleted', (again) => {
      isRight(again);
      expect(again.metadata.uid).not.toBe(copy.metadata.uid);
    });
  });

  test(`a ${kind} whose labels were taken off while its data changed gets both back`, async () => {
    const here = stage();
    const [{ source }, target] = [here, here.target(1)];
    const controller = await here.startController();
    await apply(source, {
      kind,
      metadata: { name: 'stripped', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
      data: { value: base64('right') },
    });
    const copy = await appears(target, plural, 'demo', 'stripped');

    // In one step: after it, a watch by label says no more than that the copy is gone.
    const labels = Object.fromEntries(originLabels.map((label) => [label, null]));
    const patch = JSON.stringify({ metadata: { labels }, data: { value: base64('wrong') } });
    await target.kubectl(['patch', short, 'stripped', '-n', 'demo', '--type=merge', '-p', patch]);
    await appears(target, plural, 'demo', 'stripped', (repaired) => {
      isRight(repaired);
      expect(repaired.metadata.labels).toEqual(copy.metadata.labels);
      expect(repaired.metadata.uid).toBe(copy.metadata.uid);
    });

    await setData(target, 'demo', `${short}/stripped`, { value: base64('wrong again') });
    const level = await appears(target, plural, 'demo', 'stripped', isRight);
    await processed(here, controller, { context: 'context-1', target: 1, namespace: 'demo' });
    expect(await find(target, plural, 'demo', 'stripped')).toEqual(level);
  });
}

test('a copy that somebody made immutable is replaced by one that can change', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  await here.startController();
  await apply(source, {
    kind: 'ConfigMap',
    metadata: { name: 'frozen', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
    data: { value: 'before' },
  });
  await appears(target, 'configmaps', 'demo', 'frozen');

  await target.kubectl(['patch', 'configmap', 'frozen', '-n', 'demo', '-p', '{"immutable":true}']);
  await appears(target, 'configmaps', 'demo', 'frozen', ({ immutable }) => {
    expect(immutable).toBeUndefined();
  });
  await setData(source, 'demo', 'configmap/frozen', { value: 'after' });
  await appears(target, 'configmaps', 'demo', 'frozen', ({ data }) => {
    expect(data).toEqual({ value: 'after' });
  });
});

test('an object that lost its origin is no longer a copy: it is left as it is and reported, until it is deleted', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const controller = await here.startController();
  await apply(source, {
    kind: 'ConfigMap',
    metadata: { name: 'disowned', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
    data: { value: base64('right') },
  });
  await appears(target, 'configmaps', 'demo', 'disowned');

  await target.kubectl(['annotate', 'configmap', 'disowned', '-n', 'demo', `${origin}-`]);
  await eventAbout(source, 'demo', 'disowned', 'Unowned');
  await setData(target, 'demo', 'configmap/disowned', { value: 'mine' });
  const left = await find(target, 'configmaps', 'demo', 'disowned');
  await processed(here, controller, { context: 'context-1', target: 1, namespace: 'demo' });
  expect(await find(target, 'configmaps', 'demo', 'disowned')).toEqual(left);

  await remove(target, 'demo', 'configmap/disowned');
  await appears(target, 'configmaps', 'demo', 'disowned', isRight);
  await eventAbout(source, 'demo', 'disowned', 'Recovered');
});

test('a copy that somebody keeps changing is reported as contested, and corrected less and less often', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const controller = await here.startController();
  await apply(source, {
    kind: 'ConfigMap',
    metadata: { name: 'contested', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
    data: { value: base64('right') },
  });
  for (let repair = 1; repair <= 5; repair += 1) {
    await appears(target, 'configmaps', 'demo', 'contested', isRight);
    await setData(target, 'demo', 'configmap/contested', { value: `wrong ${repair}` });
  }
  await appears(target, 'configmaps', 'demo', 'contested', isRight);
  await setData(target, 'demo', 'configmap/contested', { value: 'still wrong' });
  await eventAbout(source, 'demo', 'contested', 'Contested');
  await processed(here, controller, { context: 'context-1', target: 1, namespace: 'demo' });
  expect((await find(target, 'configmaps', 'demo', 'contested'))?.data).toEqual({ value: 'still wrong' });

  // A change of the source is no repair: it does not wait.
  await setData(source, 'demo', 'configmap/contested', { value: 'newer' });
  await appears(target, 'configmaps', 'demo', 'contested', ({ data }) => {
    expect(data).toEqual({ value: 'newer' });
  });
});

test('a copy that somebody keeps deleting is contested, and created again less and less often', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const controller = await here.startController();
  await apply(source, {
    kind: 'ConfigMap',
    metadata: { name: 'deleted', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
    data: { value: base64('right') },
  });
  for (let repair = 0; repair <= 5; repair += 1) {
    await appears(target, 'configmaps', 'demo', 'deleted', isRight);
    await remove(target, 'demo', 'configmap/deleted');
  }
  await eventAbout(source, 'demo', 'deleted', 'Contested');
  await processed(here, controller, { context: 'context-1', target: 1, namespace: 'demo' });
  expect(await find(target, 'configmaps', 'demo', 'deleted')).toBeUndefined();
});

test('a copy that finalizers hold is reported, and created again as soon as it is gone', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const controller = await here.startController();
  const held = {
    kind: 'ConfigMap' as const,
    metadata: { name: 'held', namespace: 'demo', annotations: { [syncContexts]: 'context-1' } },
  };
  await apply(source, { ...held, data: { value: base64('old') } });
  const first = await appears(target, 'configmaps', 'demo', 'held');
  const finalizers = (names: readonly string[]): Promise<unknown> =>
    target.request(
      'PATCH',
      '/api/v1/namespaces/demo/configmaps/held',
      { metadata: { finalizers: names } },
      { contentType: 'application/merge-patch+json' },
    );
  await finalizers(['example.com/hold']);
  await remove(source, 'demo', 'configmap/held');
  await appears(target, 'configmaps', 'demo', 'held', ({ metadata }) => {
    expect(metadata).toHaveProperty('deletionTimestamp');
  });
  await apply(source, { ...held, data: { value: base64('right') } });
  await eventAbout(source, 'demo', 'held', 'CopyTerminating');
  await processed(here, controller, { context: 'context-1', target: 1, namespace: 'demo' });
  expect((await find(target, 'configmaps', 'demo', 'held'))?.metadata.uid).toBe(first.metadata.uid);

  await finalizers([]);
  await appears(target, 'configmaps', 'demo', 'held', isRight);
  await eventAbout(source, 'demo', 'held', 'Recovered');
});

function isRight({ data }: StoredObject): void {
  expect(data).toEqual({ value: base64('right') });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
