import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { World } from '../bench/world.ts';
import { eventually } from '../harness/eventually.ts';
import { metric } from '../harness/metrics.ts';
import type { Program } from '../harness/program.ts';
import type { StoredObject } from '../harness/stage.ts';
import { virtualUid } from '../sandbox/network/virtual-cluster.ts';

const clusters = 12;
const shards = 6;
/** So slow that only a small part of the work on 2,000 sources is done when all replicas have their shares. */
const slow = { roundTripMs: 1_500 };
const quick = { roundTripMs: 0 };
/** Until a Lease whose holder went without a word is taken over, and the rest of the work is done. */
const patienceMs = 60_000;

let world: World;
const replicas: Program[] = [];

beforeAll(async () => {
  world = await World.start({ clusters, payloadBytes: 100 });
});

afterEach(async () => {
  await Promise.all(replicas.splice(0).map((replica) => replica.kill()));
  await world.proxy.set(world.clusterNames, quick);
  await world.deleteSources(world.jobs(2_000, 2));
  await world.wipeCopies();
  await deleteOwnObjects();
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

test('of three replicas one is killed amid the first copies of 2,000 sources, and one joins: all is in sync, shards are even', async () => {
  const jobs = world.jobs(2_000, 2);
  await world.createSources(jobs);
  world.expectInSync(jobs);
  await world.proxy.set(world.clusterNames, slow);
  const [killed] = [await launch(), await launch(), await launch()];
  await shareOut([2, 2, 2]);
  expect(world.copies.times.length).toBeLessThan(3_000);
  await killed.kill();
  await world.proxy.set(world.clusterNames, quick);
  await launch();

  await world.copies.reached(performance.now() + patienceMs, 'copies after a replica was killed');
  await shareOut([2, 2, 2]);
  await eachCopyIsWrittenOnce();
});

test('of three replicas one is suspended amid the first copies of 2,000 sources: the others do its work, and what it writes late does not last', async () => {
  const jobs = world.jobs(2_000, 2);
  const [changed, deleted] = [jobs.slice(0, 500), jobs.slice(1_500)];
  await world.createSources(jobs);
  world.expectInSync(jobs);
  await world.proxy.set(world.clusterNames, slow);
  const [suspended, ...others] = [await launch(), await launch(), await launch()];
  await shareOut([2, 2, 2]);
  expect(world.copies.times.length).toBeLessThan(3_000);
  process.kill(suspended.pid, 'SIGSTOP');
  await world.proxy.set(world.clusterNames, quick);
  // What it knows is wrong from now on.
  await world.updateSources(changed);
  for (const job of deleted) {
    await world.deleteSource(job);
  }
  const left = jobs.slice(0, 1_500);
  world.expectInSync(left);
  await world.copies.reached(performance.now() + patienceMs, 'copies while a replica is suspended');
  await shareOut([3, 3], others);

  process.kill(suspended.pid, 'SIGCONT');
  await shareOut([2, 2, 2]);
  await eachCopyIsWrittenOnce();
  world.expectInSync(left);
  await world.copies.reached(performance.now() + patienceMs, 'copies after the replica went on');
});

test('a trip of the mass-deletion guard goes with its cluster to another replica, and ends there when it is released', async () => {
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
  await launch();
  await world.copies.reached(performance.now() + patienceMs, 'copies');
  await replicas.pop()?.kill();
  // Deleted while nobody looked: no event explains it.
  await world.deleteSources(jobs);
  await patchCatalog({ data: { 'state.json': JSON.stringify({ trips, namespaces: {} }) } });

  const [one, other] = [await launch(), await launch()];
  await shareOut([3, 3]);
  await onlyThoseOf([first, second]);
  await one.kill();
  await shareOut([6], [other]);
  await onlyThoseOf([first, second]);
  const copies = world.copies.existing().length;
  await eventually('their deletion is held back', async () => {
    expect(await metric(other, 'context_syncer_deletions_held')).toBe(copies);
  });

  await patchCatalog({ metadata: { annotations: { 'kubed.appscode.com/release-deletions': 'trip-0' } } });
  await onlyThoseOf([second]);
  await eventually('the released trip alone is gone', async () => {
    const { data } = await catalog();
    expect(data?.['state.json']).not.toContain('trip-0');
    expect(data?.['state.json']).toContain('trip-1');
  });
});

test('replicas with another number of shards wait until the old ones are gone, and one catalog is published throughout', async () => {
  const jobs = world.jobs(24, 2);
  await world.createSources(jobs);
  world.expectInSync(jobs);
  const old = await launch(1);
  await world.copies.reached(performance.now() + patienceMs, 'copies of one leader');
  const [next, another] = [await launch(), await launch()];
  await eventually('they wait', () => {
    for (const { log } of [next, another]) {
      expect(log.some(({ msg }) => msg.startsWith('another number of shards is in use'))).toBe(true);
    }
  });
  const before = await catalog();
  expect(await old.stop()).toEqual({ code: 0, signal: null });
  await shareOut([3, 3], [next, another]);
  await eachCopyIsWrittenOnce();
  expect((await catalog()).data).toEqual(before.data);
});

async function launch(count = shards): Promise<Program> {
  const replica = await world.startProgram({}, { shards: String(count) });
  replicas.push(replica);
  return replica;
}

/** Waits until the replicas that run hold as many shards as these, in any order. */
async function shareOut(sizes: readonly number[], among: readonly Program[] = replicas): Promise<void> {
  const running = among.filter((replica) => replica.running);
  await eventually(
    `shards are shared out ${sizes.join(', ')}`,
    async () => {
      const held = await Promise.all(
        running.map((replica) => metric(replica, 'leader_election_master_status')),
      );
      expect(held.toSorted((a, b) => a - b)).toEqual(sizes);
    },
    patienceMs,
  );
}

/** Changes sources, and sees that the replicas write each copy once: nothing besides is written at rest. */
async function eachCopyIsWrittenOnce(): Promise<void> {
  const jobs = world.jobs(24, 2);
  const before = await world.tally();
  await world.updateSources(jobs);
  world.expectInSync(jobs);
  await eventually('all copies of the changed sources are written', async () => {
    expect((await world.tally()).since(before).copyWrites()).toBe(48);
  });
}

async function onlyThoseOf(names: readonly string[]): Promise<void> {
  await eventually(`only the copies of ${names.join(' and ')} are left`, () => {
    const left = world.copies.existing().map(({ target }) => world.clusterNames[target]);
    expect(new Set(left)).toEqual(new Set(names));
  });
}

const catalogPath = '/api/v1/namespaces/context-syncer/configmaps/context-syncer-catalog';

async function catalog(): Promise<StoredObject> {
  const { body } = await world.sandbox.source.request<StoredObject>('GET', catalogPath);
  return body;
}

async function patchCatalog(patch: object): Promise<void> {
  await world.sandbox.source.request('PATCH', catalogPath, patch, {
    contentType: 'application/merge-patch+json',
  });
}

/** Leases and catalog: the next test begins like the first. */
async function deleteOwnObjects(): Promise<void> {
  const { source } = world.sandbox;
  await source.request('DELETE', '/apis/coordination.k8s.io/v1/namespaces/context-syncer/leases');
  await source.request('DELETE', '/api/v1/namespaces/context-syncer/configmaps');
}
