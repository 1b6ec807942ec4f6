import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchCase, CaseRun } from '../bench-case.ts';
import { liveRound } from '../live.ts';
import { referencePhase, runPhase, settleMs } from '../phase.ts';
import type { Job } from '../reference/task.ts';
import type { Comparison } from '../result.ts';
import { benchNamespace } from '../targets.ts';
import { World } from '../world.ts';

interface Variant {
  readonly clusters: number;
  readonly roundTripMs: number;
  /** Requests in flight of the reference. */
  readonly inFlight: number;
}

/** Initial copies of 2,000 sources in 4 clusters each, of 20, 100 or 300 clusters. */
export const manyClusters: readonly BenchCase[] = [
  variant('20-clusters', 15, true, { clusters: 20, roundTripMs: 0, inFlight: 32 }),
  variant('100-clusters', 15, false, { clusters: 100, roundTripMs: 0, inFlight: 32 }),
  variant('300-clusters', 25, false, { clusters: 300, roundTripMs: 0, inFlight: 32 }),
  variant('100-clusters-50ms', 25, false, { clusters: 100, roundTripMs: 50, inFlight: 512 }),
];

function variant(name: string, minutes: number, quick: boolean, chosen: Variant): BenchCase {
  const distance = chosen.roundTripMs === 0 ? '' : ` at ${chosen.roundTripMs} ms round trip`;
  return {
    name,
    summary: `initial copies of 2,000 sources in 4 of ${chosen.clusters} clusters${distance}`,
    minutes,
    quick,
    run: async (run) => await initialCopies(run, chosen),
  };
}

async function initialCopies(run: CaseRun, { clusters, roundTripMs, inFlight }: Variant): Promise<void> {
  await using world = await World.start({ clusters });
  await world.proxy.set(world.clusterNames, { roundTripMs });
  const jobs = world.jobs(run.quick ? 200 : 2000, 4);
  const rate: Comparison = { what: 'initial', unit: 'copies/s', bar: '>= 85 %' };
  await world.createSources(jobs);
  const common = { world, run, name: 'initial', jobs, rate };
  for (let round = 1; round <= run.rounds; round++) {
    await productRound(common, roundTripMs);
    await world.wipeCopies();
    world.expectInSync(jobs);
    await referencePhase(common, 'POST', inFlight);
    await world.wipeCopies();
  }
}

async function productRound(
  common: { world: World; run: CaseRun; name: string; jobs: readonly Job[]; rate: Comparison },
  roundTripMs: number,
): Promise<void> {
  const { world, run, jobs } = common;
  world.expectInSync(jobs);
  const before = await world.tally();
  const program = await world.startProgram();
  await runPhase({ ...common, side: 'product', begin: () => Promise.resolve(program) });
  await sleep(settleMs);
  const tally = (await world.tally()).since(before);
  run.record.count('writes of copies', jobs.length * 4, tally.copyWrites());
  run.record.count('reads of sources', jobs.length, tally.sourceReads(benchNamespace));
  if (roundTripMs > 0) {
    const bar = `p50 <= ${roundTripMs + 10} ms`;
    await liveRound({ world, run, jobs, side: 'product', pid: program.pid, bar, addedMs: roundTripMs / 2 });
  }
  await program.stop();
}
