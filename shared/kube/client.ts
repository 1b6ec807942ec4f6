import type { CredentialState } from './credentials/credential-keeper.ts';
import type { KubeObject, ListPage } from './object.ts';
import type { Resource } from './resource.ts';

/** What of an object travels: all of it, or metadata alone (`PartialObjectMetadata`). */
export type Shape = 'full' | 'metadata';

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from sending the request to its complete answer; the connection's default when absent. */
  readonly timeoutMs?: number | undefined;
  /** Called with the server's clock (its `Date` header, whole seconds; milliseconds since the epoch) of a 2xx answer. */
  readonly onServerTime?: ((time: number) => void) | undefined;
  /**
   * Called with the uid of the FlowSchema by which the API server classified the request, of a 2xx answer and of a refusal.
   * API servers send it unless API Priority and Fairness is turned off. No two clusters share one, since it is an object.
   */
  readonly onFlowSchema?: ((uid: string) => void) | undefined;
}

export interface ListOptions extends RequestOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly shape: Shape;
}

export interface WatchOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion: string;
  readonly shape: Shape;
  /** Seconds after which the server ends the watch in good order. */
  readonly timeoutSeconds: number;
  /** Milliseconds without a byte after which the stream counts as dead (bookmarks come every one to two minutes). */
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** One line of a watch. An ERROR line is thrown as ApiError by the iterator, never yielded. */
export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface WriteOptions extends RequestOptions {
  readonly dryRun?: boolean | undefined;
}

export interface DeleteOptions extends RequestOptions {
  /** The object is deleted only while it still is this very one at this very version. */
  readonly preconditions?: { readonly uid: string; readonly resourceVersion: string } | undefined;
}

export type PatchType = 'merge' | 'json';

/**
 * All that this project asks of an API server. Every method throws ApiError (the server refused),
 * TransportError (no usable answer; the outcome of a write is unknown) or AbortedError (the caller's signal).
 * Answers are the parsed JSON, typed by what the caller asked for.
 */
export interface KubeClient {
  /** Where the requests go, for messages: scheme, host, port and path; never credentials. */
  readonly server: string;
  /** Who this client is; absent where a client does not say. */
  readonly credential?: CredentialState | undefined;
  get<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options?: RequestOptions & { readonly shape?: Shape },
  ): Promise<T>;
  list<T extends KubeObject>(resource: Resource, options: ListOptions): Promise<ListPage<T>>;
  /** Opens the stream (throws if refused), then yields one event at a time until the server ends it. */
  watch<T extends KubeObject>(
    resource: Resource,
    options: WatchOptions,
  ): Promise<AsyncIterable<WatchEvent<T>>>;
  /** POST into the namespace of `object.metadata`; yields the object as stored. */
  create<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>;
  /** PUT; optimistic concurrency follows from `object.metadata.resourceVersion`. */
  update<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    type: PatchType,
    patch: unknown,
    options?: WriteOptions,
  ): Promise<T>;
  /** Yields the object where finalizers hold it, undefined where it is gone. */
  delete<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options?: DeleteOptions,
  ): Promise<T | undefined>;
  /** GET /version: the cheapest proof that the server answers. An ApiError is an answer, too. */
  ping(options?: RequestOptions): Promise<void>;
  /**
   * Ends all connections, so that later requests reach whatever the address leads to by then. Requests and watches under
   * way fail with TransportError.
   */
  reconnect(): void;
  /** Ends all connections; requests under way fail with AbortedError or TransportError. */
  close(): Promise<void>;
}
