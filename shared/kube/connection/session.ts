import type { Dispatcher } from 'undici';
import type { CredentialKeeper, CredentialState } from '../credentials/credential-keeper.ts';
import type { Credentials, MaterialTexts } from '../credentials/credentials.ts';
import { AbortedError, TransportError } from '../errors.ts';
import type { ConnectionSpec } from '../kubeconfig/spec.ts';
import { openDispatcher } from './dispatcher.ts';

export interface SessionOptions {
  readonly userAgent: string;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
  readonly keepAlive: boolean;
  readonly onConnected: (() => void) | undefined;
}

type Headers = Readonly<Record<string, string | string[]>>;

/** Credentials in use, and the connections that were opened with them. */
export interface Session {
  readonly credentials: Credentials;
  readonly requests: Dispatcher;
  /** Apart from requests, so that streams that last never take a request's place. */
  readonly watches: Dispatcher;
  /** The same record for the same media types: nothing is built per request. */
  headers(accept: string, contentType?: string): Headers;
}

/**
 * Bytes of one answer that is taken whole. A page of 500 Secrets of 1 MiB does not fit, and is never asked for: lists
 * are of metadata. It bounds what a broken server can make us hold.
 */
const maxAnswerBytes = 128 * 1024 * 1024;

/**
 * Keeps one session for the credentials that are current. Other TLS material means new connections, and the old ones
 * go when the last request and watch on them is done; another token means other headers on the same connections.
 */
export class SessionKeeper {
  readonly #spec: ConnectionSpec;
  readonly #credentials: CredentialKeeper;
  readonly #options: SessionOptions;
  readonly #origin: string;
  #session: Session | undefined;
  #closed = false;
  readonly #draining = new Set<Dispatcher>();

  constructor(spec: ConnectionSpec, credentials: CredentialKeeper, options: SessionOptions) {
    this.#spec = spec;
    this.#credentials = credentials;
    this.#options = options;
    this.#origin = new URL(spec.server).origin;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get credential(): CredentialState {
    return this.#credentials.state;
  }

  /** The session without waiting, or undefined where credentials must be obtained first: then use `open`. */
  get current(): Session | undefined {
    const credentials = this.#credentials.current;
    return credentials === undefined ? undefined : this.#sessionOf(credentials);
  }

  /** Throws CredentialsError where no credentials can be had. */
  async open(): Promise<Session> {
    return this.#sessionOf(await this.#credentials.obtain());
  }

  /** A session other than the one that was just refused, or undefined where there is nothing new to try. */
  async renewed(refused: Session): Promise<Session | undefined> {
    const credentials = await this.#credentials.renewed(refused.credentials);
    return credentials === undefined ? undefined : this.#sessionOf(credentials);
  }

  /** Ends all connections; later requests open new ones. Requests and watches under way fail. */
  reconnect(): void {
    // destroy() does not fail: undici resolves it once the sockets are gone.
    void this.#destroy(new TransportError('ConnectionReset', true, this.#origin));
  }

  /** Requests and watches under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#credentials.close();
    await this.#destroy(new AbortedError());
  }

  async #destroy(failure: Error): Promise<void> {
    const all = new Set(this.#draining);
    if (this.#session !== undefined) {
      all.add(this.#session.requests).add(this.#session.watches);
    }
    this.#session = undefined;
    await Promise.all([...all].map((dispatcher) => dispatcher.destroy(failure)));
  }

  #sessionOf(credentials: Credentials): Session {
    if (this.#closed) {
      throw new AbortedError();
    }
    if (this.#session?.credentials !== credentials) {
      this.#session = this.#replace(this.#session, credentials);
    }
    return this.#session;
  }

  #replace(old: Session | undefined, credentials: Credentials): Session {
    const headers = headerSets(credentials, this.#options.userAgent);
    if (old !== undefined && sameTls(old.credentials.texts, credentials.texts)) {
      return { credentials, headers, requests: old.requests, watches: old.watches };
    }
    if (old !== undefined) {
      this.#drain(old.requests);
      this.#drain(old.watches);
    }
    return {
      credentials,
      headers,
      requests: this.#dispatcher(credentials, false),
      watches: this.#dispatcher(credentials, true),
    };
  }

  #dispatcher(credentials: Credentials, forWatches: boolean): Dispatcher {
    const dispatcher = openDispatcher({
      origin: this.#origin,
      proxyUrl: this.#spec.proxyUrl,
      tls: credentials.tls,
      connectTimeoutMs: this.#options.connectTimeoutMs,
      maxConnections: forWatches ? null : this.#options.maxConnections,
      keepAlive: this.#options.keepAlive,
      maxAnswerBytes: forWatches ? -1 : maxAnswerBytes,
    });
    const { onConnected } = this.#options;
    if (onConnected !== undefined && !forWatches) {
      dispatcher.on('connect', () => {
        onConnected();
      });
    }
    return dispatcher;
  }

  #drain(dispatcher: Dispatcher): void {
    this.#draining.add(dispatcher);
    // close() can only fail where our own close() destroys what is still draining.
    dispatcher
      .close()
      .catch(() => {})
      .finally(() => this.#draining.delete(dispatcher));
  }
}

function headerSets(credentials: Credentials, userAgent: string): Session['headers'] {
  const sets = new Map<string, Headers>();
  return (accept, contentType) => {
    const key = contentType === undefined ? accept : `${accept} ${contentType}`;
    let headers = sets.get(key);
    if (headers === undefined) {
      headers = {
        ...credentials.headers,
        accept,
        'user-agent': userAgent,
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
      };
      sets.set(key, headers);
    }
    return headers;
  };
}

function sameTls(a: MaterialTexts, b: MaterialTexts): boolean {
  return a.ca === b.ca && a.certificate === b.certificate && a.key === b.key;
}
