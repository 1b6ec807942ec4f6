import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchCase, CaseRun } from '../bench-case.ts';
import { inFlight } from '../in-flight.ts';
import { liveRound } from '../live.ts';
import { consumed, referencePhase, runPhase } from '../phase.ts';
import { usageOf } from '../process-usage.ts';
import { ReferenceProcess } from '../reference/reference-process.ts';
import { benchNamespace } from '../targets.ts';
import { World } from '../world.ts';
import { startInSync } from './at-rest.ts';

const mebibyte = 'MiB';

export const large: readonly BenchCase[] = [
  {
    name: 'million',
    summary: '10,000 sources in all of 100 clusters, one round; the reference does a fiftieth',
    minutes: 60,
    quick: false,
    run: million,
  },
  {
    name: 'outage',
    summary: 'live updates with a tenth of 300 clusters down, then silent',
    minutes: 25,
    quick: false,
    run: outage,
  },
  {
    name: 'restart',
    summary: 'restart with 10,000 copies in sync, one source changed meanwhile',
    minutes: 15,
    quick: true,
    run: restart,
  },
  {
    name: 'foreign-secrets',
    summary: 'resident memory beside 0 and 50,000 foreign Secrets of 10 kB',
    minutes: 20,
    quick: false,
    run: foreignSecrets,
  },
];

async function million(run: CaseRun): Promise<void> {
  await using world = await World.start({ clusters: run.quick ? 20 : 100, payloadBytes: 100 });
  const jobs = world.jobs(run.quick ? 100 : 10_000, world.clusterNames.length);
  const part = jobs.slice(0, jobs.length / 50);
  const rate = { what: 'initial', unit: 'copies/s', bar: '>= 70 %' };
  await world.createSources(jobs);
  world.expectInSync(part);
  await referencePhase({ world, run, name: 'initial', jobs: part, rate }, 'POST');
  await world.wipeCopies();
  world.expectInSync(jobs);
  const program = await world.startProgram();
  const begin = (): Promise<typeof program> => Promise.resolve(program);
  try {
    await runPhase({ world, run, name: 'initial', side: 'product', jobs, rate, begin });
  } finally {
    const { peakRssMiB } = await usageOf(program.pid);
    run.record.measured({ what: 'peak RSS', unit: mebibyte, bar: '<= 1,024 MiB' }, 'product', peakRssMiB);
  }
}

/** The reference is the product itself while no cluster is down. */
async function outage(run: CaseRun): Promise<void> {
  await using world = await World.start({ clusters: run.quick ? 20 : 300 });
  const jobs = world.jobs(run.quick ? 100 : 300, 4);
  await world.createSources(jobs);
  const { pid } = await startInSync(world, run, jobs);
  const down = new Set(world.clusterNames.keys().filter((target) => target % 10 === 0));
  const downNames = world.clusterNames.filter((_, target) => down.has(target));
  const measure = { world, run, jobs, pid, down, bar: 'p50 <= 1.1x, p99 <= 1.5x' };
  for (let round = 0; round < run.rounds; round++) {
    for (const mode of ['refuse', 'silent'] as const) {
      const what = `healthy clusters, others ${mode === 'refuse' ? 'down' : 'silent'}`;
      await liveRound({ ...measure, what, side: 'reference', label: 'all up' });
      await world.proxy.set(downNames, { mode });
      await liveRound({
        ...measure,
        what,
        side: 'product',
        label: mode === 'refuse' ? 'a tenth down' : 'a tenth silent',
      });
      await world.proxy.set(downNames, { mode: 'pass' });
      world.expectInSync(jobs);
      await world.copies.reached(run.deadline, 'recovery');
    }
  }
}

async function restart(run: CaseRun): Promise<void> {
  await using world = await World.start({ clusters: 2 });
  const jobs = world.jobs(run.quick ? 200 : 5000, 2);
  const changed = jobs.slice(0, 1);
  await world.createSources(jobs);
  await (await startInSync(world, run, jobs)).stop();
  const comparison = { what: 'start to first change', unit: 'ms', bar: '<= 2x' };
  for (let round = 0; round < run.rounds; round++) {
    await world.updateSources(changed);
    world.expectInSync(jobs);
    const before = await world.tally();
    const began = performance.now();
    const program = await world.startProgram();
    await world.copies.reached(run.deadline, 'the change');
    run.record.measured(comparison, 'product', Math.max(...world.copies.times) - began);
    await sleep(5000);
    const tally = (await world.tally()).since(before);
    consumed(run, 'product', 'restart', tally, await usageOf(program.pid));
    run.record.count('writes of copies after a restart', 2, tally.copyWrites());
    await program.stop();

    const referenceBegan = performance.now();
    await using reference = new ReferenceProcess(world.task('lists', jobs));
    await reference.said('done');
    run.record.measured(comparison, 'reference', performance.now() - referenceBegan);
  }
}

/** The reference is the product itself without foreign Secrets. */
async function foreignSecrets(run: CaseRun): Promise<void> {
  await using world = await World.start({ clusters: 2 });
  const jobs = world.jobs(100, 2);
  await world.createSources(jobs);
  const measure = async (side: 'product' | 'reference'): Promise<void> => {
    for (let round = 0; round < run.rounds; round++) {
      const program = await startInSync(world, run, jobs);
      await sleep(10_000);
      const { rssMiB, peakRssMiB } = await usageOf(program.pid);
      run.record.measured({ what: 'RSS', unit: mebibyte, bar: '<= 1.1x' }, side, rssMiB);
      run.record.measured({ what: 'peak RSS', unit: mebibyte, bar: '<= 1.1x' }, side, peakRssMiB);
      await program.stop();
      await world.wipeCopies();
    }
  };
  await measure('reference');
  const value = 'eHh4'.repeat(2500);
  await inFlight(32, Array(run.quick ? 1000 : 50_000).keys(), async (index) => {
    await world.sandbox.source.request('POST', `/api/v1/namespaces/${benchNamespace}/secrets`, {
      metadata: { name: `foreign-${index}` },
      data: { value },
    });
  });
  await measure('product');
}
