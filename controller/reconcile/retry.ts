import type { Random } from '../../shared/clock.ts';
import { type BackoffOptions, backoffMs } from '../../shared/kube/backoff.ts';
import { ApiError, isApiError, TransportError } from '../../shared/kube/errors.ts';
import type { TargetRef } from '../copy/target-ref.ts';
import { SourceReadError } from '../source/source-reader.ts';
import type { Outcome } from './outcome.ts';

/** Something of the moment: a conflict, a broken connection, a server error. Milliseconds. */
const passing = { baseMs: 200, maxMs: 10_000 };
/** Something that is in the way until somebody changes it: looked at regularly, so that the copy heals by itself. */
const observed = { baseMs: 1_000, maxMs: 120_000 };
/** The same for an object that is tried on behalf of all that fail for the same reason. */
const scouting = { baseMs: 1_000, maxMs: 15_000 };
/** A cluster that was never reached may stay so for days, and every look costs a read of the source. */
const unidentified = { baseMs: 5_000, maxMs: 5 * 60_000 };

/**
 * What many objects of a cluster can fail for together, as a name: a source that does not answer, a server error, a
 * missing namespace, missing rights. Undefined for a failure of the object alone.
 */
export function obstacleOf(outcome: Outcome, { kind, namespace }: TargetRef): string | undefined {
  if (outcome.kind !== 'failed') {
    return undefined;
  }
  const { error } = outcome;
  if (error instanceof SourceReadError) {
    return 'source';
  }
  if (isApiError(error, 'ServerError')) {
    return 'server error';
  }
  if (isOfNamespace(outcome)) {
    return `namespace ${namespace}`;
  }
  return isApiError(error, 'Forbidden') ? `rights on ${kind} ${namespace}` : undefined;
}

/** Nothing can be created in the namespace, whatever the object. */
function isOfNamespace(outcome: Outcome): boolean {
  return outcome.kind === 'failed' && isApiError(outcome.error, 'NamespaceNotFound', 'NamespaceTerminating');
}

/**
 * When to look at a target object again; undefined when only an event (or the regular resync) calls for it.
 * `failures` counts the fruitless passes in a row before this one. `role`: whether the object is tried for others that
 * share its obstacle, or waits for the one that is.
 */
export function retryDelayMs(
  outcome: Outcome,
  failures: number,
  random: Random,
  role: 'scout' | 'waits' | undefined,
): number | undefined {
  if (role === 'waits') {
    // What the scout finds out about a namespace is so for all objects there; rights and server errors can be the object's own.
    return isOfNamespace(outcome) ? undefined : backoffMs(failures, observed, random);
  }
  switch (outcome.kind) {
    case 'left':
    case 'written':
      return undefined;
    case 'refused':
      // A source that claims it, or lets it go, causes an event; an unowned object is not watched.
      return outcome.reason === 'Unowned' || outcome.reason === 'ClaimedByOther'
        ? backoffMs(failures, observed, random)
        : undefined;
    case 'waiting':
      return retryOfWait(outcome, failures, random);
    case 'failed':
      return retryOfFailure(outcome.error, failures, random, role === 'scout' ? scouting : observed);
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
    // The context that has been reached, or not, changes the claims.
    case 'ContextSettling':
      return undefined;
    case 'CopyTerminating':
      return backoffMs(failures, observed, random);
    case 'ContextUnidentified':
      return backoffMs(failures, unidentified, random);
    case 'SourceChanging':
    case 'Contested':
      return backoffMs(failures, passing, random);
  }
}

function retryOfFailure(
  error: unknown,
  failures: number,
  random: Random,
  lasting: BackoffOptions,
): number | undefined {
  if (error instanceof SourceReadError || error instanceof TransportError) {
    return backoffMs(failures, passing, random);
  }
  if (isApiError(error, 'TooManyRequests')) {
    return error.retryAfterMs ?? backoffMs(failures, passing, random);
  }
  if (isApiError(error, 'ServerError', 'Conflict')) {
    return backoffMs(failures, passing, random);
  }
  return backoffMs(failures, error instanceof ApiError ? lasting : passing, random);
}
