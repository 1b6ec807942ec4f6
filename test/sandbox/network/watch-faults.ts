import { setTimeout as sleep } from 'node:timers/promises';

/** What goes wrong with the events of a watch; each is asked for with every event. */
export interface WatchFaults {
  /** Milliseconds that an event is held back. */
  delayMs(): number;
  /** Whether events are passed on twice. */
  repeats(): boolean;
  /** Whether events are lost now. A watch that lost one ends with `Expired`, as when history was compacted. */
  drops(): boolean;
  /** Resolves when bytes may pass. */
  open(): Promise<void>;
}

/** The last frame of a watch whose history is gone. */
export const expired = `${JSON.stringify({
  type: 'ERROR',
  object: {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'too old resource version',
    reason: 'Expired',
    code: 410,
  },
})}\n`;

/** How often a watch that lost events looks whether events pass again. */
const lookMs = 50;

/**
 * Passes the frames of one watch on, one a line, in order. Ends when `frames` ends, when the watch lost events and the fault is
 * over, or with the signal.
 */
export async function* faultyFrames(
  frames: AsyncIterable<string>,
  faults: WatchFaults,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const queue: { frame: string; due: number }[] = [];
  let arrived = Promise.withResolvers<void>();
  let lost = false;
  let ended = false;
  const wake = (): void => {
    arrived.resolve();
    arrived = Promise.withResolvers();
  };
  const reading = (async () => {
    try {
      for await (const frame of frames) {
        if (faults.drops()) {
          lost = true;
        } else if (!lost) {
          const due = performance.now() + faults.delayMs();
          queue.push(...Array.from({ length: faults.repeats() ? 2 : 1 }, () => ({ frame, due })));
        }
        wake();
      }
    } catch {
      // The server's end is the client's end.
    }
    ended = true;
    wake();
  })();
  while (!signal.aborted) {
    const next = queue.shift();
    if (next !== undefined) {
      const wait = next.due - performance.now();
      if (wait > 0) {
        await sleep(wait);
      }
      await faults.open();
      yield next.frame;
    } else if (lost && !faults.drops()) {
      yield expired;
      return;
    } else if (ended) {
      break;
    } else {
      await Promise.race([arrived.promise, ...(lost ? [sleep(lookMs)] : [])]);
    }
  }
  await reading;
}
