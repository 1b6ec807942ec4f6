import type { Dispatcher } from 'undici';
import type { Clock } from '../../clock.ts';
import type { WatchEvent } from '../client.ts';
import { AbortedError, TransportError } from '../errors.ts';
import type { KubeObject } from '../object.ts';
import type { Question } from './answer.ts';
import { transportFailure } from './failure.ts';
import { LineSplitter, parseWatchLine } from './watch-stream.ts';

export interface StreamRequest {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Milliseconds until the headers must be there. */
  readonly openTimeoutMs: number;
  /** Milliseconds without a byte after which the stream counts as dead. */
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly question: Question;
  /** True once the connection was closed by us. */
  readonly closed: () => boolean;
}

/** The stream of a watch, or the complete answer where it is not 200. */
export type OpenedWatch<T extends KubeObject> =
  | { readonly events: AsyncIterable<WatchEvent<T>> }
  | { readonly status: number; readonly retryAfter: string | undefined; readonly text: string };

/**
 * Opens a watch. The events can be iterated once; leaving the iteration early ends the connection. A stream that is never
 * iterated is held open until the signal aborts.
 */
export async function openWatch<T extends KubeObject>(
  dispatcher: Dispatcher,
  clock: Clock,
  request: StreamRequest,
): Promise<OpenedWatch<T>> {
  const stream = new WatchConnection(clock, request);
  let response: Dispatcher.ResponseData;
  try {
    const opening = dispatcher.request({
      origin: request.origin,
      path: request.path,
      method: 'GET',
      // The declared type wants a mutable record; undici only reads it.
      headers: request.headers as Record<string, string | string[]>,
      signal: stream.signal,
    });
    response = await stream.within(request.openTimeoutMs, opening);
    if (response.statusCode !== 200) {
      const text = await stream.within(request.openTimeoutMs, response.body.text());
      stream.end();
      const retryAfter = response.headers['retry-after'];
      return {
        status: response.statusCode,
        retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
        text,
      };
    }
  } catch (error) {
    const failure = stream.failure(error);
    stream.end();
    throw failure;
  }
  return { events: readEvents<T>(stream, response.body, request) };
}

async function* readEvents<T extends KubeObject>(
  stream: WatchConnection,
  body: Dispatcher.ResponseData['body'],
  request: StreamRequest,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const lines = new LineSplitter();
  // Chunks of a stream without an encoding are Buffers.
  const chunks: AsyncIterator<Buffer> = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      let next: IteratorResult<Buffer>;
      try {
        // Only waiting counts as silence: while the caller works on an event nobody reads.
        next = await stream.within(request.idleTimeoutMs, chunks.next());
      } catch (error) {
        throw stream.failure(error);
      }
      if (next.done === true) {
        break;
      }
      for (const line of lines.push(next.value)) {
        yield parseWatchLine<T>(line, request.question);
      }
    }
    if (lines.partial) {
      throw new TransportError('ConnectionReset', true, `${request.origin} (a watch ended within a line)`);
    }
  } finally {
    stream.end();
    // Whatever broke the stream was thrown above; here it is only to be closed.
    body.on('error', () => {}).destroy();
  }
}

/** What can end a watch from our side: the caller's signal and silence. */
class WatchConnection {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #request: StreamRequest;
  #silent = false;
  #deadline = Number.POSITIVE_INFINITY;
  #timer: { readonly due: number; readonly cancel: () => void } | undefined;

  constructor(clock: Clock, request: StreamRequest) {
    this.#clock = clock;
    this.#request = request;
    request.signal.addEventListener('abort', this.#onAbort);
    if (request.signal.aborted) {
      this.#onAbort();
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly #onAbort = (): void => {
    this.#controller.abort(new AbortedError());
  };

  /** Awaits one step, which must come within this many milliseconds. One timer serves many steps. */
  async within<R>(ms: number, step: Promise<R>): Promise<R> {
    this.#deadline = this.#clock.monotonic() + ms;
    if (this.#timer === undefined || this.#timer.due > this.#deadline) {
      this.#arm(ms);
    }
    try {
      return await step;
    } finally {
      this.#deadline = Number.POSITIVE_INFINITY;
    }
  }

  #arm(ms: number): void {
    this.#timer?.cancel();
    const cancel = this.#clock.schedule(ms, () => {
      this.#timer = undefined;
      if (this.#deadline === Number.POSITIVE_INFINITY) {
        return;
      }
      const left = this.#deadline - this.#clock.monotonic();
      if (left > 0) {
        this.#arm(left);
        return;
      }
      this.#silent = true;
      this.#controller.abort(new AbortedError());
    });
    this.#timer = { due: this.#clock.monotonic() + ms, cancel };
  }

  /** The reason why the stream broke, our own doing first. */
  failure(error: unknown): Error {
    if (this.#silent) {
      return new TransportError('Timeout', true, `${this.#request.origin} (a watch was silent)`);
    }
    if (this.#request.signal.aborted || this.#request.closed()) {
      return new AbortedError();
    }
    return transportFailure(error, true, this.#request.origin);
  }

  end(): void {
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
