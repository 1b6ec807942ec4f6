import { ApiError } from '../../../shared/kube/errors.ts';
import type { KubeObject } from '../../../shared/kube/object.ts';
import type { Resource } from '../../../shared/kube/resource.ts';

export interface StoredChange {
  readonly version: number;
  readonly resource: Resource;
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
  /** What a DELETED event carries: the last state at the version of the deletion. */
  readonly last: KubeObject;
}

export interface StoreState {
  readonly version: number;
  readonly objects: ReadonlyMap<string, KubeObject>;
}

/** The key of an object within the store. */
export function objectKey(resource: Resource, namespace: string | undefined, name: string): string {
  return `${resource.group}/${resource.plural}/${namespace ?? ''}/${name}`;
}

/** Fields of objects that the fake guards as an API server does. */
interface Guarded extends KubeObject {
  readonly data?: unknown;
  readonly binaryData?: unknown;
  readonly immutable?: boolean;
  readonly type?: string;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Objects, one version counter for all of them, and the history that watches are served from. */
export class FakeStore {
  #version = 1;
  #compacted = 0;
  #uids = 0;
  #objects = new Map<string, KubeObject>();
  #history: StoredChange[] = [];
  readonly #now: () => number;

  /** `now` stamps creations, in milliseconds of the epoch. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get version(): number {
    return this.#version;
  }

  /** The oldest version that a watch can still start from. */
  get compacted(): number {
    return this.#compacted;
  }

  get(key: string): KubeObject {
    const found = this.#objects.get(key);
    if (found === undefined) throw new ApiError(404, 'NotFound');
    return found;
  }

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  /** The objects of a collection, in the order of their keys. */
  all(resource: Resource): KubeObject[] {
    const prefix = `${resource.group}/${resource.plural}/`;
    return [...this.#objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .sort()
      .map((key) => this.get(key));
  }

  changesAfter(version: number): readonly StoredChange[] {
    return this.#history.filter((change) => change.version > version);
  }

  insert(resource: Resource, object: KubeObject, dryRun: boolean): KubeObject {
    const key = objectKey(resource, object.metadata.namespace, object.metadata.name);
    if (this.#objects.has(key)) throw new ApiError(409, 'AlreadyExists');
    const after = {
      ...structuredClone(object),
      metadata: {
        ...structuredClone(object.metadata),
        uid: `uid-${this.#uids + 1}`,
        resourceVersion: String(this.#version + 1),
        creationTimestamp: new Date(this.#now()).toISOString().replace(/\.\d+Z$/, 'Z'),
      },
    };
    if (!dryRun) {
      this.#uids += 1;
      this.#commit(resource, key, undefined, after);
    }
    return after;
  }

  /** Stores the next state of an object; one that is equal keeps its version, as on an API server. */
  replace(resource: Resource, key: string, next: KubeObject, dryRun: boolean): KubeObject {
    const before: Guarded = this.get(key);
    const asked = next.metadata.resourceVersion;
    if (asked !== undefined && asked !== before.metadata.resourceVersion) throw new ApiError(409, 'Conflict');
    if (next.metadata.uid !== undefined && next.metadata.uid !== before.metadata.uid) {
      throw new ApiError(409, 'Conflict');
    }
    const candidate: Guarded = next;
    if (before.immutable === true) {
      const fields = [
        ...(candidate.immutable === true ? [] : ['immutable']),
        ...(same(before.data, candidate.data) ? [] : ['data']),
        ...(same(before.binaryData, candidate.binaryData) ? [] : ['binaryData']),
      ];
      if (fields.length > 0) throw new ApiError(422, 'Invalid', { fields });
    }
    if (resource.plural === 'secrets' && (before.type ?? 'Opaque') !== (candidate.type ?? 'Opaque')) {
      throw new ApiError(422, 'Invalid', { fields: ['type'] });
    }
    const { uid, resourceVersion, creationTimestamp } = before.metadata;
    const kept = {
      ...(uid === undefined ? {} : { uid }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    };
    const after = { ...structuredClone(next), metadata: { ...structuredClone(next.metadata), ...kept } };
    const unchanged = {
      ...after,
      metadata: { ...after.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    };
    if (canonical(unchanged) === canonical(before)) return before;
    const stored = {
      ...after,
      metadata: { ...after.metadata, resourceVersion: String(this.#version + 1) },
    };
    if (!dryRun) this.#commit(resource, key, before, stored);
    if (!dryRun && isReleased(stored)) this.#commit(resource, key, stored, undefined);
    return stored;
  }

  /** Yields the object where finalizers hold it. */
  remove(
    resource: Resource,
    key: string,
    preconditions?: { readonly uid: string; readonly resourceVersion: string },
  ): KubeObject | undefined {
    const before = this.get(key);
    if (
      preconditions !== undefined &&
      (preconditions.uid !== before.metadata.uid ||
        preconditions.resourceVersion !== before.metadata.resourceVersion)
    ) {
      throw new ApiError(409, 'Conflict');
    }
    if ((before.metadata.finalizers ?? []).length > 0) {
      return this.#terminate(resource, key, before);
    }
    this.#commit(resource, key, before, undefined);
    return undefined;
  }

  /** Marks an object that finalizers hold; it goes when the last of them is taken off. */
  #terminate(resource: Resource, key: string, before: KubeObject): KubeObject {
    if (before.metadata.deletionTimestamp === undefined) {
      const metadata = {
        ...before.metadata,
        deletionTimestamp: new Date(this.#now()).toISOString(),
        resourceVersion: String(this.#version + 1),
      };
      this.#commit(resource, key, before, { ...before, metadata });
    }
    return this.get(key);
  }

  /** Forgets all history: watches from older versions, and continue tokens, are Gone. */
  compact(): void {
    this.#compacted = this.#version;
    this.#history = [];
  }

  save(): StoreState {
    return { version: this.#version, objects: new Map(this.#objects) };
  }

  /** Back to a saved state, versions included, as when etcd is restored from a backup. */
  restore(state: StoreState): void {
    this.#version = state.version;
    this.#objects = new Map(state.objects);
    this.#history = [];
    this.#compacted = state.version;
  }

  #commit(
    resource: Resource,
    key: string,
    before: KubeObject | undefined,
    after: KubeObject | undefined,
  ): void {
    this.#version += 1;
    const source = after ?? before;
    if (source === undefined) throw new Error('a change needs a state');
    if (after === undefined) this.#objects.delete(key);
    else this.#objects.set(key, after);
    const last = { ...source, metadata: { ...source.metadata, resourceVersion: String(this.#version) } };
    this.#history.push({ version: this.#version, resource, before, after, last });
  }
}

function isReleased({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
