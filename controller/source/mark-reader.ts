import type { Clock } from '../../shared/clock.ts';

/**
 * Milliseconds for which a reading of the mark counts. With the second for which an identity check vouches, a proof relies on
 * a mark that is at most 1.5 s old: a server whose storage is restored is away for longer.
 */
const countsForMs = 500;

/**
 * Reads the mark of the source cluster for many callers. A caller that learns that the source is the cluster that it was must also
 * learn whether it was restored, before anything is deleted for it.
 */
export class MarkReader {
  readonly #clock: Clock;
  readonly #readMark: () => Promise<void>;
  #reading: { readonly startedAt: number; readonly done: Promise<void> } | undefined;

  constructor(clock: Clock, readMark: () => Promise<void>) {
    this.#clock = clock;
    this.#readMark = readMark;
  }

  /**
   * Resolves when the mark has been read, by this call or by one of the last half second, which it waits for. A reading that
   * failed counts for nobody who calls later. Throws what `readMark` throws.
   */
  read(): Promise<void> {
    const now = this.#clock.monotonic();
    if (this.#reading !== undefined && now - this.#reading.startedAt < countsForMs) {
      return this.#reading.done;
    }
    const reading = { startedAt: now, done: this.#readMark() };
    this.#reading = reading;
    reading.done.catch(() => {
      if (this.#reading === reading) {
        this.#reading = undefined;
      }
    });
    return reading.done;
  }
}
