import type { Clock, Random } from '../../shared/clock.ts';
import { backoffMs } from '../../shared/kube/backoff.ts';
import type { KubeClient } from '../../shared/kube/client.ts';
import type { Logger } from '../../shared/logger.ts';
import { TokenBucket } from '../../shared/token-bucket.ts';
import { RecentMap } from './recent.ts';
import { cutMessage, type EventNote, eventName, noteKey } from './record.ts';
import { EventSender, type PendingEvent } from './sender.ts';

export type { EventNote, EventSubject } from './record.ts';

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'patch'>;
  /** Who reports, such as `context-syncer`, and which process of it. */
  readonly component: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Events that wait to be sent; the oldest is dropped for a new one. 1000. */
  readonly queueLimit?: number | undefined;
  /** Events, and objects, whose recent past is remembered for counting and limiting. 4096, as in client-go. */
  readonly memoryLimit?: number | undefined;
}

export interface EventRecorder {
  /** Notes an Event to be sent. Never throws, never waits; what is over a limit is dropped and counted. */
  record(note: EventNote): void;
  /** Sends until `signal` aborts, then for at most 2 s more what is left. Never rejects. Run it once. */
  run(signal: AbortSignal): Promise<void>;
  /** Events that were dropped so far: over a limit, refused by the API server, or left at the end. */
  readonly dropped: number;
}

/** All Events together: 50 at once, then 10 a second; an API server must not feel us. */
const overall = { burst: 50, everyMs: 100 };
/** Events of one object: 10 at once, then one in 30 s, so that one contested object does not crowd out the others. */
const perObject = { burst: 10, everyMs: 30_000 };
/** How long an ending process still sends, in milliseconds. */
const flushMs = 2_000;
/** Requests for one Event: the first and its retries. */
const maxAttempts = 3;
const retryBackoff = { baseMs: 500, maxMs: 5_000 };

/** Events about objects, written off the path of the work that they report. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new QueuedRecorder(options);
}

class QueuedRecorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #sender: EventSender;
  readonly #overall: TokenBucket;
  readonly #objects: RecentMap<string, TokenBucket>;
  readonly #queueLimit: number;
  /** In order of arrival; a note that already waits is counted there. */
  readonly #queue = new Map<string, PendingEvent>();
  #dropped = 0;
  #ended = false;
  #arrived: (() => void) | undefined;
  #failing: string | undefined;

  constructor(options: EventRecorderOptions) {
    const memoryLimit = options.memoryLimit ?? 4_096;
    this.#options = options;
    this.#queueLimit = options.queueLimit ?? 1_000;
    this.#sender = new EventSender(options.client, options, memoryLimit);
    this.#overall = new TokenBucket(overall.burst, overall.everyMs, options.clock);
    this.#objects = new RecentMap(memoryLimit);
  }

  get dropped(): number {
    return this.#dropped;
  }

  record(given: EventNote): void {
    const note = { ...given, message: cutMessage(given.message) };
    const key = noteKey(note);
    const now = this.#options.clock.now();
    const waiting = this.#queue.get(key);
    if (waiting !== undefined) {
      waiting.count += 1;
      waiting.last = now;
      return;
    }
    if (this.#ended || !this.#bucketOf(note.object.uid).take()) {
      this.#dropped += 1;
      return;
    }
    const name = eventName(note.object.name, this.#options.random);
    this.#queue.set(key, { key, name, note, first: now, last: now, count: 1 });
    if (this.#queue.size > this.#queueLimit) this.#next(true);
    this.#arrived?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const over = new AbortController();
    let cancel = (): void => {};
    const stop = (): void => {
      cancel = clock.schedule(flushMs, () => over.abort());
      this.#arrived?.();
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    while (!over.signal.aborted) {
      if (this.#queue.size === 0) {
        if (signal.aborted) break;
        await new Promise<void>((resolve) => {
          this.#arrived = resolve;
        });
        this.#arrived = undefined;
      } else if (this.#overall.take()) {
        const event = this.#next(false);
        if (event !== undefined) await this.#send(event, over.signal);
      } else {
        await clock.sleep(this.#overall.wait(), over.signal);
      }
    }
    cancel();
    signal.removeEventListener('abort', stop);
    this.#ended = true;
    this.#dropped += this.#queue.size;
    this.#queue.clear();
  }

  /** Takes the oldest Event off the queue. */
  #next(drop: boolean): PendingEvent | undefined {
    const [oldest] = this.#queue.values();
    if (oldest === undefined) return undefined;
    this.#queue.delete(oldest.key);
    if (drop) this.#dropped += 1;
    return oldest;
  }

  async #send(event: PendingEvent, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const result = await this.#sender.send(event, signal);
      this.#tell(result.failure);
      if (result.failure === undefined) return;
      if (!result.retryable || attempt + 1 >= maxAttempts || signal.aborted) {
        this.#dropped += 1;
        return;
      }
      const delay = backoffMs(attempt, retryBackoff, this.#options.random);
      await this.#options.clock.sleep(
        Math.max(delay, Math.min(result.retryAfterMs, retryBackoff.maxMs)),
        signal,
      );
    }
  }

  /** Logs transitions only: an API server that is away must not fill the log. */
  #tell(failure: string | undefined): void {
    if (failure === this.#failing) return;
    this.#failing = failure;
    if (failure === undefined) this.#options.logger.info('events are written again');
    else this.#options.logger.warn('events cannot be written', { reason: failure });
  }

  #bucketOf(uid: string): TokenBucket {
    const known = this.#objects.get(uid);
    if (known !== undefined) return known;
    const bucket = new TokenBucket(perObject.burst, perObject.everyMs, this.#options.clock);
    this.#objects.set(uid, bucket);
    return bucket;
  }
}
