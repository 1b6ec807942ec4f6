import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Clock } from '../../clock.ts';
import { AbortedError, TransportError } from '../errors.ts';
import { transportFailure } from './failure.ts';

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly date: string | undefined;
  readonly flowSchema: string | undefined;
  readonly text: string;
}

export interface Exchange {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string | null;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Milliseconds by which a timer may be late before the event loop counts as blocked. */
const blockedMs = 50;

/**
 * One request and its whole answer. `timeoutMs` bounds the wait for a connection, and starts again when the request is
 * sent; time in which the event loop was blocked is added, since an answer that arrived meanwhile could not be read. Built
 * on `dispatch` for two things that undici's `request` does not have: it shows whether the request was written at all,
 * and no stream is made for an answer that is wanted whole.
 */
export function exchange(dispatcher: Dispatcher, clock: Clock, what: Exchange): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const handler = new ExchangeHandler(what, clock, resolve, reject);
    try {
      // The declared type wants a mutable record; undici only reads it.
      const headers = what.headers as Record<string, string | string[]>;
      dispatcher.dispatch(
        { origin: what.origin, path: what.path, method: what.method, headers, body: what.body },
        handler,
      );
    } catch (error) {
      handler.fail(transportFailure(error, false, what.origin));
    }
  });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #what: Exchange;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: Error) => void;
  readonly #clock: Clock;
  #cancelDeadline: () => void = () => {};
  #controller: Dispatcher.DispatchController | undefined;
  #written = false;
  #settled = false;
  #status = 0;
  #retryAfter: string | undefined;
  #date: string | undefined;
  #flowSchema: string | undefined;
  #first: Buffer | undefined;
  #rest: Buffer[] | undefined;

  constructor(
    what: Exchange,
    clock: Clock,
    resolve: (answer: Answer) => void,
    reject: (error: Error) => void,
  ) {
    this.#what = what;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#clock = clock;
    this.#startDeadline(what.timeoutMs);
    what.signal?.addEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => {
    this.fail(new AbortedError());
  };

  #startDeadline(ms: number): void {
    this.#cancelDeadline();
    const due = this.#clock.monotonic() + ms;
    this.#cancelDeadline = this.#clock.schedule(ms, () => {
      const lateMs = this.#clock.monotonic() - due;
      if (lateMs > blockedMs) {
        this.#startDeadline(lateMs);
        return;
      }
      const { origin, timeoutMs } = this.#what;
      this.fail(new TransportError('Timeout', this.#written, `${origin} (${timeoutMs} ms)`));
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settled) {
      controller.abort(new AbortedError());
      return;
    }
    this.#controller = controller;
    this.#written = true;
    this.#startDeadline(this.#what.timeoutMs);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    this.#status = status;
    this.#retryAfter = headers['retry-after'];
    this.#date = headers.date;
    const flowSchema = headers['x-kubernetes-pf-flowschema-uid'];
    this.#flowSchema = typeof flowSchema === 'string' ? flowSchema : undefined;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#first === undefined) {
      this.#first = chunk;
    } else {
      this.#rest ??= [this.#first];
      this.#rest.push(chunk);
    }
  }

  onResponseEnd(): void {
    if (this.#settle()) {
      const body = this.#rest === undefined ? this.#first : Buffer.concat(this.#rest);
      this.#resolve({
        status: this.#status,
        retryAfter: this.#retryAfter,
        date: this.#date,
        flowSchema: this.#flowSchema,
        text: body === undefined ? '' : body.toString('utf8'),
      });
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(transportFailure(error, this.#written, this.#what.origin));
  }

  /** Ends the exchange, and with it the connection that it is on: what arrives there belongs to nobody. */
  fail(error: Error): void {
    if (this.#settle()) {
      this.#reject(error);
      this.#controller?.abort(error);
    }
  }

  /** True for the first of all outcomes. */
  #settle(): boolean {
    if (this.#settled) {
      return false;
    }
    this.#settled = true;
    this.#cancelDeadline();
    this.#what.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
