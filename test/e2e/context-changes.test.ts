import { writeFile } from 'node:fs/promises';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { annotate, apply, remove, removeAnnotation, setData } from '../harness/kubectl.ts';
import { metric } from '../harness/metrics.ts';
import { processed } from '../harness/processed.ts';
import type { Program } from '../harness/program.ts';
import { appears, disappears, eventAbout, find, syncContexts, useStage } from '../harness/stage.ts';
import type { ContextSpec } from '../sandbox/sandbox.ts';

const stage = useStage({ targets: 3 });

/** The third target is for the markers of `processed`: its context is never touched. */
const marker = { context: 'marker', target: 3, namespace: 'demo' } as const;

beforeAll(async () => {
  await stage().createNamespace('demo');
  await stage().createNamespace('other');
});

beforeEach(async () => {
  await use([
    { name: 'context-1', cluster: stage().target(1) },
    { name: 'context-2', cluster: stage().target(2) },
  ]);
});

test('a context that is added while the controller runs is served as soon as it is there', async () => {
  const here = stage();
  const { source } = here;
  await use([{ name: 'context-1', cluster: here.target(1) }]);
  await here.startController();
  await apply(source, configMap('added', 'context-1,context-2'));

  const first = await appears(here.target(1), 'configmaps', 'demo', 'added');
  const event = await eventAbout(source, 'demo', 'added', 'InvalidSyncContexts');
  expect(event.message).toContain('"context-2"');
  expect(await find(here.target(2), 'configmaps', 'demo', 'added')).toBeUndefined();

  await use([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2) },
  ]);
  await appears(here.target(2), 'configmaps', 'demo', 'added');
  await eventAbout(source, 'demo', 'added', 'Recovered');
  expect(await find(here.target(1), 'configmaps', 'demo', 'added')).toEqual(first);
});

test('a context that is removed loses no copy, and the others go on', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController();
  for (const name of ['orphaned', 'orphaned-and-removed']) {
    await apply(source, configMap(name, 'context-1,context-2'));
    await appears(here.target(1), 'configmaps', 'demo', name);
    await appears(here.target(2), 'configmaps', 'demo', name);
  }
  const standing = await find(here.target(2), 'configmaps', 'demo', 'orphaned');

  await use([{ name: 'context-1', cluster: here.target(1) }]);
  const event = await eventAbout(source, 'demo', 'orphaned', 'InvalidSyncContexts');
  expect(event.message).toContain('"context-2"');
  await setData(source, 'demo', 'configmap/orphaned', { value: 'after' });
  await appears(here.target(1), 'configmaps', 'demo', 'orphaned', ({ data }) => {
    expect(data).toEqual({ value: 'after' });
  });
  await removeAnnotation(source, 'demo', 'configmap/orphaned-and-removed');
  await disappears(here.target(1), 'configmaps', 'demo', 'orphaned-and-removed');
  await processed(here, controller, marker);
  expect(await find(here.target(2), 'configmaps', 'demo', 'orphaned')).toEqual(standing);

  // What it missed is made good when it comes back.
  await use([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2) },
  ]);
  await appears(here.target(2), 'configmaps', 'demo', 'orphaned', (copy) => {
    expect(copy).toMatchObject({ data: { value: 'after' }, metadata: { uid: standing?.metadata.uid } });
  });
  await disappears(here.target(2), 'configmaps', 'demo', 'orphaned-and-removed');
});

const renamings = [
  { first: 'the kubeconfig', name: 'renamed-kubeconfig-first' },
  { first: 'the annotation', name: 'renamed-annotation-first' },
] as const;

for (const { first, name } of renamings) {
  test(`a context that is renamed, ${first} first, keeps its copies: none is deleted or made again`, async () => {
    const here = stage();
    const { source } = here;
    const controller = await here.startController();
    for (const kind of ['ConfigMap', 'Secret'] as const) {
      await apply(source, { ...configMap(name, 'context-1,context-2'), kind, data: { value: 'YQ==' } });
    }
    const before = [
      await appears(here.target(1), 'configmaps', 'demo', name),
      await appears(here.target(1), 'secrets', 'demo', name),
    ];
    const rename = async (): Promise<void> => {
      await use([
        { name: 'cluster-one', cluster: here.target(1) },
        { name: 'context-2', cluster: here.target(2) },
      ]);
      await eventually('the new name is in use', async () => {
        expect(await metric(controller, 'context_syncer_context_up', { context: 'cluster-one' })).toBe(1);
      });
    };
    const relist = async (): Promise<void> => {
      await annotate(source, 'demo', `configmap/${name}`, 'cluster-one,context-2');
      await annotate(source, 'demo', `secret/${name}`, 'cluster-one,context-2');
    };

    await (first === 'the kubeconfig' ? rename() : relist());
    await eventAbout(source, 'demo', name, 'InvalidSyncContexts');
    await processed(here, controller, marker);
    expect(await standing(name)).toEqual(before);

    await (first === 'the kubeconfig' ? relist() : rename());
    await setData(source, 'demo', `configmap/${name}`, { value: 'Yg==' });
    await setData(source, 'demo', `secret/${name}`, { value: 'Yg==' });
    for (const [index, plural] of (['configmaps', 'secrets'] as const).entries()) {
      await appears(here.target(1), plural, 'demo', name, (copy) => {
        expect(copy).toMatchObject({
          data: { value: 'Yg==' },
          metadata: { uid: before[index]?.metadata.uid },
        });
        expect(copy.metadata.annotations?.['kubed.appscode.com/origin']).toContain('"context":"cluster-one"');
      });
    }

    await removeAnnotation(source, 'demo', `configmap/${name}`);
    await disappears(here.target(1), 'configmaps', 'demo', name);
  });
}

test('a list that goes from one name of a cluster to another keeps the copy', async () => {
  const here = stage();
  const { source } = here;
  await use([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'alias', cluster: here.target(1), server: here.target(1).url.replace('127.0.0.1', 'localhost') },
  ]);
  const controller = await here.startController();
  await apply(source, configMap('aliased', 'context-1'));
  const before = await appears(here.target(1), 'configmaps', 'demo', 'aliased');

  await annotate(source, 'demo', 'configmap/aliased', 'alias');
  await appears(here.target(1), 'configmaps', 'demo', 'aliased', ({ metadata }) => {
    expect(metadata.annotations?.['kubed.appscode.com/origin']).toContain('"context":"alias"');
    expect(metadata.uid).toBe(before.metadata.uid);
  });
  await processed(here, controller, marker);
  expect((await find(here.target(1), 'configmaps', 'demo', 'aliased'))?.metadata.uid).toBe(
    before.metadata.uid,
  );
});

test('a context that is pointed at another cluster fills that one and takes nothing from the old one', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController();
  await apply(source, configMap('re-pointed', 'context-1'));
  const old = await appears(here.target(1), 'configmaps', 'demo', 're-pointed');

  await use([{ name: 'context-1', cluster: here.target(2) }]);
  await appears(here.target(2), 'configmaps', 'demo', 're-pointed');
  await setData(source, 'demo', 'configmap/re-pointed', { value: 'after' });
  await appears(here.target(2), 'configmaps', 'demo', 're-pointed', ({ data }) => {
    expect(data).toEqual({ value: 'after' });
  });
  await processed(here, controller, marker);
  expect(await find(here.target(1), 'configmaps', 'demo', 're-pointed')).toEqual(old);

  // Nor when another context still reaches the old cluster, so that its copies are in view.
  await use([
    { name: 'context-1', cluster: here.target(2) },
    { name: 'old', cluster: here.target(1) },
  ]);
  await eventually('the old cluster is in view', async () => {
    expect(await metric(controller, 'context_syncer_context_up', { context: 'old' })).toBe(1);
  });
  await processed(here, controller, { ...marker, context: 'old', target: 1 });
  expect(await find(here.target(1), 'configmaps', 'demo', 're-pointed')).toEqual(old);

  await remove(source, 'demo', 'configmap/re-pointed');
  await disappears(here.target(2), 'configmaps', 'demo', 're-pointed');
  await disappears(here.target(1), 'configmaps', 'demo', 're-pointed');
});

test('a context that gets another namespace fills that one and takes nothing from the old one', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController();
  await apply(source, configMap('moved', 'context-1'));
  const old = await appears(here.target(1), 'configmaps', 'demo', 'moved');

  await use([{ name: 'context-1', cluster: here.target(1), namespace: 'other' }]);
  await appears(here.target(1), 'configmaps', 'other', 'moved');
  await processed(here, controller, marker);
  expect(await find(here.target(1), 'configmaps', 'demo', 'moved')).toEqual(old);

  await removeAnnotation(source, 'demo', 'configmap/moved');
  await disappears(here.target(1), 'configmaps', 'other', 'moved');
  await disappears(here.target(1), 'configmaps', 'demo', 'moved');
});

test('a context that comes to mean the source cluster never touches it', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController();
  await apply(source, configMap('mirror', 'context-1'));
  const copy = await appears(here.target(1), 'configmaps', 'demo', 'mirror');
  const original = await find(source, 'configmaps', 'demo', 'mirror');

  await use([{ name: 'context-1', cluster: source, server: source.url.replace('127.0.0.1', 'localhost') }]);
  const event = await eventAbout(source, 'demo', 'mirror', 'InvalidSyncContexts');
  expect(event.message).toContain('"context-1"');
  await processed(here, controller, marker);
  expect(await find(source, 'configmaps', 'demo', 'mirror')).toEqual(original);
  expect(await find(here.target(1), 'configmaps', 'demo', 'mirror')).toEqual(copy);
});

test('a kubeconfig that is half written leaves the last good one in use until it is whole again', async () => {
  const here = stage();
  const { source } = here;
  const controller = await here.startController();
  await apply(source, configMap('steady', 'context-1'));
  await appears(here.target(1), 'configmaps', 'demo', 'steady');

  const whole = here.sandbox.contextsKubeconfig([{ name: 'context-1', cluster: here.target(1) }]);
  await writeFile(here.contextsFile, whole.slice(0, whole.length / 2));
  await refused(controller);
  await setData(source, 'demo', 'configmap/steady', { value: 'after' });
  await appears(here.target(1), 'configmaps', 'demo', 'steady', ({ data }) => {
    expect(data).toEqual({ value: 'after' });
  });

  await use([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-3', cluster: here.target(2) },
  ]);
  await annotate(source, 'demo', 'configmap/steady', 'context-1,context-3');
  await appears(here.target(2), 'configmaps', 'demo', 'steady');
});

/** Writes these contexts and the marker's. */
async function use(contexts: readonly ContextSpec[]): Promise<void> {
  await stage().setContexts([...contexts, { name: marker.context, cluster: stage().target(marker.target) }]);
}

async function standing(name: string) {
  const target = stage().target(1);
  return [await find(target, 'configmaps', 'demo', name), await find(target, 'secrets', 'demo', name)];
}

async function refused(controller: Program): Promise<void> {
  await eventually('the kubeconfig is refused', async () => {
    expect(
      await metric(controller, 'context_syncer_kubeconfig_reloads_total', { result: 'refused' }),
    ).toBeGreaterThan(0);
  });
}

function configMap(name: string, list: string) {
  return {
    kind: 'ConfigMap',
    metadata: { name, namespace: 'demo', annotations: { [syncContexts]: list } },
    data: { value: 'before' },
  } as const;
}
