import { retainedBytes } from '../../bench/retained-heap.ts';
import { metric } from '../../harness/metrics.ts';
import type { World } from '../world.ts';

/** What a controller that runs holds. */
interface Footprint {
  /** Bytes of its heap that are in use, after a garbage collection. */
  readonly heap: number;
  readonly timers: number;
  /** Sockets, file watchers and whatever else its event loop waits for, without timers. */
  readonly handles: number;
}

/**
 * What a controller may hold at rest, whatever happened before. The objects of a run are a few dozen, so what it holds does not depend on
 * how many there are: the one that leads was seen to hold 23 MB, 18 timers and 13 handles, the other one 20 MB, 3 and 6. Objects that
 * leak, one for each of the hundreds of operations, exceed this.
 */
const most: Footprint = { heap: 40 * 1024 * 1024, timers: 50, handles: 50 };

/** What controllers still hold at rest that they should have let go, as sentences. */
export async function footprintProblems({ controllers, journal }: World): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { number, program, isAwake } of controllers) {
    if (isAwake && program !== undefined) {
      const footprint = await footprintOf(program);
      journal.write(`        controller ${number} holds ${JSON.stringify(footprint)}`);
      for (const what of ['heap', 'timers', 'handles'] as const) {
        if (footprint[what] > most[what]) {
          problems.push(`controller ${number} holds ${footprint[what]} at rest of ${what}`);
        }
      }
    }
  }
  return problems;
}

async function footprintOf(program: Parameters<typeof metric>[0]): Promise<Footprint> {
  const timers = await metric(program, 'nodejs_active_resources', { type: 'Timeout' });
  const all = await metric(program, 'nodejs_active_resources_total');
  return { heap: await retainedBytes(program), timers, handles: all - timers };
}
