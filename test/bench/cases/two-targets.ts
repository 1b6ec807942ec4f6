import { setTimeout as sleep } from 'node:timers/promises';
import type { Program } from '../../harness/program.ts';
import type { BenchCase, CaseRun } from '../bench-case.ts';
import { liveRound } from '../live.ts';
import { referencePhase, runPhase, settleMs } from '../phase.ts';
import { ReferenceProcess } from '../reference/reference-process.ts';
import type { Job } from '../reference/task.ts';
import type { Side } from '../result.ts';
import { benchNamespace } from '../targets.ts';
import { World } from '../world.ts';

const rateBar = '>= 90 %';
const phases = {
  initial: { name: 'initial', rate: { what: 'initial', unit: 'copies/s', bar: rateBar } },
  update: { name: 'update', rate: { what: 'update', unit: 'copies/s', bar: rateBar } },
  removal: { name: 'removal', rate: { what: 'removal', unit: 'copies/s', bar: rateBar } },
} as const;

/** Targets are reached directly here; only the source is behind the proxy, which counts and holds back its watches. */
export const twoTargets: readonly BenchCase[] = [
  {
    name: 'copies',
    summary: 'initial copies, update and removal of 2,000 sources in 2 targets',
    minutes: 15,
    quick: true,
    run: copiesOfTwoTargets,
  },
  {
    name: 'live',
    summary: 'live updates, 20 a second, 2 targets',
    minutes: 15,
    quick: true,
    run: live,
  },
];

interface Round {
  readonly world: World;
  readonly run: CaseRun;
  readonly jobs: readonly Job[];
}

async function copiesOfTwoTargets(run: CaseRun): Promise<void> {
  await using world = await World.start({ clusters: 2, direct: true });
  const round: Round = { world, run, jobs: world.jobs(run.quick ? 200 : 2000, 2) };
  for (let count = 0; count < run.rounds; count++) {
    await productRound(round);
    await referenceRound(round);
  }
}

async function productRound(round: Round): Promise<void> {
  const { world, run, jobs } = round;
  const copies = jobs.length * 2;
  await world.createSources(jobs);
  world.expectInSync(jobs);
  const before = await world.tally();
  const program = await world.startProgram();
  const begin = (): Promise<Program> => Promise.resolve(program);
  await runPhase({ ...round, ...phases.initial, side: 'product', begin });
  await sleep(settleMs);
  const initial = (await world.tally()).since(before);
  run.record.count('writes of initial copies', copies, initial.copyWrites());
  run.record.count('reads of sources for initial copies', jobs.length, initial.sourceReads(benchNamespace));

  const changes = [
    { ...phases.update, change: () => world.updateSources(jobs) },
    { ...phases.removal, change: () => world.deleteSources(jobs) },
  ];
  for (const { change, ...phase } of changes) {
    const heldBefore = await world.tally();
    await whileHeld(world, change);
    world.expectInSync(jobs);
    await runPhase({
      ...round,
      ...phase,
      side: 'product',
      pid: program.pid,
      begin: async () => {
        await world.proxy.set(['source'], { mode: 'pass' });
        return program;
      },
    });
    await sleep(settleMs);
    const tally = (await world.tally()).since(heldBefore);
    run.record.count(`writes for the ${phase.name}`, copies, tally.copyWrites());
    run.record.count(
      `reads of sources for the ${phase.name}`,
      jobs.length,
      tally.sourceReads(benchNamespace),
    );
  }
  await program.stop();
}

/** The controller runs and has seen nothing yet, so that its work on all the changes is measured, not ours. */
async function whileHeld(world: World, change: () => Promise<unknown>): Promise<void> {
  await world.proxy.set(['source'], { mode: 'hold-watches' });
  await change();
}

async function referenceRound(round: Round): Promise<void> {
  const { world, jobs } = round;
  await world.createSources(jobs);
  world.expectInSync(jobs);
  await referencePhase({ ...round, ...phases.initial }, 'POST');
  await world.updateSources(jobs);
  world.expectInSync(jobs);
  await referencePhase({ ...round, ...phases.update }, 'PUT');
  await world.deleteSources(jobs);
  world.expectInSync(jobs);
  await referencePhase({ ...round, ...phases.removal }, 'DELETE');
}

async function live(run: CaseRun): Promise<void> {
  await using world = await World.start({ clusters: 2, direct: true });
  const jobs = world.jobs(200, 2);
  await world.createSources(jobs);
  for (let count = 0; count < run.rounds; count++) {
    world.expectInSync(jobs);
    const program = await world.startProgram();
    await runPhase({
      world,
      run,
      jobs,
      name: 'initial',
      side: 'product',
      begin: () => Promise.resolve(program),
    });
    await sleep(settleMs);
    await liveOn({ world, run, jobs }, 'product', program.pid);
    await program.stop();
    await world.wipeCopies();

    world.expectInSync(jobs);
    await referencePhase({ world, run, jobs, name: 'initial' }, 'POST');
    await using reference = new ReferenceProcess(world.task('live', jobs));
    await reference.said('ready');
    await liveOn({ world, run, jobs }, 'reference', reference.pid);
    await reference[Symbol.asyncDispose]();
    await world.wipeCopies();
  }
}

async function liveOn({ world, run, jobs }: Round, side: Side, pid: number): Promise<void> {
  const bar = 'p50 <= 1.1x, p99 <= 1.3x';
  const { updates, tally } = await liveRound({ world, run, jobs, side, pid, bar });
  if (side === 'product') {
    run.record.count('writes for live updates', updates * 2, tally.copyWrites());
    run.record.count('reads of sources for live updates', updates, tally.sourceReads(benchNamespace));
  }
}
