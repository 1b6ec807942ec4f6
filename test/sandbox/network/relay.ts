import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What one direction of a connection asks before it passes a chunk on. */
export interface Gate {
  /** Milliseconds that a chunk which arrives now is held back. */
  delayMs(): number;
  /** Undefined when chunks may pass now, else a promise that resolves when they may. */
  open(): Promise<void> | undefined;
}

/** Runs steps in the order in which they were added, each when the gate lets it pass; at once where nothing holds it back. */
export class OrderedSteps {
  readonly #gate: Gate;
  #waiting = 0;
  #tail = Promise.resolve();

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** Steps that are held back now. */
  get waiting(): number {
    return this.#waiting;
  }

  add(step: () => void): void {
    const delayMs = this.#gate.delayMs();
    if (this.#waiting === 0 && delayMs <= 0 && this.#gate.open() === undefined) {
      step();
      return;
    }
    this.#waiting++;
    this.#tail = this.#pass(this.#tail, performance.now() + delayMs, step);
  }

  async #pass(before: Promise<void>, due: number, step: () => void): Promise<void> {
    await before;
    const wait = due - performance.now();
    if (wait > 0) {
      await sleep(wait);
    }
    await this.#gate.open();
    this.#waiting--;
    step();
  }
}

/**
 * Passes what `from` receives to `to`, in order, as the gate allows. Held-back bytes are kept, not lost: a network
 * that recovers delivers them, and with TLS on top a gap would be an error instead of a silence.
 */
export function relay(from: Socket, to: Socket, gate: Gate): void {
  const steps = new OrderedSteps(gate);
  from.on('data', (chunk) => {
    steps.add(() => {
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
    steps.add(() => {
      to.end();
    });
  });
}
