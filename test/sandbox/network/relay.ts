import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the two directions of a connection ask before they pass a chunk on. */
export interface Gate {
  /** Milliseconds that a chunk which arrives now is held back. */
  delayMs(): number;
  /** Resolves when chunks may pass: at once, or when a silence ends. */
  open(): Promise<void>;
}

/**
 * Passes what `from` receives to `to`, in order, by the gate's leave. Held-back bytes are kept, not lost: a network
 * that recovers delivers them, and with TLS on top a gap would be an error instead of a silence.
 */
export function relay(from: Socket, to: Socket, gate: Gate): void {
  let tail = Promise.resolve();
  const pass = async (before: Promise<void>, due: number, step: () => void): Promise<void> => {
    await before;
    const wait = due - performance.now();
    if (wait > 0) {
      await sleep(wait);
    }
    await gate.open();
    step();
  };
  const then = (step: () => void): void => {
    tail = pass(tail, performance.now() + gate.delayMs(), step);
  };
  from.on('data', (chunk) => {
    then(() => {
      if (to.destroyed) {
        return;
      }
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
  });
  from.once('end', () => {
    then(() => {
      to.end();
    });
  });
}
