import { once } from 'node:events';
import { Pool } from 'undici';
import { trustedJson } from '../json.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface RequestOptions {
  /** A bearer token instead of the admin's. */
  readonly token?: string;
  /** `application/json` when absent. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An answer of 400 and above is a result, too. */
  readonly allowFailure?: boolean;
  readonly signal?: AbortSignal;
}

export interface RequestResult<T> {
  readonly status: number;
  /** The parsed JSON, or the text of an answer that is not JSON. */
  readonly body: T;
}

/** An API server refused a request that the caller expected to work. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly status: number;

  constructor(method: string, path: string, status: number, answer: string) {
    super(`${method} ${path}: ${status} ${answer}`);
    this.status = status;
  }
}

/** A paused server accepts a connection and never answers its TLS. */
const connectTimeoutMs = 5000;

/**
 * Plain requests to one API server over kept-alive connections: how tests look at a cluster and change it
 * without going through the client that they test.
 */
export class Requester {
  readonly #pool: Pool;
  readonly #token: string;

  constructor(url: string, caPem: string, token: string) {
    this.#pool = new Pool(url, { connections: 16, connect: { ca: caPem, timeout: connectTimeoutMs } });
    this.#token = token;
  }

  async request<T = unknown>(
    method: Method,
    path: string,
    body?: unknown,
    options: RequestOptions = {},
  ): Promise<RequestResult<T>> {
    const sent = this.#pool.request({
      method,
      path,
      headers: {
        authorization: `Bearer ${options.token ?? this.#token}`,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
        ...options.headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const answer = await (options.signal === undefined
      ? sent
      : Promise.race([sent, aborted(options.signal)]));
    const text = await answer.body.text();
    if (answer.statusCode >= 400 && options.allowFailure !== true) {
      throw new RequestError(method, path, answer.statusCode, text);
    }
    const isJson = String(answer.headers['content-type'] ?? '').startsWith('application/json');
    return { status: answer.statusCode, body: trustedJson<T>(isJson ? text : JSON.stringify(text)) };
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** Rejects when the signal aborts: undici alone settles a request only after the connect it waits for. */
async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) {
    await once(signal, 'abort');
  }
  throw signal.reason;
}
