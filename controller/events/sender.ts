import type { KubeClient } from '../../shared/kube/client.ts';
import { ApiError, isApiError, TransportError } from '../../shared/kube/errors.ts';
import { events } from '../../shared/kube/resource.ts';
import { RecentMap } from './recent.ts';
import {
  type EventNote,
  eventNamespace,
  eventTime,
  type KubeEvent,
  newEvent,
  type Reporter,
} from './record.ts';

/** A note that waits, and how often it was made since it was sent last. Times are epoch milliseconds. */
export interface PendingEvent {
  readonly key: string;
  /** The name of the Event if one is created; the same on each attempt, so that a retry cannot make a second one. */
  readonly name: string;
  readonly note: EventNote;
  readonly first: number;
  last: number;
  count: number;
}

export type SendResult =
  | { readonly failure: undefined }
  | { readonly failure: string; readonly retryable: boolean; readonly retryAfterMs: number };

/** Milliseconds for one request: Events are not worth more waiting. */
const requestTimeoutMs = 5_000;

/** Writes Events, and raises the count of one that says the same. */
export class EventSender {
  readonly #client: Pick<KubeClient, 'create' | 'patch'>;
  readonly #reporter: Reporter;
  /** What was written, by note. */
  readonly #written: RecentMap<string, { readonly name: string; readonly count: number }>;

  constructor(client: Pick<KubeClient, 'create' | 'patch'>, reporter: Reporter, memoryLimit: number) {
    this.#client = client;
    this.#reporter = reporter;
    this.#written = new RecentMap(memoryLimit);
  }

  /** One attempt. Never rejects. */
  async send(event: PendingEvent, signal: AbortSignal): Promise<SendResult> {
    try {
      const written = this.#written.get(event.key);
      if (written === undefined || !(await this.#raise(written, event, signal))) {
        await this.#create(event, signal);
      }
      return { failure: undefined };
    } catch (error) {
      if (error instanceof ApiError) {
        const retryable = error.status >= 500 || error.reason === 'TooManyRequests';
        return { failure: error.reason, retryable, retryAfterMs: error.retryAfterMs ?? 0 };
      }
      const known = error instanceof TransportError;
      return { failure: known ? error.reason : errorName(error), retryable: known, retryAfterMs: 0 };
    }
  }

  /** False where the Event is gone; API servers keep Events for an hour. */
  async #raise(
    written: { readonly name: string; readonly count: number },
    event: PendingEvent,
    signal: AbortSignal,
  ): Promise<boolean> {
    // The absolute count makes a repeated patch harmless.
    const count = written.count + event.count;
    const patch = { count, lastTimestamp: eventTime(event.last) };
    const namespace = eventNamespace(event.note.object);
    try {
      await this.#client.patch(events, namespace, written.name, 'merge', patch, {
        signal,
        timeoutMs: requestTimeoutMs,
      });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      this.#written.delete(event.key);
      return false;
    }
    this.#written.set(event.key, { name: written.name, count });
    return true;
  }

  async #create(event: PendingEvent, signal: AbortSignal): Promise<void> {
    const object = newEvent(event.name, event.note, this.#reporter, event);
    try {
      await this.#client.create<KubeEvent>(events, object, { signal, timeoutMs: requestTimeoutMs });
    } catch (error) {
      // An earlier attempt arrived though its answer did not: names are random, nobody else's Event has this one.
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
    this.#written.set(event.key, { name: event.name, count: event.count });
  }
}

function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
