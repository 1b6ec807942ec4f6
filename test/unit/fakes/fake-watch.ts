import type { Clock } from '../../../shared/clock.ts';
import type { WatchEvent, WatchOptions } from '../../../shared/kube/client.ts';
import { AbortedError, TransportError } from '../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../shared/kube/object.ts';

/** How a stream is over: with an error, or in good order. */
type Ending = { readonly error: Error | undefined };

/** One open watch: a queue of events between the fake server and the reader, with the timers of both ends. */
export class FakeWatch {
  readonly options: WatchOptions;
  /** The version up to which changes were put in. */
  position: number;
  readonly #queue: WatchEvent<KubeObject>[] = [];
  #ending: Ending | undefined;
  #wake: (() => void) | undefined;
  readonly #clock: Clock;
  readonly #cancels: (() => void)[] = [];
  #cancelIdle: (() => void) | undefined;

  constructor(options: WatchOptions, clock: Clock) {
    this.options = options;
    this.position = Number(options.resourceVersion);
    this.#clock = clock;
  }

  get open(): boolean {
    return this.#ending === undefined && !this.options.signal.aborted;
  }

  /** Arms the server's end of the watch, the reader's idle deadline, and calls `bookmark` as often as given. */
  start(bookmarkEveryMs: number, bookmark: () => void): void {
    this.#cancels.push(this.#clock.schedule(this.options.timeoutSeconds * 1_000, () => this.end(undefined)));
    const again = (): void => {
      bookmark();
      if (!this.open) return;
      this.#cancels.push(this.#clock.schedule(bookmarkEveryMs, again));
    };
    this.#cancels.push(this.#clock.schedule(bookmarkEveryMs, again));
    // The reader can go before it reads a thing.
    this.options.signal.addEventListener('abort', () => this.end(undefined), { once: true });
    this.#armIdle();
  }

  push(event: WatchEvent<KubeObject>): void {
    if (!this.open) return;
    this.#queue.push(event);
    this.#armIdle();
    this.#wake?.();
  }

  /** What is queued is still read, then the stream is over. */
  end(error: Error | undefined): void {
    this.#ending ??= { error };
    this.#stopTimers();
    this.#wake?.();
  }

  async *events(): AsyncGenerator<WatchEvent<KubeObject>> {
    const { signal } = this.options;
    const wake = (): void => this.#wake?.();
    signal.addEventListener('abort', wake);
    try {
      for (;;) {
        if (signal.aborted) throw new AbortedError();
        const event = this.#queue.shift();
        if (event !== undefined) {
          yield event;
        } else if (this.#ending !== undefined) {
          if (this.#ending.error !== undefined) throw this.#ending.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.end(undefined);
    }
  }

  #armIdle(): void {
    this.#cancelIdle?.();
    this.#cancelIdle = this.#clock.schedule(this.options.idleTimeoutMs, () =>
      this.end(new TransportError('Timeout', true, 'no byte came on the watch')),
    );
  }

  #stopTimers(): void {
    this.#cancelIdle?.();
    for (const cancel of this.#cancels) cancel();
  }
}
