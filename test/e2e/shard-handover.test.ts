import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { metric } from '../harness/metrics.ts';
import { eachCopyIsWrittenOnce, patienceMs, Replicas, timeoutMs } from '../harness/replicas.ts';
import { trustedJson } from '../sandbox/json.ts';
import { virtualUid } from '../sandbox/network/virtual-cluster.ts';

let replicas: Replicas;
let world: Replicas['world'];

beforeAll(async () => {
  replicas = await Replicas.start();
  ({ world } = replicas);
});

afterEach(async () => {
  await replicas.clear();
}, timeoutMs);

afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
});

test('a trip of the mass-deletion guard goes with its cluster to another replica, and ends there when it is released', {
  timeout: timeoutMs,
}, async () => {
  const [first = '', second = ''] = world.clusterNames;
  const trips = [first, second].map((name, index) => ({
    name: `trip-${index}`,
    cluster: virtualUid(name, '/kube-system'),
    reason: 'TooManyDeletions',
    since: '2026-01-01T00:00:00.000Z',
  }));
  const jobs = world.jobs(24, 2);
  await world.createSources(jobs);
  world.expectInSync(jobs);
  const before = await replicas.launch();
  await world.copies.reached(performance.now() + patienceMs, 'copies');
  await before.kill();
  // Deleted while nobody looked: no event explains it.
  await world.deleteSources(jobs);
  await replicas.patchCatalog({ data: { 'state.json': JSON.stringify({ trips, namespaces: {} }) } });

  const [one, other] = [await replicas.launch(), await replicas.launch()];
  await replicas.shareOut([3, 3]);
  await onlyThoseOf([first, second]);
  await one.kill();
  await replicas.shareOut([6], [other]);
  await onlyThoseOf([first, second]);
  const copies = world.copies.existing().length;
  await eventually('their deletion is held back', async () => {
    expect(await metric(other, 'context_syncer_deletions_held')).toBe(copies);
  });

  await replicas.patchCatalog({
    metadata: { annotations: { 'kubed.appscode.com/release-deletions': 'trip-0' } },
  });
  await onlyThoseOf([second]);
  await eventually('the released trip alone is gone', async () => {
    const { data } = await replicas.catalog();
    expect(trustedJson(data?.['state.json'] ?? '{}')).toMatchObject({ trips: [{ name: 'trip-1' }] });
  });
});

test('replicas with another number of shards wait until the old ones are gone, and one catalog is published throughout', {
  timeout: timeoutMs,
}, async () => {
  const jobs = world.jobs(24, 2);
  await world.createSources(jobs);
  world.expectInSync(jobs);
  const old = await replicas.launch(1);
  await world.copies.reached(performance.now() + patienceMs, 'copies of one leader');
  const [next, another] = [await replicas.launch(), await replicas.launch()];
  await eventually('they wait', () => {
    for (const { log } of [next, another]) {
      expect(log.some(({ msg }) => msg.startsWith('another number of shards is in use'))).toBe(true);
    }
  });
  const before = await replicas.catalog();
  expect(await old.stop()).toEqual({ code: 0, signal: null });
  await replicas.shareOut([3, 3], [next, another]);
  await eachCopyIsWrittenOnce(world);
  expect((await replicas.catalog()).data).toEqual(before.data);
});

async function onlyThoseOf(names: readonly string[]): Promise<void> {
  await eventually(`only the copies of ${names.join(' and ')} are left`, () => {
    const left = world.copies.existing().map(({ target }) => world.clusterNames[target]);
    expect(new Set(left)).toEqual(new Set(names));
  });
}
