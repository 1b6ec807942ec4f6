import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  PatchType,
  RequestOptions,
  Shape,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../client.ts';
import { CredentialKeeper, type CredentialState } from '../credentials/credential-keeper.ts';
import { givenOnly, type Issuers } from '../credentials/issuers.ts';
import { AbortedError, CredentialsError, TransportError } from '../errors.ts';
import type { ConnectionSpec } from '../kubeconfig/spec.ts';
import type { KubeObject, ListPage } from '../object.ts';
import { type Resource, resourcePath } from '../resource.ts';
import { isListPage, isObjectNamed, type Question, refusal } from './answer.ts';
import { isTlsFailure, transportFailure } from './failure.ts';
import { type Answer, type Exchange, exchange } from './request.ts';
import { type Session, SessionKeeper } from './session.ts';
import { openWatch } from './watch.ts';

export interface ConnectOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly userAgent: string;
  /** For contexts whose credentials are issued by a cloud or a plugin; absent, such a context cannot be used. */
  readonly issuers?: Issuers | undefined;
  /** Milliseconds from sending a request to its complete answer, 10,000 unless given. Watches take it for their headers. */
  readonly requestTimeoutMs?: number | undefined;
  /** Milliseconds for TCP and TLS, 5,000 by default. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Requests in flight at once, 512 unless given; the rest wait for their turn. Watches do not count. The scheduler sends
   * fewer, so that a Lease renewal, a probe or a proof never waits for a connection.
   */
  readonly maxConnections?: number | undefined;
  /** Called when a connection for requests was opened; not through a proxy. */
  readonly onConnected?: (() => void) | undefined;
  /** False: every request opens a connection of its own, so that it reaches whatever the address leads to now. */
  readonly keepAlive?: boolean | undefined;
}

/** The name under which our writes appear in `managedFields`. */
const fieldManager = 'context-syncer';

const json = 'application/json';
const metadataList = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
const metadataObject = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
const patchTypes: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
};

/**
 * A client of the API server that this spec names. Nothing is read or opened before the first request. Redirects are
 * not followed: an API server sends none, and credentials must not travel on.
 */
export function connect(spec: ConnectionSpec, options: ConnectOptions): KubeClient {
  return new Connection(spec, options);
}

interface Call {
  readonly method: Exchange['method'];
  readonly path: string;
  readonly question: Question;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: string;
}

class Connection implements KubeClient {
  readonly server: string;
  readonly #origin: string;
  readonly #basePath: string;
  readonly #clock: Clock;
  readonly #requestTimeoutMs: number;
  readonly #keeper: SessionKeeper;

  constructor(spec: ConnectionSpec, options: ConnectOptions) {
    const url = new URL(spec.server);
    this.server = spec.server;
    this.#origin = url.origin;
    this.#basePath = url.pathname === '/' ? '' : url.pathname;
    this.#clock = options.clock;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 10_000;
    const { clock, logger, issuers = givenOnly } = options;
    const credentials = new CredentialKeeper(spec, issuers.provider(spec), {
      clock,
      logger,
      random: issuers.random,
      onObtained: issuers.onObtained,
    });
    this.#keeper = new SessionKeeper(spec, credentials, {
      userAgent: options.userAgent,
      connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
      maxConnections: options.maxConnections ?? 512,
      keepAlive: options.keepAlive ?? true,
      onConnected: options.onConnected,
    });
  }

  get credential(): CredentialState {
    return this.#keeper.credential;
  }

  async get<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options: RequestOptions & { readonly shape?: Shape } = {},
  ): Promise<T> {
    const answer = await this.#call(
      {
        method: 'GET',
        path: resourcePath(resource, namespace, name),
        question: { plural: resource.plural, name },
        accept: options.shape === 'metadata' ? metadataObject : json,
      },
      options,
    );
    const object = this.#parse(answer);
    if (!isObjectNamed<T>(object, name)) {
      throw this.#malformed('something else than the object that was asked for');
    }
    return object;
  }

  async list<T extends KubeObject>(resource: Resource, options: ListOptions): Promise<ListPage<T>> {
    const query = queryString([
      ['labelSelector', options.labelSelector],
      ['fieldSelector', options.fieldSelector],
      ['limit', options.limit],
      ['continue', options.continue],
      ['resourceVersion', options.resourceVersion],
    ]);
    const answer = await this.#call(
      {
        method: 'GET',
        path: resourcePath(resource, options.namespace) + query,
        question: { plural: resource.plural },
        accept: options.shape === 'metadata' ? metadataList : json,
      },
      options,
    );
    const page = this.#parse(answer);
    if (!isListPage<T>(page)) {
      throw this.#malformed('not a list');
    }
    return page;
  }

  async watch<T extends KubeObject>(
    resource: Resource,
    options: WatchOptions,
  ): Promise<AsyncIterable<WatchEvent<T>>> {
    const query = queryString([
      ['watch', 1],
      ['allowWatchBookmarks', 'true'],
      ['resourceVersion', options.resourceVersion],
      ['timeoutSeconds', options.timeoutSeconds],
      ['labelSelector', options.labelSelector],
      ['fieldSelector', options.fieldSelector],
    ]);
    const question = { plural: resource.plural };
    const path = this.#basePath + resourcePath(resource, options.namespace) + query;
    const accept = options.shape === 'metadata' ? metadataObject : json;
    const opened = await this.#withSession(options.signal, async (session) => {
      const watch = await openWatch<T>(session.watches, this.#clock, {
        origin: this.#origin,
        path,
        headers: session.headers(accept),
        openTimeoutMs: this.#requestTimeoutMs,
        idleTimeoutMs: options.idleTimeoutMs,
        signal: options.signal,
        question,
        closed: () => this.#keeper.closed,
      });
      return 'events' in watch ? { status: 200, watch } : { status: watch.status, watch };
    });
    if ('events' in opened.watch) {
      return opened.watch.events;
    }
    throw refusal(opened.watch.status, parseOrNothing(opened.watch.text), question, opened.watch.retryAfter);
  }

  async create<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}): Promise<T> {
    const answer = await this.#call(
      {
        method: 'POST',
        path: resourcePath(resource, object.metadata.namespace) + writeQuery(options),
        question: { plural: resource.plural },
        contentType: json,
        body: JSON.stringify(object),
      },
      options,
    );
    const stored = this.#parse(answer);
    if (!isObjectNamed<T>(stored, object.metadata.name)) {
      throw this.#malformed('something else than the object that was written');
    }
    return stored;
  }

  async update<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata;
    const answer = await this.#call(
      {
        method: 'PUT',
        path: resourcePath(resource, namespace, name) + writeQuery(options),
        question: { plural: resource.plural, name },
        contentType: json,
        body: JSON.stringify(object),
      },
      options,
    );
    const stored = this.#parse(answer);
    if (!isObjectNamed<T>(stored, name)) {
      throw this.#malformed('something else than the object that was written');
    }
    return stored;
  }

  async patch<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    type: PatchType,
    patch: unknown,
    options: WriteOptions = {},
  ): Promise<T> {
    const answer = await this.#call(
      {
        method: 'PATCH',
        path: resourcePath(resource, namespace, name) + writeQuery(options),
        question: { plural: resource.plural, name },
        contentType: patchTypes[type],
        body: JSON.stringify(patch),
      },
      options,
    );
    const stored = this.#parse(answer);
    if (!isObjectNamed<T>(stored, name)) {
      throw this.#malformed('something else than the object that was written');
    }
    return stored;
  }

  async delete<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions = {},
  ): Promise<T | undefined> {
    const answer = await this.#call(
      {
        method: 'DELETE',
        path: resourcePath(resource, namespace, name),
        question: { plural: resource.plural, name },
        contentType: json,
        body: JSON.stringify({
          kind: 'DeleteOptions',
          apiVersion: 'v1',
          propagationPolicy: 'Background',
          preconditions: options.preconditions,
        }),
      },
      options,
    );
    const left = this.#parse(answer);
    return isObjectNamed<T>(left, name) && left.metadata.deletionTimestamp !== undefined ? left : undefined;
  }

  async ping(options: RequestOptions = {}): Promise<void> {
    await this.#call({ method: 'GET', path: '/version', question: { plural: '' } }, options);
  }

  reconnect(): void {
    this.#keeper.reconnect();
  }

  async close(): Promise<void> {
    await this.#keeper.close();
  }

  /** One request; throws for every answer that is not 2xx. */
  async #call(call: Call, options: RequestOptions): Promise<Answer> {
    const { signal } = options;
    const timeoutMs = options.timeoutMs ?? this.#requestTimeoutMs;
    const path = this.#basePath + call.path;
    const accept = call.accept ?? json;
    const deadline = this.#clock.monotonic() + timeoutMs;
    const answer = await this.#withSession(signal, (session) =>
      exchange(session.requests, this.#clock, {
        method: call.method,
        origin: this.#origin,
        path,
        headers: session.headers(accept, call.contentType),
        body: call.body ?? null,
        // A repetition has what the first attempt left.
        timeoutMs: Math.max(1, deadline - this.#clock.monotonic()),
        signal,
      }),
    );
    if (answer.flowSchema !== undefined) options.onFlowSchema?.(answer.flowSchema);
    if (answer.status < 200 || answer.status > 299) {
      throw refusal(answer.status, parseOrNothing(answer.text), call.question, answer.retryAfter);
    }
    const serverTime = Date.parse(answer.date ?? '');
    if (!Number.isNaN(serverTime)) options.onServerTime?.(serverTime);
    return answer;
  }

  /**
   * Runs an attempt with the session at hand. Where the server refused who we are (401) or TLS failed, and the files hold
   * something new by now, it is run once more: neither was acted upon.
   */
  async #withSession<R extends { readonly status: number }>(
    signal: AbortSignal | undefined,
    attempt: (session: Session) => Promise<R>,
  ): Promise<R> {
    let session: Session | undefined;
    try {
      session = this.#keeper.current ?? (await this.#keeper.open());
      this.#throwIfStopped(signal);
      const answer = await attempt(session);
      const renewed = answer.status === 401 ? await this.#keeper.renewed(session) : undefined;
      this.#throwIfStopped(signal);
      return renewed === undefined ? answer : await attempt(renewed);
    } catch (error) {
      this.#throwIfStopped(signal);
      const renewed =
        session !== undefined && isTlsFailure(error) ? await this.#keeper.renewed(session) : undefined;
      this.#throwIfStopped(signal);
      if (renewed === undefined) {
        throw error instanceof CredentialsError ? transportFailure(error, false, this.server) : error;
      }
      return await attempt(renewed);
    }
  }

  #throwIfStopped(signal: AbortSignal | undefined): void {
    if (this.#keeper.closed || signal?.aborted === true) {
      throw new AbortedError();
    }
  }

  #parse(answer: Answer): unknown {
    try {
      return JSON.parse(answer.text);
    } catch {
      // The parser's message quotes the text, which can be payload.
      throw this.#malformed('not JSON');
    }
  }

  #malformed(what: string): TransportError {
    return new TransportError('MalformedAnswer', true, `${this.server} sent ${what}`);
  }
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function writeQuery(options: WriteOptions): string {
  return options.dryRun === true
    ? `?fieldManager=${fieldManager}&dryRun=All`
    : `?fieldManager=${fieldManager}`;
}

function queryString(parameters: readonly (readonly [string, string | number | undefined])[]): string {
  let query = '';
  for (const [name, value] of parameters) {
    if (value !== undefined && value !== '') {
      query += `${query === '' ? '?' : '&'}${name}=${encodeURIComponent(value)}`;
    }
  }
  return query;
}
