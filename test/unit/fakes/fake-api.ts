// oxlint-disable typescript/no-unsafe-type-assertion, typescript/no-unnecessary-type-parameters -- as with the real
// client, it is the caller who says which type it stored.
import type { Clock } from '../../../shared/clock.ts';
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
} from '../../../shared/kube/client.ts';
import { AbortedError, ApiError, TransportError } from '../../../shared/kube/errors.ts';
import type { KubeObject, ListPage } from '../../../shared/kube/object.ts';
import { apiVersion, namespaces, type Resource } from '../../../shared/kube/resource.ts';
import { jsonPatch, mergePatch } from './fake-patch.ts';
import { selects } from './fake-selector.ts';
import { FakeStore, objectKey, type StoreState } from './fake-store.ts';
import { FakeWatch } from './fake-watch.ts';

export type FakeVerb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'ping';

export interface FakeCall {
  readonly verb: FakeVerb;
  readonly resource: Resource | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly shape?: Shape | undefined;
  readonly dryRun?: boolean | undefined;
  /** Present on lists: the continue token. */
  readonly continue?: string | undefined;
  /** Present on watches. */
  readonly resourceVersion?: string | undefined;
}

/** What goes wrong with a call. */
export interface FakeFault {
  /** The call fails before the server acted. */
  readonly before?: Error | undefined;
  /** The server acts, but the answer is this error: the outcome of a write is unknown to the caller. */
  readonly after?: Error | undefined;
  /** Milliseconds until the server acts. A caller that gives up earlier does not keep it from acting. */
  readonly delayMs?: number | undefined;
  /** Milliseconds until the answer arrives. */
  readonly answerDelayMs?: number | undefined;
}

/** A change that the server made, whether its answer arrived or not. */
export interface FakeWrite {
  readonly verb: 'create' | 'update' | 'delete';
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  /** The object that was sent, or the options of a deletion. */
  readonly request: unknown;
  /** What is stored afterwards. */
  readonly stored: KubeObject | undefined;
}

interface Snapshot {
  readonly version: number;
  readonly objects: readonly KubeObject[];
}

/**
 * An API server in memory: versions, optimistic concurrency, preconditions, paged lists of one snapshot, watches with
 * selectors and bookmarks, and whatever a test wants to go wrong. Nothing in it waits for real time.
 */
export class FakeApi implements KubeClient {
  readonly server: string;
  /** All calls, in the order in which they were made. */
  readonly calls: FakeCall[] = [];
  /** Decides what goes wrong with a call; called once for each. */
  fault: (call: FakeCall) => FakeFault | undefined = () => undefined;
  /** Called with every change that is made through this connection. */
  onWrite: (write: FakeWrite) => void = () => undefined;
  /** Watches stay open and say nothing, as behind a dead link. */
  silent = false;
  /** Namespaced objects are refused unless their Namespace object is there. */
  requireNamespaces = false;
  /** Later pages of a list are answered from the newest state instead of the first page's, with its version. */
  freshPages = false;
  /** Milliseconds between bookmarks. */
  bookmarkEveryMs = 60_000;
  readonly #clock: Clock;
  readonly #store: FakeStore;
  readonly #watches = new Set<FakeWatch>();
  readonly #snapshots: Map<string, Snapshot>;
  readonly #connections: Set<FakeApi>;

  /** `other` is a connection to the same server. */
  constructor(clock: Clock, server = 'https://fake.example:6443', other?: FakeApi) {
    this.#clock = clock;
    this.server = server;
    this.#store = other === undefined ? new FakeStore(() => clock.now()) : other.#store;
    this.#snapshots = other === undefined ? new Map<string, Snapshot>() : other.#snapshots;
    this.#connections = other === undefined ? new Set() : other.#connections;
    this.#connections.add(this);
  }

  /** Another connection to the same server, with its own calls, faults and watches. */
  connection(): FakeApi {
    return new FakeApi(this.#clock, this.server, this);
  }

  // What a test does and sees, without a call being counted or failing.

  /** Stores an object, new or not, whatever its version. */
  put<T extends KubeObject>(resource: Resource, object: T): T {
    const key = objectKey(resource, object.metadata.namespace, object.metadata.name);
    const { resourceVersion: _, uid: __, ...metadata } = object.metadata;
    const next = { ...object, metadata };
    const stored = this.#store.has(key)
      ? this.#store.replace(resource, key, next, false)
      : this.#store.insert(resource, next, false);
    this.#wrote('update', resource, object.metadata, next, stored);
    return typed(stored);
  }

  /** Deletes an object if it is there. */
  drop(resource: Resource, namespace: string | undefined, name: string): void {
    const key = objectKey(resource, namespace, name);
    if (this.#store.has(key)) {
      const left = this.#store.remove(resource, key);
      this.#wrote('delete', resource, { namespace, name }, {}, left);
    }
  }

  /** The stored object, or undefined. */
  peek<T extends KubeObject>(resource: Resource, namespace: string | undefined, name: string): T | undefined {
    const key = objectKey(resource, namespace, name);
    return this.#store.has(key) ? typed(this.#store.get(key)) : undefined;
  }

  /** All stored objects of a collection. */
  objects<T extends KubeObject>(resource: Resource): T[] {
    return this.#store.all(resource).map((object) => typed(object));
  }

  /** Watches that are open. */
  get openWatches(): number {
    return this.#watches.size;
  }

  /** Fails the next `times` calls with this verb, before the server acts. */
  failNext(verb: FakeVerb, error: Error, times = 1): void {
    const previous = this.fault;
    let left = times;
    this.fault = (call) => {
      if (call.verb !== verb || left === 0) return previous(call);
      left -= 1;
      return { before: error };
    };
  }

  /** Ends all watches: with the error, or in good order. What was sent before is still read. */
  endWatches(error?: Error): void {
    for (const watch of this.#watches) watch.end(error);
    this.#watches.clear();
  }

  /** Sends a bookmark on all watches, as the server does about once a minute. */
  bookmark(): void {
    for (const watch of this.#watches) this.#bookmark(watch);
  }

  /** Forgets history: older watch positions and continue tokens are answered 410 Gone. */
  compact(): void {
    this.#store.compact();
    this.#snapshots.clear();
  }

  save(): StoreState {
    return this.#store.save();
  }

  /** Goes back to a saved state, versions included, as a restored etcd does. Watches break. */
  restore(state: StoreState): void {
    this.#store.restore(state);
    this.#snapshots.clear();
    this.endWatches(new TransportError('ConnectionReset', true, ''));
  }

  // The client.

  async get<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options: RequestOptions & { readonly shape?: Shape } = {},
  ): Promise<T> {
    const call = { verb: 'get', resource, namespace, name, shape: options.shape ?? 'full' } as const;
    return this.#request(call, options, () =>
      shaped<T>(this.#store.get(objectKey(resource, namespace, name)), call.shape),
    );
  }

  async list<T extends KubeObject>(resource: Resource, options: ListOptions): Promise<ListPage<T>> {
    const { namespace, shape, limit } = options;
    const call = {
      verb: 'list',
      resource,
      namespace,
      name: undefined,
      shape,
      continue: options.continue,
    } as const;
    return this.#request(call, options, () => {
      const [token, start = '0'] = options.continue?.split(':') ?? [];
      const now = (): Snapshot => ({
        version: this.#store.version,
        objects: this.#store.all(resource).filter((object) => selects(options, object)),
      });
      const begun = token === undefined ? now() : this.#snapshots.get(token);
      if (begun === undefined) throw new ApiError(410, 'Gone');
      const last = begun.objects[Number(start) - 1]?.metadata.name ?? '';
      const fresh = this.freshPages && token !== undefined;
      const snapshot = fresh ? now() : begun;
      const from = fresh
        ? snapshot.objects.filter(({ metadata }) => metadata.name <= last).length
        : Number(start);
      const to = Math.min(snapshot.objects.length, from + (limit ?? Number.POSITIVE_INFINITY));
      const items = snapshot.objects.slice(from, to).map((object) => shaped<T>(object, shape));
      let next: string | undefined;
      if (to < snapshot.objects.length) {
        const id = (fresh ? undefined : token) ?? String(this.#snapshots.size + 1);
        this.#snapshots.set(id, snapshot);
        next = `${id}:${to}`;
      }
      return {
        metadata: {
          resourceVersion: String(snapshot.version),
          ...(next === undefined ? {} : { continue: next }),
        },
        items: items.length === 0 && shape === 'metadata' ? null : items,
      };
    });
  }

  async watch<T extends KubeObject>(
    resource: Resource,
    options: WatchOptions,
  ): Promise<AsyncIterable<WatchEvent<T>>> {
    const { namespace, shape, resourceVersion, signal } = options;
    const call = { verb: 'watch', resource, namespace, name: undefined, shape, resourceVersion } as const;
    return this.#request(call, { signal }, () => {
      const watch = new FakeWatch(options, this.#clock);
      if (watch.position < this.#store.compacted) throw new ApiError(410, 'Gone');
      watchedResource.set(watch, resource);
      this.#watches.add(watch);
      watch.start(this.bookmarkEveryMs, () => this.#bookmark(watch));
      this.#pump();
      return watch.events() as AsyncIterable<WatchEvent<T>>;
    });
  }

  async create<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata;
    const call = { verb: 'create', resource, namespace, name, dryRun: options.dryRun } as const;
    return this.#request(call, options, () => {
      if (
        this.requireNamespaces &&
        namespace !== undefined &&
        !this.#store.has(objectKey(namespaces, undefined, namespace))
      ) {
        throw new ApiError(404, 'NamespaceNotFound');
      }
      const stored = this.#store.insert(resource, object, options.dryRun === true);
      if (options.dryRun !== true) this.#wrote('create', resource, object.metadata, object, stored);
      return typed<T>(stored);
    });
  }

  async update<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata;
    const call = { verb: 'update', resource, namespace, name, dryRun: options.dryRun } as const;
    return this.#request(call, options, () => {
      const key = objectKey(resource, namespace, name);
      const stored = this.#store.replace(resource, key, object, options.dryRun === true);
      if (options.dryRun !== true) this.#wrote('update', resource, object.metadata, object, stored);
      return typed<T>(stored);
    });
  }

  async patch<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    type: PatchType,
    patch: unknown,
    options: WriteOptions = {},
  ): Promise<T> {
    const call = { verb: 'patch', resource, namespace, name, dryRun: options.dryRun } as const;
    return this.#request(call, options, () => {
      const key = objectKey(resource, namespace, name);
      const before = this.#store.get(key);
      const next = type === 'merge' ? mergePatch(before, patch) : jsonPatch(before, patch);
      const stored = this.#store.replace(resource, key, next as KubeObject, options.dryRun === true);
      if (options.dryRun !== true) this.#wrote('update', resource, { namespace, name }, patch, stored);
      return typed<T>(stored);
    });
  }

  async delete<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions = {},
  ): Promise<T | undefined> {
    const call = { verb: 'delete', resource, namespace, name } as const;
    return this.#request(call, options, () => {
      const left = this.#store.remove(resource, objectKey(resource, namespace, name), options.preconditions);
      this.#wrote('delete', resource, { namespace, name }, options, left);
      return left === undefined ? undefined : typed<T>(left);
    });
  }

  async ping(options: RequestOptions = {}): Promise<void> {
    const call = { verb: 'ping', resource: undefined, namespace: undefined, name: undefined } as const;
    return this.#request(call, options, () => undefined);
  }

  reconnect(): void {
    this.endWatches(new TransportError('ConnectionReset', true, ''));
  }

  close(): Promise<void> {
    this.endWatches(new AbortedError());
    return Promise.resolve();
  }

  async #request<R>(call: FakeCall, options: RequestOptions, act: () => R): Promise<R> {
    if (options.signal?.aborted) throw new AbortedError();
    this.calls.push(call);
    const fault = this.fault(call) ?? {};
    const deadline = this.#clock.monotonic() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
    await Promise.resolve();
    const delay = fault.delayMs ?? 0;
    let outcome: (() => R) | undefined;
    const serve = (): void => {
      if (fault.before !== undefined) {
        const { before } = fault;
        outcome = () => {
          throw before;
        };
        return;
      }
      try {
        const result = act();
        outcome = () => {
          if (fault.after !== undefined) throw fault.after;
          return result;
        };
      } catch (error) {
        outcome = () => {
          throw error;
        };
      }
    };
    if (delay > 0) this.#clock.schedule(delay, serve);
    else serve();
    await this.#wait(delay + (fault.answerDelayMs ?? 0), deadline, options.signal);
    if (outcome === undefined) throw new Error('the fake did not serve the call in time');
    const result = outcome();
    options.onServerTime?.(this.#clock.now());
    return result;
  }

  async #wait(ms: number, deadline: number, signal: AbortSignal | undefined): Promise<void> {
    if (ms > 0) {
      const left = deadline - this.#clock.monotonic();
      await this.#clock.sleep(Math.min(ms, left), signal);
      if (!signal?.aborted && left < ms) throw new TransportError('Timeout', true, '');
    }
    if (signal?.aborted) throw new AbortedError();
  }

  #bookmark(watch: FakeWatch): void {
    this.#pump();
    // A server never sends a version below the one that the watch asked for.
    if (this.silent || !watch.open || watch.position > this.#store.version) return;
    watch.position = this.#store.version;
    watch.push({ type: 'BOOKMARK', resourceVersion: String(this.#store.version) });
  }

  #wrote(
    verb: FakeWrite['verb'],
    resource: Resource,
    { namespace, name }: { readonly namespace?: string | undefined; readonly name: string },
    request: unknown,
    stored: KubeObject | undefined,
  ): void {
    this.#pump();
    this.onWrite({ verb, resource, namespace, name, request, stored });
  }

  #pump(): void {
    for (const connection of this.#connections) connection.#pumpOwn();
  }

  /** Sends every open watch what it has not seen. */
  #pumpOwn(): void {
    if (this.silent) return;
    for (const watch of this.#watches) {
      if (!watch.open) {
        this.#watches.delete(watch);
        continue;
      }
      if (watch.position < this.#store.compacted) {
        watch.end(new ApiError(410, 'Gone'));
        continue;
      }
      const resource = watchedResource.get(watch);
      for (const change of this.#store.changesAfter(watch.position)) {
        watch.position = change.version;
        if (change.resource.plural !== resource?.plural || change.resource.group !== resource.group) continue;
        const was = change.before !== undefined && selects(watch.options, change.before);
        const is = change.after !== undefined && selects(watch.options, change.after);
        if (!was && !is) continue;
        const type = is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED';
        watch.push({ type, object: shaped(change.last, watch.options.shape) });
      }
    }
  }
}

const watchedResource = new WeakMap<FakeWatch, Resource>();

/** A copy, which keeps the store its own. */
function typed<T extends KubeObject>(object: KubeObject): T {
  return structuredClone(object) as T;
}

function shaped<T extends KubeObject>(object: KubeObject, shape: Shape): T {
  return typed(
    shape === 'full'
      ? object
      : { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata: object.metadata },
  );
}

/** A plain object of this kind, to start from in tests. */
export function anObject(
  resource: Resource,
  namespace: string,
  name: string,
  metadata: Partial<KubeObject['metadata']> = {},
): KubeObject {
  return {
    apiVersion: apiVersion(resource),
    kind: resource.kind,
    metadata: { ...metadata, namespace, name },
  };
}
