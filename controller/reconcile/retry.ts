import type { Random } from '../../shared/clock.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import { ApiError, isApiError, TransportError } from '../../shared/kube/errors.ts';
import { SourceReadError } from '../source/source-reader.ts';
import type { Outcome } from './outcome.ts';

/** Something of the moment: a conflict, a broken connection, a server error. Milliseconds. */
const passing = { baseMs: 200, maxMs: 10_000 };
/** Something that stands in the way until somebody moves it: looked at regularly, so that the pair heals by itself. */
const standing = { baseMs: 1_000, maxMs: 15_000 };
/** A cluster that was never reached may stay so for days, and every look costs a read of the source. */
const unidentified = { baseMs: 5_000, maxMs: 5 * 60_000 };

/**
 * When to look at a target object again; undefined when only an event (or the regular resync) calls for it.
 * `failures` counts the fruitless passes in a row before this one.
 */
export function retryDelayMs(outcome: Outcome, failures: number, random: Random): number | undefined {
  switch (outcome.kind) {
    case 'left':
    case 'written':
      return undefined;
    case 'refused':
      // Whoever claims it, or lets it go, causes an event; an unowned object is not watched.
      return outcome.reason === 'Unowned' || outcome.reason === 'ClaimedByOther'
        ? backoffMs(failures, standing, random)
        : undefined;
    case 'waiting':
      return retryOfWait(outcome, failures, random);
    case 'failed':
      return retryOfFailure(outcome.error, failures, random);
  }
}

function retryOfWait(
  { reason, retryAfterMs }: Extract<Outcome, { kind: 'waiting' }>,
  failures: number,
  random: Random,
): number | undefined {
  if (retryAfterMs !== undefined) {
    return retryAfterMs;
  }
  switch (reason) {
    // The finished list and the recovered link each call for all that waited for it.
    case 'TargetNotListed':
    case 'TargetUnreachable':
    case 'DeletionGuard':
      return undefined;
    case 'ContextUnidentified':
      return backoffMs(failures, unidentified, random);
    case 'SourceChanging':
    case 'Contested':
      return backoffMs(failures, passing, random);
  }
}

function retryOfFailure(error: unknown, failures: number, random: Random): number | undefined {
  if (error instanceof SourceReadError || error instanceof TransportError) {
    return backoffMs(failures, passing, random);
  }
  if (isApiError(error, 'TooManyRequests')) {
    return error.retryAfterMs ?? backoffMs(failures, passing, random);
  }
  if (isApiError(error, 'ServerError', 'Conflict')) {
    return backoffMs(failures, passing, random);
  }
  return backoffMs(failures, error instanceof ApiError ? standing : passing, random);
}
