import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../shared/clock.ts';
import type { ListOptions } from '../../../shared/kube/client.ts';
import type { KubeObject, ListPage, PayloadObject } from '../../../shared/kube/object.ts';
import { Reflector, type ReflectorOptions } from '../../../shared/kube/reflector/reflector.ts';
import { configMaps, type Resource } from '../../../shared/kube/resource.ts';
import { silentLogger } from '../../../shared/logger.ts';
import { useSandbox } from '../../sandbox/use-sandbox.ts';
import { MirrorHandler } from '../../unit/shared/kube/reflector/mirror.ts';
import { adminClient, makeNamespace } from './admin-client.ts';

const sandbox = useSandbox({ targets: 0 });
const within = { timeout: 30_000, interval: 20 };

/** Runs a reflector on the ConfigMaps of a namespace until the test is over. */
async function mirrored(
  namespace: string,
  options: Partial<ReflectorOptions<KubeObject, KubeObject>> = {},
): Promise<{ mirror: MirrorHandler; reflector: Reflector<KubeObject, KubeObject> }> {
  const mirror = new MirrorHandler();
  const reflector = new Reflector<KubeObject, KubeObject>({
    client: await adminClient(sandbox().source),
    resource: configMaps,
    namespace,
    firstListShape: 'metadata',
    shape: 'metadata',
    clock: systemClock(),
    random: Math.random,
    logger: silentLogger,
    handler: mirror,
    ...options,
  });
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  await expect.poll(() => reflector.synced, within).toBe(true);
  return { mirror, reflector };
}

function configMap(namespace: string, name: string): PayloadObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data: { key: 'value' } };
}

test('lists in pages and follows what is created, changed and deleted', async () => {
  await makeNamespace(sandbox().source, 'pages');
  const client = await adminClient(sandbox().source);
  const names = Array.from({ length: 25 }, (_, index) => `map-${String(index).padStart(2, '0')}`);
  await Promise.all(names.map((name) => client.create(configMaps, configMap('pages', name))));
  const { mirror } = await mirrored('pages', { pageSize: 10 });
  expect(mirror.lists).toEqual([{ size: 25, first: true }]);
  expect(mirror.names()).toEqual(names);

  await client.create(configMaps, configMap('pages', 'new'));
  await client.patch(configMaps, 'pages', 'map-01', 'merge', { data: { key: 'changed' } });
  await client.delete(configMaps, 'pages', 'map-00');
  await expect.poll(() => mirror.events, within).toEqual(['ADDED new', 'MODIFIED map-01', 'DELETED map-00']);
  expect(mirror.names()).toEqual([...names.slice(1), 'new']);
});

test('delivers an empty collection as a finished list', async () => {
  await makeNamespace(sandbox().source, 'empty');
  const { mirror } = await mirrored('empty');
  expect(mirror.lists).toEqual([{ size: 0, first: true }]);
});

test('a selected watch reports the end of the selection as a deletion', async () => {
  await makeNamespace(sandbox().source, 'selected');
  const client = await adminClient(sandbox().source);
  const object = configMap('selected', 'copy');
  await client.create(configMaps, { ...object, metadata: { ...object.metadata, labels: { mine: 'yes' } } });
  await client.create(configMaps, configMap('selected', 'other'));
  const { mirror } = await mirrored('selected', { labelSelector: 'mine' });
  expect(mirror.names()).toEqual(['copy']);
  await client.patch(configMaps, 'selected', 'copy', 'merge', { metadata: { labels: { mine: null } } });
  await expect.poll(() => mirror.events, within).toEqual(['DELETED copy']);
});

test('is in sync again after the API server was killed and came back', async () => {
  await makeNamespace(sandbox().source, 'killed');
  const client = await adminClient(sandbox().source);
  await client.create(configMaps, configMap('killed', 'before'));
  const { mirror, reflector } = await mirrored('killed');
  await sandbox().source.kill();
  await expect.poll(() => mirror.failures.length, within).toBeGreaterThan(0);
  await sandbox().source.restart();
  await client.create(configMaps, configMap('killed', 'after'));
  await client.delete(configMaps, 'killed', 'before');
  reflector.wake();
  await expect.poll(() => mirror.names(), within).toEqual(['after']);
});

test('a stream that is silent behind a stopped API server is noticed, and followed again', async () => {
  await makeNamespace(sandbox().source, 'stopped');
  const client = await adminClient(sandbox().source);
  const { mirror } = await mirrored('stopped', { idleTimeoutMs: 500 });
  await sandbox().source.pause();
  await expect.poll(() => mirror.failures, within).toContain('watch Timeout');
  await sandbox().source.resume();
  await client.create(configMaps, configMap('stopped', 'after'));
  await expect.poll(() => mirror.names(), within).toEqual(['after']);
});

test('a watch that starts from a version of the future ends in a list', async () => {
  await makeNamespace(sandbox().source, 'future');
  const client = await adminClient(sandbox().source);
  const list = client.list.bind(client);
  let asked = 0;
  // As after the restore of an older backup: what was listed first is from a time that has not come yet.
  client.list = async <T extends KubeObject>(
    resource: Resource,
    options: ListOptions,
  ): Promise<ListPage<T>> => {
    const page = await list<T>(resource, options);
    asked += 1;
    return asked === 1 ? { ...page, metadata: { ...page.metadata, resourceVersion: '1000000000' } } : page;
  };
  const { mirror } = await mirrored('future', { client, idleTimeoutMs: 500 });
  await expect.poll(() => mirror.lists.length, within).toBe(2);
  await client.create(configMaps, configMap('future', 'seen'));
  await expect.poll(() => mirror.names(), within).toEqual(['seen']);
});
