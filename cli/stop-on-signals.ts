import type { Clock } from '../shared/clock.ts';
import type { Logger } from '../shared/logger.ts';

/** Kubernetes kills after 30 s by default; what has not stopped by then gets to say so. */
export const stopDeadlineMs = 20_000;

export type StopSignal = 'SIGTERM' | 'SIGINT';

/** The part of `process` that is needed. */
export interface SignalSource {
  on(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
}

/**
 * The first SIGTERM or SIGINT aborts the returned signal. A second one, or `stopDeadlineMs` without an end, calls
 * `giveUp`, which ends the process at once.
 */
export function stopOnSignals(
  source: SignalSource,
  clock: Clock,
  logger: Logger,
  giveUp: () => void,
): AbortSignal {
  const stopping = new AbortController();
  const onSignal = (signal: StopSignal): void => {
    if (stopping.signal.aborted) {
      logger.error('asked to stop again, ending at once', { signal });
      giveUp();
      return;
    }
    logger.info('stopping', { signal });
    clock.schedule(stopDeadlineMs, () => {
      logger.error('not stopped in time, ending at once', { deadlineMs: stopDeadlineMs });
      giveUp();
    });
    stopping.abort();
  };
  source.on('SIGTERM', onSignal);
  source.on('SIGINT', onSignal);
  return stopping.signal;
}
