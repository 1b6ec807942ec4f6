import type { Dispatcher } from 'undici';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { openDispatcher } from './connection-dispatcher.ts';
import type { ConnectionSpec } from './connection-spec.ts';
import {
  buildCredentials,
  type Credentials,
  type MaterialTexts,
  readMaterial,
  readsFiles,
} from './credentials.ts';
import { AbortedError } from './errors.ts';

export interface SessionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly userAgent: string;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
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

/** Files are looked at this often at most: client-go's rhythm. The kubelet renews a token long before it expires. */
const lookAgainMs = 60_000;

/**
 * Bytes of one answer that is taken whole. A page of 500 Secrets of 1 MiB does not fit, and is never asked for: lists
 * are of metadata. It bounds what a broken server can make us hold.
 */
const maxAnswerBytes = 128 * 1024 * 1024;

/**
 * Keeps one session and renews it when its files change. TLS material that changed means new connections, and the old ones
 * go when the last request and watch on them is done; a token that changed means new headers. Files that became
 * unreadable, empty or unfit for each other leave the last good session in use.
 */
export class SessionKeeper {
  readonly #spec: ConnectionSpec;
  readonly #options: SessionOptions;
  readonly #origin: string;
  readonly #fromFiles: boolean;
  #session: Session | undefined;
  #lookedAt = 0;
  #looking: Promise<Session> | undefined;
  #closed = false;
  readonly #draining = new Set<Dispatcher>();

  constructor(spec: ConnectionSpec, options: SessionOptions) {
    this.#spec = spec;
    this.#options = options;
    this.#origin = new URL(spec.server).origin;
    this.#fromFiles = readsFiles(spec);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The session without waiting, or undefined where something must be read first: then use `open`. */
  get current(): Session | undefined {
    return this.#fromFiles && this.#options.clock.monotonic() - this.#lookedAt > lookAgainMs
      ? undefined
      : this.#session;
  }

  /** Looks at the files; callers at the same time share one look. Throws CredentialsError where there never was a good session. */
  async open(): Promise<Session> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return await this.#looking;
  }

  /** A session other than the one that was just refused, or undefined where there is nothing new to try. */
  async renewed(refused: Session): Promise<Session | undefined> {
    const session = !this.#fromFiles || this.#session !== refused ? this.#session : await this.open();
    return session === refused ? undefined : session;
  }

  /** Requests and watches under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = new Set(this.#draining);
    if (this.#session !== undefined) {
      all.add(this.#session.requests).add(this.#session.watches);
    }
    this.#session = undefined;
    await Promise.all([...all].map((dispatcher) => dispatcher.destroy(new AbortedError())));
  }

  async #look(): Promise<Session> {
    let credentials: Credentials | undefined;
    try {
      const texts = await readMaterial(this.#spec);
      if (this.#session === undefined || !sameTexts(this.#session.credentials.texts, texts)) {
        credentials = await buildCredentials(this.#spec, texts);
      }
    } catch (error) {
      if (this.#session === undefined) {
        throw error;
      }
      this.#options.logger.warn('credential files cannot be used, the last good ones stay in use', {
        server: this.#spec.server,
        problem: error instanceof Error ? error.message : 'unknown',
      });
    }
    if (this.#closed) {
      throw new AbortedError();
    }
    this.#lookedAt = this.#options.clock.monotonic();
    const old = this.#session;
    if (credentials === undefined && old !== undefined) {
      return old;
    }
    if (credentials === undefined) {
      throw new AbortedError();
    }
    this.#session = this.#replace(old, credentials);
    return this.#session;
  }

  #replace(old: Session | undefined, credentials: Credentials): Session {
    const headers = headerSets(credentials, this.#options.userAgent);
    if (old === undefined) {
      return {
        credentials,
        headers,
        requests: this.#dispatcher(credentials, false),
        watches: this.#dispatcher(credentials, true),
      };
    }
    this.#options.logger.info('credential files changed', { server: this.#spec.server });
    if (sameTls(old.credentials.texts, credentials.texts)) {
      return { credentials, headers, requests: old.requests, watches: old.watches };
    }
    this.#drain(old.requests);
    this.#drain(old.watches);
    return {
      credentials,
      headers,
      requests: this.#dispatcher(credentials, false),
      watches: this.#dispatcher(credentials, true),
    };
  }

  #dispatcher(credentials: Credentials, forWatches: boolean): Dispatcher {
    return openDispatcher({
      origin: this.#origin,
      proxyUrl: this.#spec.proxyUrl,
      tls: credentials.tls,
      connectTimeoutMs: this.#options.connectTimeoutMs,
      maxConnections: forWatches ? null : this.#options.maxConnections,
      maxAnswerBytes: forWatches ? -1 : maxAnswerBytes,
    });
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

function sameTexts(a: MaterialTexts, b: MaterialTexts): boolean {
  return sameTls(a, b) && a.token === b.token;
}
