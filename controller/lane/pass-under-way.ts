import type { Clock } from '../../shared/clock.ts';

/** Milliseconds of waiting for its target cluster after which a pass is overdue: that cluster is slow or silent. */
const overdueMs = 2_000;

export interface PassResult {
  /** The pass wrote to the cluster: its time says how far away, or how busy, that is. */
  readonly wrote: boolean;
}

export interface PassOptions {
  readonly clock: Clock;
  /** It begins, or ceases, to wait for the source cluster. */
  readonly onWait: () => void;
  readonly onEnd: (result: PassResult) => void;
}

/** A pass between its begin and its end, and whom it waits for. */
export class PassUnderWay {
  /** Monotonic, in milliseconds. */
  readonly begunAt: number;
  readonly #options: PassOptions;
  /** Since when it waits for its target cluster; undefined while it waits for the source cluster. */
  #since: number | undefined;

  constructor(options: PassOptions) {
    this.#options = options;
    this.begunAt = options.clock.monotonic();
    this.#since = this.begunAt;
  }

  /** Milliseconds for which it has waited for its target cluster: without what the source cluster took. */
  get waitedMs(): number {
    return this.#since === undefined ? 0 : this.#options.clock.monotonic() - this.#since;
  }

  /** False while it waits for the source cluster: its target is not to blame for that. */
  get isOverdue(): boolean {
    return this.waitedMs > overdueMs;
  }

  get waitsForSource(): boolean {
    return this.#since === undefined;
  }

  /** Awaits an answer of the source cluster. */
  async waitForSource<T>(answer: Promise<T>): Promise<T> {
    this.#since = undefined;
    this.#options.onWait();
    try {
      return await answer;
    } finally {
      this.#since = this.#options.clock.monotonic();
      this.#options.onWait();
    }
  }

  end(result: PassResult): void {
    this.#options.onEnd(result);
  }
}
