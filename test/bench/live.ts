import { setTimeout as sleep } from 'node:timers/promises';
import type { CaseRun } from './bench-case.ts';
import { OutOfTimeError } from './copies.ts';
import { ObjectWatch } from './object-watch.ts';
import { consumed } from './phase.ts';
import { usageOf } from './process-usage.ts';
import type { Job } from './reference/task.ts';
import type { Side } from './result.ts';
import { percentile } from './statistics.ts';
import type { Tally } from './tally.ts';
import type { World } from './world.ts';

export interface LiveOptions {
  readonly world: World;
  readonly run: CaseRun;
  /** Sources that are updated in turn; enough that none is updated again before its copies have arrived. */
  readonly jobs: readonly Job[];
  readonly side: Side;
  /** The process that makes the copies. */
  readonly pid: number;
  readonly bar: string;
  /** What the latencies are called, in table and chart; the side when absent. */
  readonly label?: string;
  /** Prefix of the measurements. */
  readonly what?: string;
  /** Copies on these targets are not waited for and not measured. */
  readonly down?: ReadonlySet<number>;
  /** Milliseconds on top of each latency: the way back that the observer does not take. */
  readonly addedMs?: number;
}

const updatesPerSecond = 20;
const liveSeconds = { quick: 5, full: 30 };
/** After the last update. */
const lateMs = 30_000;

/**
 * Updates sources at 20 a second and records p50 and p99 of the time from the source's watch event to the copy's, both
 * as an observer sees them, and what it cost. Yields the number of updates and the requests.
 */
export async function liveRound(
  options: LiveOptions,
): Promise<{ readonly updates: number; readonly tally: Tally }> {
  const { world, run, jobs, side, bar } = options;
  const updates = updatesPerSecond * (run.quick ? liveSeconds.quick : liveSeconds.full);
  const changed = new Map<number, number>();
  const arrivals: { readonly version: number; readonly time: number }[] = [];
  const watch = new ObjectWatch(world.sandbox.source, ({ object }, time) => {
    changed.set(Number(object.data?.['version']), time);
  });
  await watch.start();
  const [before, usedBefore] = [await world.tally(), await usageOf(options.pid)];
  const versions = new Set<number>();
  world.copies.listen(({ target }, version, time) => {
    if (options.down?.has(target) !== true) {
      arrivals.push({ version, time });
    }
  });
  try {
    let expected = 0;
    const sent: Promise<unknown>[] = [];
    const began = performance.now();
    for (let update = 0; update < updates; update++) {
      await sleep(Math.max(0, began + (update * 1000) / updatesPerSecond - performance.now()));
      const job = jobs[update % jobs.length];
      if (job !== undefined) {
        expected += job.targets.filter((target) => options.down?.has(target) !== true).length;
        sent.push(world.updateSources([job]).then((version) => versions.add(version)));
      }
    }
    await Promise.all(sent);
    const own = (): number => arrivals.filter(({ version }) => versions.has(version)).length;
    const deadline = performance.now() + lateMs;
    while (own() < expected) {
      if (performance.now() > deadline) {
        throw new OutOfTimeError(`live, ${side}: ${own()} of ${expected} changes arrived`);
      }
      await sleep(100);
    }
  } finally {
    world.copies.listen(() => undefined);
    await watch.stop();
  }
  const latencies = arrivals.flatMap(({ version, time }) => {
    const from = changed.get(version);
    return from === undefined || !versions.has(version) ? [] : [time - from + (options.addedMs ?? 0)];
  });
  const label = options.label ?? side;
  const tally = (await world.tally()).since(before);
  consumed(run, side, `live, ${label}`, tally, await usageOf(options.pid), usedBefore);
  run.record.latencies(label, latencies);
  for (const [name, share] of [
    ['p50', 0.5],
    ['p99', 0.99],
  ] as const) {
    const what = `${options.what ?? 'live'} ${name}`;
    run.record.measured({ what, unit: 'ms', bar }, side, percentile(latencies, share));
  }
  run.say(
    `live, ${label}: p50 ${percentile(latencies, 0.5).toFixed(1)} ms, p99 ${percentile(latencies, 0.99).toFixed(1)} ms`,
  );
  return { updates, tally };
}
