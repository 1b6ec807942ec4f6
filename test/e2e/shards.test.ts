import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eachCopyIsWrittenOnce, patienceMs, Replicas, timeoutMs } from '../harness/replicas.ts';

/** So slow that only a small part of the work on 2,000 sources is done when all replicas have their shares. */
const slow = { roundTripMs: 1_500 };
const quick = { roundTripMs: 0 };

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

test('of three replicas one is killed amid the first copies of 2,000 sources, and one joins: all is in sync, shards are even', {
  timeout: timeoutMs,
}, async () => {
  const jobs = world.jobs(2_000, 2);
  await world.createSources(jobs);
  world.expectInSync(jobs);
  await world.proxy.set(world.clusterNames, slow);
  const [killed] = [await replicas.launch(), await replicas.launch(), await replicas.launch()];
  await replicas.shareOut([2, 2, 2]);
  expect(world.copies.times.length).toBeLessThan(3_000);
  await killed.kill();
  await world.proxy.set(world.clusterNames, quick);
  await replicas.launch();

  await world.copies.reached(performance.now() + patienceMs, 'copies after a replica was killed');
  await replicas.shareOut([2, 2, 2]);
  await eachCopyIsWrittenOnce(world);
});

test('of three replicas one is suspended amid the first copies of 2,000 sources: the others do its work, and what it writes late does not last', {
  timeout: timeoutMs,
}, async () => {
  const jobs = world.jobs(2_000, 2);
  const [changed, deleted] = [jobs.slice(0, 500), jobs.slice(1_500)];
  await world.createSources(jobs);
  world.expectInSync(jobs);
  await world.proxy.set(world.clusterNames, slow);
  const [suspended, ...others] = [await replicas.launch(), await replicas.launch(), await replicas.launch()];
  await replicas.shareOut([2, 2, 2]);
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
  await replicas.shareOut([3, 3], others);

  process.kill(suspended.pid, 'SIGCONT');
  await replicas.shareOut([2, 2, 2]);
  await eachCopyIsWrittenOnce(world);
  world.expectInSync(left);
  await world.copies.reached(performance.now() + patienceMs, 'copies after the replica went on');
});
