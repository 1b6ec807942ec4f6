import type { LogFields, Logger } from '../logger.ts';

/**
 * Lines about something that is looked at again and again: each is written when it differs from the one before, so that
 * what lasts does not fill the log.
 */
export class ChangeLog {
  readonly #logger: Logger;
  #last: string | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  warn(message: string, fields: LogFields): void {
    if (this.#isNew(message, fields)) this.#logger.warn(message, fields);
  }

  error(message: string, fields: LogFields): void {
    if (this.#isNew(message, fields)) this.#logger.error(message, fields);
  }

  /** All is well again: the next line is written, whatever it says. */
  clear(): void {
    this.#last = undefined;
  }

  #isNew(message: string, fields: LogFields): boolean {
    const before = this.#last;
    this.#last = JSON.stringify([message, fields]);
    return this.#last !== before;
  }
}
