/** What a process does while it holds shards. */
export interface TermOfShards {
  /** Serves a shard from now on, unless the signal aborts first. */
  take(shard: number, signal: AbortSignal): Promise<void>;
  /** Serves it no longer; resolves when all that belongs to it has ended. */
  leave(shard: number): Promise<void>;
  /** Works until its signal aborts, or it ends by itself. */
  run(): Promise<void>;
}

export interface SharedTermOptions<T extends TermOfShards> {
  /** Begins a term. Yields early when the signal aborts. */
  readonly begin: (signal: AbortSignal) => Promise<T>;
  /** Called with a term that has ended. */
  readonly onEnded: (term: T) => void;
}

interface Running {
  readonly ended: Promise<void>;
  readonly begun: Promise<TermOfShards>;
  readonly stop: AbortController;
  readonly shards: Set<number>;
}

/** The one term of a process for all shards that it holds: it begins with the first one and ends with the last. */
export class SharedTerm<T extends TermOfShards> {
  readonly #options: SharedTermOptions<T>;
  #running: Running | undefined;
  #term: T | undefined;

  constructor(options: SharedTermOptions<T>) {
    this.#options = options;
  }

  /** The term under way; undefined while it begins. */
  get current(): T | undefined {
    return this.#term;
  }

  /** The shards that are held. */
  get shards(): ReadonlySet<number> {
    return this.#running?.shards ?? new Set();
  }

  /** Serves a shard until the signal aborts, or the term ends by itself. Rejects with what the term rejects with. */
  async serve(shard: number, signal: AbortSignal): Promise<void> {
    while (this.#running?.stop.signal.aborted === true) {
      await this.#running.ended;
    }
    const running = (this.#running ??= this.#start());
    const { shards, begun, ended, stop } = running;
    const told = aborted(signal);
    const serving = async (): Promise<void> => {
      const term = await begun;
      await term.take(shard, signal);
      await told;
    };
    shards.add(shard);
    try {
      await Promise.race([serving(), told, ended]);
    } finally {
      shards.delete(shard);
      if (shards.size === 0) {
        stop.abort();
      } else if (this.#running === running) {
        await this.#term?.leave(shard);
      }
      if (stop.signal.aborted) {
        // No Lease is released before the end: what the term writes last is about every shard that it held.
        await ended;
      }
    }
  }

  #start(): Running {
    const stop = new AbortController();
    const begun = this.#options.begin(stop.signal);
    const run = async (): Promise<void> => {
      try {
        const term = await begun;
        this.#term = term;
        await term.run();
        this.#options.onEnded(term);
      } finally {
        this.#term = undefined;
        this.#running = undefined;
      }
    };
    return { begun, ended: run(), stop, shards: new Set() };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    } else {
      signal.addEventListener('abort', () => resolve(), { once: true });
    }
  });
}
