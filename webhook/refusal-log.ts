import type { Clock } from '../shared/clock.ts';
import type { LogFields, Logger } from '../shared/logger.ts';

export interface RefusalLogOptions {
  /** Lines of one period at most; the refusals after them are counted. */
  readonly maxLines: number;
  readonly periodMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A few refusals a second are worth a line each; somebody who tries in a loop must not fill the log. */
export const usualRefusalLog = { maxLines: 20, periodMs: 10_000 } as const;

/** Logs refused objects at a bounded rate. */
export class RefusalLog {
  readonly #options: RefusalLogOptions;
  #lines = 0;
  #unlogged = 0;
  #periodRuns = false;

  constructor(options: RefusalLogOptions) {
    this.#options = options;
  }

  refused(fields: LogFields): void {
    const { maxLines, periodMs, clock, logger } = this.#options;
    if (!this.#periodRuns) {
      this.#periodRuns = true;
      clock.schedule(periodMs, () => {
        this.#endPeriod();
      });
    }
    if (this.#lines < maxLines) {
      this.#lines++;
      logger.info('object refused', fields);
    } else {
      this.#unlogged++;
    }
  }

  #endPeriod(): void {
    if (this.#unlogged > 0) {
      const { periodMs, logger } = this.#options;
      logger.info('more objects refused', { count: this.#unlogged, seconds: periodMs / 1000 });
    }
    this.#lines = 0;
    this.#unlogged = 0;
    this.#periodRuns = false;
  }
}
