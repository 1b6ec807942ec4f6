import { ApiError, TransportError } from '../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../shared/kube/object.ts';
import {
  configMaps,
  namespaces as namespaceResource,
  type Resource,
  secrets,
} from '../../../shared/kube/resource.ts';
import type { ApiObject, Listed } from '../../chaos/api-object.ts';
import { type Kind, kinds, namespaces, ownNamespace, type Place, placeKey } from '../../chaos/slots.ts';
import type { HttpFault } from '../../sandbox/network/http-fault-proxy.ts';
import { FakeApi, type FakeFault, type FakeWrite } from '../fakes/fake-api.ts';
import type { StoreState } from '../fakes/fake-store.ts';
import type { ManualClock } from '../fakes/manual-clock.ts';

export const resourceOf: Readonly<Record<Kind, Resource>> = { ConfigMap: configMaps, Secret: secrets };

/** What goes wrong between one process, or all, and a cluster. */
export type SimulatedFault =
  | HttpFault
  | { readonly kind: 'forbid' }
  /** Requests of a process that stands still reach the server when it goes on. */
  | { readonly kind: 'stand-still'; readonly ms: number };

interface ActiveFault {
  readonly fault: SimulatedFault;
  /** Undefined: all. */
  readonly process: number | undefined;
  count: number;
}

/** What a connection of a controller looks like from outside. */
interface Connection {
  readonly api: FakeApi;
  readonly process: number;
}

/** An API server in memory with the faults of its network, and what we know of it. */
export class SimulatedCluster {
  readonly number: number;
  readonly api: FakeApi;
  readonly foreign = new Map<string, ApiObject>();
  readonly disturbances = new Map<string, number>();
  readonly resets: number[] = [];
  snapshot: { readonly state: StoreState; readonly foreign: ReadonlyMap<string, ApiObject> } | undefined;
  readonly #faults = new Set<ActiveFault>();
  readonly #connections: Connection[] = [];
  readonly #random: () => number;
  readonly #onWrite: (cluster: SimulatedCluster, user: string, write: FakeWrite) => void;

  constructor(
    number: number,
    clock: ManualClock,
    random: () => number,
    onWrite: (cluster: SimulatedCluster, user: string, write: FakeWrite) => void,
  ) {
    this.number = number;
    this.#random = random;
    this.#onWrite = onWrite;
    this.api = new FakeApi(clock, `https://cluster-${number}.example:6443`);
    this.api.requireNamespaces = true;
    this.api.onWrite = (write) => onWrite(this, 'admin', write);
    // Servers give out the same uids in the same order: these keep the identities of the clusters apart.
    for (let index = 0; index < number; index++) {
      this.api.put(namespaceResource, { metadata: { name: `other-${index}` } });
    }
    for (const name of ['kube-system', ...namespaces, ...(number === 0 ? [ownNamespace] : [])]) {
      this.api.put(namespaceResource, { metadata: { name } });
    }
  }

  get name(): string {
    return this.number === 0 ? 'source' : `target-${this.number}`;
  }

  /** A connection of a controller, which has all faults. */
  connect(process: number, isDead: () => boolean): FakeApi {
    const api = this.api.connection();
    api.requireNamespaces = true;
    api.onWrite = (write) => this.#onWrite(this, `syncer-${process}`, write);
    api.fault = ({ verb }) =>
      isDead()
        ? { before: new TransportError('ConnectionReset', false, '') }
        : this.#faultOf(process, ['create', 'update', 'patch', 'delete'].includes(verb));
    this.#connections.push({ api, process });
    this.#applySilence();
    return api;
  }

  /** The fault is in effect until the returned function is called. `process`: for that one only. */
  inject(fault: SimulatedFault, process: number | undefined): () => void {
    const active = { fault, process, count: 0 };
    this.#faults.add(active);
    this.#applySilence();
    if (fault.kind === 'refuse') {
      this.#endWatches(process, new TransportError('ConnectionReset', true, ''));
    }
    return () => {
      this.#faults.delete(active);
      this.#applySilence();
      if (fault.kind === 'drop-events') {
        this.#endWatches(process, new ApiError(410, 'Gone'));
      }
    };
  }

  objects(): readonly Listed[] {
    return kinds.flatMap((kind) =>
      this.api.objects(resourceOf[kind]).map((object) => ({ kind, object: apiObject(object) })),
    );
  }

  find({ kind, namespace, name }: Place): ApiObject | undefined {
    const found = this.api.peek(resourceOf[kind], namespace, name);
    return found === undefined ? undefined : apiObject(found);
  }

  /** Stores the object in the place, anew where it cannot be changed. */
  put(place: Place, object: object & { readonly metadata: object }): ApiObject {
    const { kind, namespace, name } = place;
    const resource = resourceOf[kind];
    const next = { ...object, metadata: { ...object.metadata, namespace, name } };
    try {
      return apiObject(this.api.put(resource, next));
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      this.drop(place);
      return apiObject(this.api.put(resource, next));
    }
  }

  drop({ kind, namespace, name }: Place): void {
    this.api.drop(resourceOf[kind], namespace, name);
  }

  hasNamespace(name: string): boolean {
    return this.api.peek(namespaceResource, undefined, name) !== undefined;
  }

  get activeNamespaces(): ReadonlySet<string> {
    return new Set(this.api.objects(namespaceResource).map(({ metadata }) => metadata.name));
  }

  deleteNamespace(name: string): void {
    for (const { kind, object } of this.objects()) {
      if (object.metadata.namespace === name) {
        const place = { kind, namespace: name, name: object.metadata.name };
        this.foreign.delete(placeKey(place));
        this.mayDisturb(placeKey(place));
        this.put(place, { ...object, metadata: { ...object.metadata, finalizers: [] } });
        this.drop(place);
      }
    }
    this.api.drop(namespaceResource, undefined, name);
  }

  createNamespace(name: string): void {
    this.api.put(namespaceResource, { metadata: { name } });
  }

  /** See World.mayDisturb. */
  mayDisturb(key: string): boolean {
    const count = (this.disturbances.get(key) ?? 0) + 1;
    this.disturbances.set(key, count);
    return count <= 3;
  }

  restore(now: number): void {
    if (this.snapshot === undefined) {
      return;
    }
    this.api.restore(this.snapshot.state);
    this.foreign.clear();
    for (const [key, object] of this.snapshot.foreign) {
      this.foreign.set(key, object);
    }
    this.resets.push(now);
    this.#endWatches(undefined, new TransportError('ConnectionReset', true, ''));
  }

  #faultOf(process: number, isWrite: boolean): FakeFault | undefined {
    let result: FakeFault = {
      delayMs: Math.floor(this.#random() * 20),
      answerDelayMs: Math.floor(this.#random() * 20),
    };
    for (const active of this.#faults) {
      if (active.process === undefined || active.process === process) {
        result = { ...result, ...effectOf(active, isWrite, this.#random) };
      }
    }
    return result;
  }

  /** Watches of a connection say nothing while one of its faults holds events back. */
  #applySilence(): void {
    for (const { api, process } of this.#connections) {
      api.silent = [...this.#faults].some(
        (active) =>
          (active.process === undefined || active.process === process) &&
          ['delay-events', 'drop-events', 'silent', 'stand-still'].includes(active.fault.kind),
      );
      // What was held back is sent.
      api.bookmark();
    }
  }

  #endWatches(process: number | undefined, error: Error): void {
    for (const connection of this.#connections) {
      if (process === undefined || connection.process === process) {
        connection.api.endWatches(error);
      }
    }
  }
}

/** What a fault does to one request. */
function effectOf(active: ActiveFault, isWrite: boolean, random: () => number): FakeFault {
  const { fault } = active;
  const isNth = (every: number): boolean => ++active.count % every === 0;
  switch (fault.kind) {
    case 'slow':
      return { delayMs: Math.floor(random() * fault.ms), answerDelayMs: Math.floor(random() * fault.ms) };
    case 'refuse':
      return { before: new TransportError('ConnectionRefused', false, '') };
    case 'silent':
      return { delayMs: 5_000, after: new TransportError('Timeout', true, '') };
    case 'answer':
      return isNth(fault.every) ? { before: refusalOf(fault.status) } : {};
    case 'lose-answers':
      return isWrite && isNth(fault.every) ? { after: new TransportError('ConnectionReset', true, '') } : {};
    case 'forbid':
      return { before: new ApiError(403, 'Forbidden') };
    case 'stand-still':
      return { delayMs: fault.ms };
    case 'delay-events':
    case 'repeat-events':
    case 'drop-events':
      return {};
  }
}

function refusalOf(status: 429 | 500 | 503): ApiError {
  return status === 429
    ? new ApiError(429, 'TooManyRequests', { retryAfterMs: 1_000 })
    : new ApiError(status, 'ServerError');
}

/** What the fake stores is what an API server shows. */
function apiObject(object: KubeObject): ApiObject {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- stored objects have a namespace, a uid and a version
  return object as unknown as ApiObject;
}
