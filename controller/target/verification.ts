import type { Clock, Random } from '../../shared/clock.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import { isApiError, TransportError } from '../../shared/kube/errors.ts';
import type { ListPage, PayloadObject } from '../../shared/kube/object.ts';
import type { Resource } from '../../shared/kube/resource.ts';

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
  readonly client: KubeClient;
  readonly resource: Resource;
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly labelSelector: string;
  readonly onObject: (object: PayloadObject) => void;
}

/**
 * Reads the contents of listed copies in the background, page by page, so that drift which happened while nobody looked
 * is seen. Two pages are in flight at a time in the whole process.
 */
export class Verification {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #waiting: (() => void)[] = [];
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
    for (let failures = 0; !signal.aborted; ) {
      try {
        const page = await this.#read(scope, { limit, token, signal });
        limit = nextPageSize(limit, page);
        token = page.metadata.continue;
        failures = 0;
        if (token === undefined || token === '') {
          return true;
        }
      } catch (error) {
        if (isApiError(error, 'Gone')) {
          return false;
        }
        if (error instanceof TransportError && error.reason === 'Timeout') {
          limit = Math.max(1, Math.floor(limit / 2));
        }
        await this.#clock.sleep(backoffMs(failures, backoff, this.#random), signal);
        failures += 1;
      }
    }
    return false;
  }

  async #read(
    { client, resource, namespace, labelSelector, onObject }: VerifiedScope,
    at: { readonly limit: number; readonly token: string | undefined; readonly signal: AbortSignal },
  ): Promise<ListPage<PayloadObject>> {
    await this.#turn();
    try {
      const page = await client.list<PayloadObject>(resource, {
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
      this.#inFlight -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    if (this.#inFlight >= concurrency) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#inFlight += 1;
  }
}

/** Objects of the next page, from the size of this one: twice as many at most, so that one page of small ones misleads little. */
function nextPageSize(limit: number, { items }: ListPage<PayloadObject>): number {
  const bytes = (items ?? []).reduce((sum, object) => sum + sizeOf(object), 0);
  const fitting = bytes === 0 ? limit * 2 : Math.floor((pageBytes / bytes) * (items?.length ?? 0));
  return Math.max(1, Math.min(largestPageSize, limit * 2, fitting));
}

function sizeOf({ data, binaryData, metadata }: PayloadObject): number {
  return [data, binaryData, metadata.annotations].reduce(
    (sum, map) => Object.values(map ?? {}).reduce((bytes, value) => bytes + value.length, sum),
    500,
  );
}
