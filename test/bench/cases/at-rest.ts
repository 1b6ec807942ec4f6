import { setTimeout as sleep } from 'node:timers/promises';
import type { Program } from '../../harness/program.ts';
import type { BenchCase, CaseRun } from '../bench-case.ts';
import { consumed, runPhase, settleMs } from '../phase.ts';
import { usageOf } from '../process-usage.ts';
import type { Job } from '../reference/task.ts';
import { retainedBytes } from '../retained-heap.ts';
import { benchNamespace } from '../targets.ts';
import { World } from '../world.ts';

/** What a controller costs that has little to do. */
export const atRest: readonly BenchCase[] = [
  {
    name: 'idle',
    summary: '300 clusters in sync, nothing changes for 2 minutes',
    minutes: 15,
    quick: true,
    run: idle,
  },
  {
    name: 'leave',
    summary: 'one source leaves 100 clusters: its annotation is removed',
    minutes: 5,
    quick: true,
    run: leave,
  },
  {
    name: 'memory',
    summary: 'retained heap with 2,000 sources in 2 and in 10 of 10 clusters',
    minutes: 15,
    quick: false,
    run: memory,
  },
];

/** Starts the program and waits until all copies are in sync. */
export async function startInSync(
  world: World,
  run: CaseRun,
  jobs: readonly Job[],
  env?: Readonly<Record<string, string>>,
): Promise<Program> {
  world.expectInSync(jobs);
  const program = await world.startProgram(env);
  const begin = (): Promise<Program> => Promise.resolve(program);
  await runPhase({ world, run, jobs, name: 'initial', side: 'product', begin });
  await sleep(settleMs);
  return program;
}

async function idle(run: CaseRun): Promise<void> {
  const clusters = run.quick ? 20 : 300;
  const seconds = run.quick ? 10 : 120;
  await using world = await World.start({ clusters });
  const jobs = world.jobs(run.quick ? 200 : 2000, 4);
  await world.createSources(jobs);
  const program = await startInSync(world, run, jobs);
  const [before, usedBefore] = [await world.tally(), await usageOf(program.pid)];
  await sleep(seconds * 1000);
  const [tally, used] = [(await world.tally()).since(before), await usageOf(program.pid)];
  consumed(run, 'product', 'idle', tally, used, usedBefore);
  run.record.count('writes of copies at rest', 0, tally.copyWrites());
  run.record.count('reads of sources at rest', 0, tally.sourceReads(benchNamespace));
  const share = (100 * (used.cpuSeconds - usedBefore.cpuSeconds)) / seconds;
  const rate = tally.targetRequests() / clusters / (seconds / 60);
  run.record.measured({ what: 'CPU', unit: '% of a core', bar: '<= 2 %' }, 'product', share);
  const what = 'requests a cluster and minute, without watches';
  run.record.measured({ what, unit: '', bar: '<= 1' }, 'product', rate);
}

async function leave(run: CaseRun): Promise<void> {
  const clusters = run.quick ? 20 : 100;
  await using world = await World.start({ clusters });
  const jobs = world.jobs(1, clusters);
  await world.createSources(jobs);
  await startInSync(world, run, jobs);
  for (const job of jobs) {
    const before = await world.tally();
    await world.releaseSource(job);
    world.expectInSync(jobs);
    await world.copies.reached(run.deadline, 'removal');
    await sleep(settleMs);
    const tally = (await world.tally()).since(before);
    run.record.count('writes of copies of a source that leaves', clusters, tally.copyWrites('delete'));
    run.record.count('reads of a source that leaves', 1, tally.sourceReads(benchNamespace));
  }
}

/** The difference of two sizes leaves out what the program needs for itself, its sources and its connections. */
async function memory(run: CaseRun): Promise<void> {
  const clusters = 10;
  const few = 2;
  const sources = run.quick ? 200 : 2000;
  await using world = await World.start({ clusters });
  const heap = async (perSource: number): Promise<number> => {
    const jobs = world.jobs(sources, perSource);
    await world.createSources(jobs);
    const program = await startInSync(world, run, jobs, { NODE_OPTIONS: '--inspect=127.0.0.1:0' });
    const bytes = await retainedBytes(program);
    await program.stop();
    await world.deleteSources(jobs);
    await world.wipeCopies();
    return bytes;
  };
  for (let round = 0; round < run.rounds; round++) {
    const [small, large] = [await heap(few), await heap(clusters)];
    const bytes = (large - small) / (sources * (clusters - few));
    run.record.measured({ what: 'heap for each copy in sync', unit: 'B', bar: '<= 400 B' }, 'product', bytes);
    run.say(`${bytes.toFixed(0)} B for each copy`);
  }
}
