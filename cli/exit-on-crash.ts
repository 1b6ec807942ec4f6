import { errorFields } from '../shared/error-fields.ts';
import type { Logger } from '../shared/logger.ts';

/** The part of `process` that is needed. */
export interface CrashSource {
  on(event: 'uncaughtException' | 'unhandledRejection', listener: (error: unknown) => void): unknown;
}

/**
 * An error that nobody handled leaves a state that nobody knows: it is logged, without its message, and `giveUp` ends
 * the process. Node's own report would print the message, which can hold payload.
 */
export function exitOnCrash(source: CrashSource, logger: Logger, giveUp: () => void): void {
  source.on('uncaughtException', (error) => {
    logger.error('uncaught exception', errorFields(error));
    giveUp();
  });
  source.on('unhandledRejection', (error) => {
    logger.error('unhandled rejection', errorFields(error));
    giveUp();
  });
}
