import type { Clock, Random } from '../../shared/clock.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import { isApiError, TransportError } from '../../shared/kube/errors.ts';
import type { ListPage, PayloadObject } from '../../shared/kube/object.ts';
import type { Resource } from '../../shared/kube/resource.ts';
import type { ContextLink } from '../contexts/context-link.ts';
import { sizeOf } from '../copy/content.ts';

/** Pages in flight at a time for the whole process. */
const concurrency = 2;
/** Bytes that a page should be; its number of objects adapts. With `concurrency` it bounds what is held at a time. */
const pageBytes = 2 * 1024 * 1024;
const firstPageSize = 20;
/** API servers take no more for one page than for ten times this. */
const largestPageSize = 500;
const backoff = { baseMs: 1_000, maxMs: 60_000 };

/** What is to be read. */
export interface VerifiedScope {
  readonly link: Pick<ContextLink, 'client' | 'state' | 'suspect'>;
  readonly resource: Resource;
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly labelSelector: string;
  readonly onObject: (object: PayloadObject) => void;
}

/**
 * Reads the contents of listed copies in the background, page by page, so that drift which happened while nobody looked
 * is seen. Two pages are in flight at a time in the whole process; a cluster that does not answer takes no turn.
 */
export class Verification {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #waiting = new Set<() => void>();
  #inFlight = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Reads a scope to its end. Failures are retried; yields false where its snapshot expired on the way (the caller then
   * reads what is left one by one), or the signal aborted. Never rejects.
   */
  async run(scope: VerifiedScope, signal: AbortSignal): Promise<boolean> {
    let token: string | undefined;
    let limit = firstPageSize;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const page = await this.#read(scope, { limit, token, signal });
        if (page !== undefined) {
          token = page.metadata.continue;
          if (token === undefined || token === '') {
            return true;
          }
          limit = nextPageSize(limit, page);
          failures = 0;
          continue;
        }
      } catch (error) {
        if (isApiError(error, 'Gone')) {
          return false;
        }
        if (error instanceof TransportError) {
          scope.link.suspect();
        }
        // Whatever it was, a page may be too large for the server, for the way or for us.
        limit = Math.max(1, Math.floor(limit / 2));
      }
      await this.#clock.sleep(backoffMs(failures, backoff, this.#random), signal);
      failures += 1;
    }
    return false;
  }

  /** Reads a page once it has a turn; undefined where the cluster does not answer at present. */
  async #read(
    { link, resource, namespace, labelSelector, onObject }: VerifiedScope,
    at: { readonly limit: number; readonly token: string | undefined; readonly signal: AbortSignal },
  ): Promise<ListPage<PayloadObject> | undefined> {
    if (link.state !== 'up') {
      return undefined;
    }
    if (!(await this.#turn(at.signal))) {
      return undefined;
    }
    try {
      // It can have gone down while its turn came.
      if (link.state !== 'up') {
        return undefined;
      }
      const page = await link.client.list<PayloadObject>(resource, {
        namespace,
        labelSelector,
        limit: at.limit,
        continue: at.token,
        shape: 'full',
        signal: at.signal,
      });
      for (const object of page.items ?? []) {
        onObject(object);
      }
      return page;
    } finally {
      this.#giveTurn();
    }
  }

  /** Waits for a turn; false where the signal aborts first. */
  async #turn(signal: AbortSignal): Promise<boolean> {
    if (this.#inFlight < concurrency) {
      this.#inFlight += 1;
      return true;
    }
    return await new Promise((resolve) => {
      const take = (): void => {
        signal.removeEventListener('abort', leave);
        resolve(true);
      };
      const leave = (): void => {
        this.#waiting.delete(take);
        resolve(false);
      };
      this.#waiting.add(take);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** The turn passes on to the next that waits, so that none that comes meanwhile takes one more. */
  #giveTurn(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#inFlight -= 1;
    } else {
      this.#waiting.delete(next);
      next();
    }
  }
}

/** Objects of the next page, from the size of this one: twice as many at most, so that one page of small ones misleads little. */
function nextPageSize(limit: number, { items }: ListPage<PayloadObject>): number {
  const bytes = (items ?? []).reduce((sum, object) => sum + sizeOf(object), 0);
  const fitting = bytes === 0 ? limit * 2 : Math.floor((pageBytes / bytes) * (items?.length ?? 0));
  return Math.max(1, Math.min(largestPageSize, limit * 2, fitting));
}
