import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { annotate, apply, remove, removeAnnotation, setData } from '../harness/kubectl.ts';
import { metric } from '../harness/metrics.ts';
import { processed } from '../harness/processed.ts';
import type { Program } from '../harness/program.ts';
import { appears, disappears, find, type Plural, syncContexts, useStage } from '../harness/stage.ts';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';

const stage = useStage({ targets: 2 });

beforeAll(async () => {
  const here = stage();
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2) },
  ]);
  await here.createNamespace('meanwhile');
  await here.createNamespace('standing');
  // Where the key of the stamps is kept, by which a restart tells what nobody touched.
  await here.createNamespace('context-syncer', [here.source]);
});

test('a start beside copies that are in sync writes none of them and reads no payload of their sources', async () => {
  const here = stage();
  const { source } = here;
  const count = 40;
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      source.request('POST', '/api/v1/namespaces/standing/secrets', {
        metadata: { name: `level-${index}`, annotations: { [syncContexts]: 'context-1,context-2' } },
        data: { value: base64(`${index}`) },
      }),
    ),
  );
  const first = await here.startController();
  const copies = async (): Promise<unknown> =>
    await Promise.all([here.target(1), here.target(2)].map((target) => versions(target, 'standing')));
  await eventually('all copies are made', async () => {
    expect(await copies()).toEqual([
      expect.objectContaining({ length: count }),
      expect.objectContaining({ length: count }),
    ]);
  });
  await processed(here, first, { context: 'context-1', target: 1, namespace: 'standing' });
  const before = await copies();
  await first.kill();
  const readsBefore = await secretsRead(source);

  const second = await here.startController();
  await lookedAt(second, count * 2);
  // The one is the Secret with the key of the stamps.
  expect((await secretsRead(source)) - readsBefore).toBe(1);
  await processed(here, second, { context: 'context-1', target: 1, namespace: 'standing' });
  expect(await copies()).toEqual(before);
});

test('what happened on the source cluster while the controller was down is in sync after its next start', async () => {
  const here = stage();
  const { source } = here;
  const targets = [here.target(1), here.target(2)];
  const first = await here.startController();
  const names = ['unchanged', 'changed', 'deleted', 'de-annotated', 'delisted', 'made-anew'];
  for (const kind of ['ConfigMap', 'Secret'] as const) {
    for (const name of names) {
      await apply(source, {
        kind,
        metadata: { name, namespace: 'meanwhile', annotations: { [syncContexts]: 'context-1,context-2' } },
        data: { value: base64('before') },
      });
    }
  }
  const unchanged = await all(targets, 'meanwhile', 'unchanged');
  for (const name of names) {
    await all(targets, 'meanwhile', name);
  }
  const madeAnew = await all(targets, 'meanwhile', 'made-anew');
  await first.kill();

  for (const kind of ['configmap', 'secret'] as const) {
    await setData(source, 'meanwhile', `${kind}/changed`, { value: base64('after') });
    await remove(source, 'meanwhile', `${kind}/deleted`);
    await removeAnnotation(source, 'meanwhile', `${kind}/de-annotated`);
    await annotate(source, 'meanwhile', `${kind}/delisted`, 'context-2');
    await remove(source, 'meanwhile', `${kind}/made-anew`);
  }
  for (const kind of ['ConfigMap', 'Secret'] as const) {
    for (const name of ['made-anew', 'new']) {
      await apply(source, {
        kind,
        metadata: { name, namespace: 'meanwhile', annotations: { [syncContexts]: 'context-1,context-2' } },
        data: { value: base64('after') },
      });
    }
  }
  const second = await here.startController();

  for (const plural of ['configmaps', 'secrets'] as const) {
    for (const target of targets) {
      for (const name of ['changed', 'made-anew', 'new']) {
        await appears(target, plural, 'meanwhile', name, ({ data }) => {
          expect(data).toEqual({ value: base64('after') });
        });
      }
      await disappears(target, plural, 'meanwhile', 'deleted');
      await disappears(target, plural, 'meanwhile', 'de-annotated');
    }
    await disappears(here.target(1), plural, 'meanwhile', 'delisted');
    expect(await find(here.target(2), plural, 'meanwhile', 'delisted')).toMatchObject({
      data: { value: base64('before') },
    });
    expect(await find(source, plural, 'meanwhile', 'de-annotated')).toBeDefined();
  }
  await processed(here, second, { context: 'context-1', target: 1, namespace: 'meanwhile' });
  expect(await all(targets, 'meanwhile', 'unchanged')).toEqual(unchanged);
  // A source that was made anew under its old name keeps its copy: it is updated, not replaced.
  expect((await all(targets, 'meanwhile', 'made-anew')).map(uid)).toEqual(madeAnew.map(uid));
});

test('what happened to copies while the controller was down is corrected after its next start', async () => {
  const here = stage();
  const [{ source }, target] = [here, here.target(1)];
  const first = await here.startController();
  for (const name of ['edited', 'lost', 'stripped']) {
    await apply(source, {
      kind: 'ConfigMap',
      metadata: { name, namespace: 'meanwhile', annotations: { [syncContexts]: 'context-1' } },
      data: { value: 'right' },
    });
    await appears(target, 'configmaps', 'meanwhile', name);
  }
  const stripped = await find(target, 'configmaps', 'meanwhile', 'stripped');
  await first.kill();

  await setData(target, 'meanwhile', 'configmap/edited', { value: 'wrong' });
  await remove(target, 'meanwhile', 'configmap/lost');
  await target.kubectl(['label', 'configmap', 'stripped', '-n', 'meanwhile', `${originCluster}-`]);
  await setData(target, 'meanwhile', 'configmap/stripped', { value: 'wrong' });
  await here.startController();

  for (const name of ['edited', 'lost', 'stripped']) {
    await appears(target, 'configmaps', 'meanwhile', name, ({ data, metadata }) => {
      expect(data).toEqual({ value: 'right' });
      expect(metadata.labels).toHaveProperty([originCluster], 'hub');
    });
  }
  expect((await find(target, 'configmaps', 'meanwhile', 'stripped'))?.metadata.uid).toBe(
    stripped?.metadata.uid,
  );
});

const originCluster = 'kubed.appscode.com/origin.cluster';

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function uid({ metadata }: { readonly metadata: { readonly uid: string } }): string {
  return metadata.uid;
}

/** The ConfigMap and the Secret of this name on every target, once they are there. */
async function all(targets: readonly ControlPlane[], namespace: string, name: string) {
  const kinds: readonly Plural[] = ['configmaps', 'secrets'];
  return await Promise.all(
    targets.flatMap((target) => kinds.map((plural) => appears(target, plural, namespace, name))),
  );
}

/** Name, uid and version of every copy in a namespace: what no write leaves as it was. */
async function versions(target: ControlPlane, namespace: string): Promise<readonly string[]> {
  const { body } = await target.request<{
    items: readonly { metadata: { name: string; uid: string; resourceVersion: string } }[];
  }>('GET', `/api/v1/namespaces/${namespace}/secrets?labelSelector=${originCluster}`);
  return body.items.map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`);
}

/** Waits until the controller has found this many copies to be as they should be, and has nothing left to look at. */
async function lookedAt(program: Program, copies: number): Promise<void> {
  await eventually('every copy was looked at', async () => {
    expect(
      await metric(program, 'controller_runtime_reconcile_total', { result: 'left' }),
    ).toBeGreaterThanOrEqual(copies);
    expect(await metric(program, 'workqueue_depth')).toBe(0);
    expect(await metric(program, 'controller_runtime_active_workers')).toBe(0);
  });
}

/** How many single Secrets the API server has handed out since its start. It reads none itself. */
async function secretsRead(place: ControlPlane): Promise<number> {
  const { body } = await place.request<string>('GET', '/metrics');
  return body
    .split('\n')
    .filter((line) => line.startsWith('apiserver_request_total{'))
    .filter((line) =>
      ['code="200"', 'resource="secrets"', 'verb="GET"'].every((label) => line.includes(label)),
    )
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
