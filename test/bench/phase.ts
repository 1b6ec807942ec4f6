import type { CaseRun } from './bench-case.ts';
import { type ProcessUsage, usageOf } from './process-usage.ts';
import { ReferenceProcess } from './reference/reference-process.ts';
import type { Job, ReferenceTask } from './reference/task.ts';
import type { Comparison, Side } from './result.ts';
import { steadyRate } from './statistics.ts';
import type { Tally } from './tally.ts';
import type { World } from './world.ts';

export interface PhaseOptions {
  readonly world: World;
  readonly run: CaseRun;
  readonly name: string;
  readonly side: Side;
  readonly jobs: readonly Job[];
  /** What is measured: copies a second, when given. */
  readonly rate?: Comparison;
  /** The process, where it is running already. */
  readonly pid?: number;
  /** Sets off the work, and yields the process that does it. */
  readonly begin: () => Promise<{ readonly pid: number }>;
}

/** Waits for writes that should not happen, after everything is in sync. */
export const settleMs = 2_000;

/** Sets off the work, waits until all copies are as the sources are, records what it cost, and yields the requests. */
export async function runPhase(options: PhaseOptions): Promise<Tally> {
  const { world, run, name, side, jobs } = options;
  const before = await world.tally();
  const usedBefore = options.pid === undefined ? undefined : await usageOf(options.pid);
  const beganAt = performance.now();
  const { pid } = await options.begin();
  let tally: Tally;
  try {
    await world.copies.reached(run.deadline, `${name} of the ${side}`);
  } finally {
    tally = (await world.tally()).since(before);
    consumed(run, side, name, tally, await usageOf(pid), usedBefore);
  }
  const { times } = world.copies;
  const rate = steadyRate(times);
  if (options.rate !== undefined && times.length > 0) {
    run.record.measured(options.rate, side, rate);
  }
  const seconds = (performance.now() - beganAt) / 1000;
  run.say(
    `${name}, ${side}: ${rate.toFixed(0)} copies/s, ${seconds.toFixed(1)} s for all ${jobs.length} sources`,
  );
  return tally;
}

/** The reference does one task on all jobs. */
export async function referencePhase(
  options: Omit<PhaseOptions, 'side' | 'begin' | 'pid'>,
  what: ReferenceTask['do'],
  inFlightLimit?: number,
): Promise<void> {
  const { world, jobs } = options;
  await using process = new ReferenceProcess(world.task(what, jobs, inFlightLimit));
  const done = process.said('done');
  await runPhase({ ...options, side: 'reference', begin: () => Promise.resolve(process) });
  await done;
}

export function consumed(
  { record }: CaseRun,
  side: Side,
  phase: string,
  tally: Tally,
  used: ProcessUsage,
  usedBefore?: ProcessUsage,
): void {
  record.consumed({
    side,
    phase,
    cpuSeconds: used.cpuSeconds - (usedBefore?.cpuSeconds ?? 0),
    peakRssMiB: used.peakRssMiB,
    requests: tally.byVerb(),
    bytes: tally.bytesByServer(),
  });
}
