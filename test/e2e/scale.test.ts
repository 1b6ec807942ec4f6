import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { create, remove, removeAnnotation } from '../harness/kubectl.ts';
import {
  appears,
  disappears,
  type Plural,
  type StoredObject,
  syncContexts,
  useStage,
} from '../harness/stage.ts';
import type { ControlPlane } from '../sandbox/control-plane/control-plane.ts';

const stage = useStage({ targets: 2 });
const origin = 'kubed.appscode.com/origin';
/** The longest name of a namespace. */
const longNamespace = 'n'.repeat(63);

beforeAll(async () => {
  const here = stage();
  await here.setContexts([
    { name: 'context-1', cluster: here.target(1) },
    { name: 'context-2', cluster: here.target(2) },
  ]);
  await here.createNamespace('demo');
  await here.createNamespace('many');
  await here.createNamespace(longNamespace);
});

const kinds = [
  { kind: 'ConfigMap', short: 'configmap', plural: 'configmaps' },
  { kind: 'Secret', short: 'secret', plural: 'secrets' },
] as const;

for (const { kind, short, plural } of kinds) {
  test(`${kind}s whose names of 253 characters differ in the last one are copied, kept apart and deleted`, async () => {
    const here = stage();
    const { source } = here;
    const targets = [here.target(1), here.target(2)];
    const names = ['x', 'y'].map((end) => `${'a'.repeat(252)}${end}`);
    const [first = '', second = ''] = names;
    const controller = await here.startController();
    for (const name of names) {
      await create(source, {
        kind,
        metadata: {
          name,
          namespace: longNamespace,
          annotations: { [syncContexts]: 'context-1,context-2' },
        },
        data: { name: base64(name) },
      });
    }

    for (const target of targets) {
      const copies = await Promise.all(
        names.map((name) =>
          appears(target, plural, longNamespace, name, ({ data }) => {
            expect(data).toEqual({ name: base64(name) });
          }),
        ),
      );
      const labels = copies.map(({ metadata }) => metadata.labels?.[`${origin}.name`] ?? '');
      expect(new Set(labels).size).toBe(2);
      expect(labels.every((label) => label.length > 0 && label.length <= 63)).toBe(true);
    }

    await removeAnnotation(source, longNamespace, `${short}/${first}`);
    for (const target of targets) {
      await disappears(target, plural, longNamespace, first);
      await appears(target, plural, longNamespace, second);
    }
    // Also after a restart, when all that is known of the copy is what it says itself.
    await controller.kill();
    await remove(source, longNamespace, `${short}/${second}`);
    await here.startController();
    for (const target of targets) {
      await disappears(target, plural, longNamespace, second);
    }
  });
}

test('900 kB of binary data arrive whole, at first and after a change', async () => {
  const here = stage();
  const { source } = here;
  await here.startController();
  const annotations = { [syncContexts]: 'context-1,context-2' };
  const bytes = randomBytes(900_000).toString('base64');
  await create(source, {
    kind: 'ConfigMap',
    metadata: { name: 'large', namespace: 'demo', annotations },
    binaryData: { bytes },
  });
  await create(source, {
    kind: 'Secret',
    metadata: { name: 'large', namespace: 'demo', annotations },
    data: { bytes },
  });
  for (const target of [here.target(1), here.target(2)]) {
    expect((await appears(target, 'configmaps', 'demo', 'large')).binaryData?.['bytes'] === bytes).toBe(true);
    expect((await appears(target, 'secrets', 'demo', 'large')).data?.['bytes'] === bytes).toBe(true);
  }

  const changed = randomBytes(900_000).toString('base64');
  for (const [plural, patch] of [
    ['configmaps', { binaryData: { bytes: changed } }],
    ['secrets', { data: { bytes: changed } }],
  ] as const) {
    await source.request('PATCH', `/api/v1/namespaces/demo/${plural}/large`, patch, {
      contentType: 'application/merge-patch+json',
    });
  }
  for (const target of [here.target(1), here.target(2)]) {
    await appears(target, 'configmaps', 'demo', 'large', ({ binaryData }) => {
      expect(binaryData?.['bytes'] === changed).toBe(true);
    });
    await appears(target, 'secrets', 'demo', 'large', ({ data }) => {
      expect(data?.['bytes'] === changed).toBe(true);
    });
  }
});

test('500 sources at once are copied to every cluster, changed and taken away again', async () => {
  const here = stage();
  const { source } = here;
  const targets = [here.target(1), here.target(2)];
  const controller = await here.startController();
  const perKind = 250;
  const collections = kinds.map(({ plural }) => `/api/v1/namespaces/many/${plural}`);
  const wanted = new Map(Array.from({ length: perKind }, (_, n) => [`source-${n}`, base64(`value ${n}`)]));
  await Promise.all(
    collections.flatMap((collection) =>
      [...wanted].map(([name, value]) =>
        source.request('POST', collection, {
          metadata: { name, annotations: { [syncContexts]: 'context-1,context-2' } },
          data: { value },
        }),
      ),
    ),
  );
  const areThere = async (expected: ReadonlyMap<string, string>): Promise<void> => {
    for (const target of targets) {
      for (const { plural } of kinds) {
        await eventually(`${plural} of ${target.name} are in sync`, async () => {
          expect(await values(target, 'many', plural)).toEqual(expected);
        });
      }
    }
  };
  await areThere(wanted);

  const changed = new Map(
    [...wanted].map(([name, value], n) => [name, n % 2 === 0 ? base64(`new ${n}`) : value]),
  );
  await Promise.all(
    collections.flatMap((collection) =>
      [...changed].map(([name, value]) =>
        source.request(
          'PATCH',
          `${collection}/${name}`,
          { data: { value } },
          {
            contentType: 'application/merge-patch+json',
          },
        ),
      ),
    ),
  );
  await areThere(changed);

  await Promise.all(collections.map((collection) => source.request('DELETE', collection)));
  await areThere(new Map());
  expect(controller.running).toBe(true);
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** The value of every copy in a namespace, by name. */
async function values(
  place: ControlPlane,
  namespace: string,
  plural: Plural,
): Promise<ReadonlyMap<string, string>> {
  const { body } = await place.request<{ items: readonly StoredObject[] }>(
    'GET',
    `/api/v1/namespaces/${namespace}/${plural}?labelSelector=${origin}.cluster`,
  );
  return new Map(body.items.map(({ metadata, data }) => [metadata.name, data?.['value'] ?? '']));
}
