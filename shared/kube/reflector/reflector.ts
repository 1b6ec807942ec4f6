import type { Clock, Random } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import { type BackoffOptions, backoffMs } from '../backoff.ts';
import type { KubeClient, Shape } from '../client.ts';
import { ApiError, isApiError, TransportError } from '../errors.ts';
import type { KubeObject } from '../object.ts';
import { wentBack } from '../object.ts';
import type { Resource } from '../resource.ts';
import { guarded, HandlerFault, type ReflectorHandler } from './handler.ts';
import { listAll } from './list.ts';

export type { ObjectEvent, ReflectorHandler } from './handler.ts';

export interface ReflectorOptions<T extends KubeObject, S> {
  readonly client: Pick<KubeClient, 'list' | 'watch' | 'server'>;
  readonly resource: Resource;
  /** All namespaces when absent. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Shape of lists until one was delivered. */
  readonly firstListShape: Shape;
  /** Shape of watches and later lists. */
  readonly shape: Shape;
  /** Objects a page; 500 unless given. */
  readonly pageSize?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly handler: ReflectorHandler<T, S>;
  /**
   * Called when an answer is there and before the handler sees any of it: a list was finished (`position` undefined),
   * or a watch was opened at `position`. What it throws counts as the failure of that attempt.
   */
  readonly confirm?: ((position: string | undefined, signal: AbortSignal) => Promise<void>) | undefined;
  /** The server is asked to end a watch after this many seconds to twice as many; 300, as in client-go. */
  readonly minWatchSeconds?: number | undefined;
  /** Milliseconds of silence after which a watch counts as dead; 180 s: on a quiet server (1.36) the first bookmark came after 120 s, then one a minute. */
  readonly idleTimeoutMs?: number | undefined;
  /** Between attempts that failed; 0.3 s to 10 s. Lists that are refused for lack of rights: up to 2 min. */
  readonly backoff?: BackoffOptions | undefined;
}

/** Objects a page, unless given: as in client-go's pager; and the least after lists that did not come to an end in time. */
const defaultPageSize = 500;
const smallestPageSize = 10;
/** Missing rights last until somebody grants them, in milliseconds: there can be a list for each of hundreds of namespaces. */
const longestRefusalMs = 120_000;
/** A watch that ends sooner than this without a word made no progress, in milliseconds. */
const shortWatchMs = 1_000;
/** After this many watches in a row that died of silence without a word, their starting point is not trusted. */
const silentWatchesBeforeRelist = 2;

/**
 * Mirrors a collection into its handler: a finished list, then every change, for as long as it runs. It resumes
 * after cut streams, and lists again where history is gone or not trusted.
 */
export class Reflector<T extends KubeObject, S> {
  readonly #options: ReflectorOptions<T, S>;
  readonly #backoff: BackoffOptions;
  #pageSize: number;
  #synced = false;
  #lastContact: number | undefined;
  #relistWanted = false;
  /** Where the next watch starts; undefined asks for a list. */
  #position: string | undefined;
  /** Failures since the stream last made progress. */
  #failures = 0;
  #silentWatches = 0;
  #endSleep: (() => void) | undefined;
  #endWatch: (() => void) | undefined;

  constructor(options: ReflectorOptions<T, S>) {
    this.#options = options;
    this.#pageSize = options.pageSize ?? defaultPageSize;
    this.#backoff = options.backoff ?? { baseMs: 300, maxMs: 10_000 };
  }

  /** A finished list was delivered. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Monotonic milliseconds of the last proof that the stream lives: a page of a list, an event or a bookmark. */
  get lastContact(): number | undefined {
    return this.#lastContact;
  }

  /** Ends a back-off at once and forgets the failures behind it: somebody knows that the server is back. */
  wake(): void {
    this.#failures = 0;
    this.#endSleep?.();
  }

  /** Asks for a list that starts after this call. A running watch ends for it; a back-off is waited out. */
  relist(): void {
    this.#relistWanted = true;
    this.#endWatch?.();
  }

  /** Runs until `signal` aborts. Never rejects: what fails is reported to the handler and retried. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const phase = this.#position === undefined || this.#relistWanted ? 'list' : 'watch';
      let delay: number | undefined;
      try {
        if (phase === 'list') await this.#list(signal);
        else if (this.#position !== undefined) delay = await this.#watch(this.#position, signal);
      } catch (error) {
        if (signal.aborted) return;
        delay = this.#afterFailure(error, phase);
      }
      if (delay !== undefined) await this.#sleep(delay, signal);
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { handler } = this.#options;
    this.#relistWanted = false;
    this.#position = undefined;
    guarded('listing', () => handler.listing?.());
    const list = await listAll<T, S>({
      client: this.#options.client,
      resource: this.#options.resource,
      namespace: this.#options.namespace,
      labelSelector: this.#options.labelSelector,
      fieldSelector: this.#options.fieldSelector,
      shape: this.#synced ? this.#options.shape : this.#options.firstListShape,
      pageSize: this.#pageSize,
      signal,
      project: (object) => guarded('project', () => handler.project(object)),
      onPage: () => this.#contact(),
    });
    await this.#options.confirm?.(undefined, signal);
    if (signal.aborted) return;
    const first = !this.#synced;
    guarded('replaced', () => handler.replaced(list.items, { resourceVersion: list.resourceVersion, first }));
    this.#synced = true;
    this.#silentWatches = 0;
    this.#position = list.resourceVersion;
    this.#pageSize = Math.min(this.#options.pageSize ?? defaultPageSize, 2 * this.#pageSize);
  }

  /** One watch. Returns the delay before the next, undefined for none. */
  async #watch(position: string, signal: AbortSignal): Promise<number | undefined> {
    const { clock, random, handler } = this.#options;
    const minSeconds = this.#options.minWatchSeconds ?? 300;
    const started = clock.monotonic();
    // Linked by hand rather than by AbortSignal.any: the listener must go with the watch, `signal` outlives thousands.
    const ended = new AbortController();
    const end = (): void => ended.abort();
    signal.addEventListener('abort', end, { once: true });
    this.#endWatch = end;
    let opened = false;
    let spoke = false;
    try {
      const stream = await this.#options.client.watch<T>(this.#options.resource, {
        namespace: this.#options.namespace,
        labelSelector: this.#options.labelSelector,
        fieldSelector: this.#options.fieldSelector,
        resourceVersion: position,
        shape: this.#options.shape,
        timeoutSeconds: Math.floor(minSeconds * (1 + random())),
        idleTimeoutMs: this.#options.idleTimeoutMs ?? 180_000,
        signal: ended.signal,
      });
      await this.#options.confirm?.(position, ended.signal);
      opened = true;
      for await (const event of stream) {
        // A relist or a stop was asked for between two events of one chunk.
        if (ended.signal.aborted) return undefined;
        const version =
          event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion;
        if (version !== undefined && wentBack(version, this.#position ?? position)) {
          this.#options.logger.warn('resource versions went back, listing again', this.#logFields());
          throw new ApiError(410, 'Gone');
        }
        if (event.type !== 'BOOKMARK') guarded('event', () => handler.event(event));
        // Only after the handler took it, so that a handler that always throws meets a growing back-off.
        this.#position = version ?? this.#position;
        this.#contact();
        spoke = true;
        this.#failures = 0;
        this.#silentWatches = 0;
      }
    } catch (error) {
      if (ended.signal.aborted && !(error instanceof HandlerFault)) return undefined;
      // A stream that was not confirmed is read by nobody.
      end();
      const silent = opened && !spoke && error instanceof TransportError && error.reason === 'Timeout';
      if (silent) this.#silentWatches += 1;
      throw error;
    } finally {
      signal.removeEventListener('abort', end);
      this.#endWatch = undefined;
    }
    if (ended.signal.aborted) return undefined;
    if (!spoke && clock.monotonic() - started < shortWatchMs) return this.#nextBackoff();
    this.#failures = 0;
    return undefined;
  }

  #afterFailure(error: unknown, phase: 'list' | 'watch'): number {
    if (error instanceof HandlerFault) {
      this.#position = undefined;
      this.#options.logger.error('reflector handler failed, listing again', {
        ...this.#logFields(),
        error: error.message,
        cause: error.cause instanceof Error ? error.cause.name : typeof error.cause,
      });
      return this.#nextBackoff();
    }
    // 410 comes as the answer or in the stream. BadRequest is what a version of another storage can meet.
    if (isApiError(error, 'Gone', 'BadRequest')) this.#position = undefined;
    if (phase === 'list' && error instanceof TransportError && error.sent) {
      // Perhaps a page is more than the line carries in time, or more than a proxy lets through.
      const half = Math.max(smallestPageSize, Math.floor(this.#pageSize / 2));
      this.#pageSize = Math.min(this.#pageSize, half);
    }
    // A watch from a version that the server has yet to reach (a restored etcd) is accepted, and says nothing.
    if (this.#silentWatches >= silentWatchesBeforeRelist) this.#position = undefined;
    this.#options.logger.debug('reflector attempt failed', {
      ...this.#logFields(),
      phase,
      error: error instanceof Error ? error.message : 'not an Error',
    });
    try {
      this.#options.handler.failed(error, phase);
    } catch (fault) {
      this.#options.logger.error('reflector handler failed in failed()', {
        ...this.#logFields(),
        cause: fault instanceof Error ? fault.name : typeof fault,
      });
    }
    const isRefused = phase === 'list' && isApiError(error, 'Forbidden');
    const delay = this.#nextBackoff(isRefused ? longestRefusalMs : undefined);
    const retryAfter = error instanceof ApiError ? error.retryAfterMs : undefined;
    return retryAfter === undefined ? delay : retryAfter + delay;
  }

  #nextBackoff(maxMs = this.#backoff.maxMs): number {
    const delay = backoffMs(this.#failures, { ...this.#backoff, maxMs }, this.#options.random);
    this.#failures += 1;
    return delay;
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const end = (): void => woken.abort();
    signal.addEventListener('abort', end, { once: true });
    this.#endSleep = end;
    if (signal.aborted) end();
    await this.#options.clock.sleep(ms, woken.signal);
    signal.removeEventListener('abort', end);
    this.#endSleep = undefined;
  }

  #contact(): void {
    this.#lastContact = this.#options.clock.monotonic();
  }

  #logFields(): { server: string; resource: string } {
    return { server: this.#options.client.server, resource: this.#options.resource.plural };
  }
}
