import type { KubeObject, PayloadObject } from '../../shared/kube/object.ts';
import { type SyncedKindName, syncedKind } from '../../shared/synced-kind.ts';
import {
  type CopyReading,
  type CopyRecord,
  isIntact,
  recordOfMetadata,
  recordOfObject,
} from '../copy/copy-record.ts';
import { parseTargetKey, type TargetKey, type TargetRef, targetKey } from '../copy/target-ref.ts';
import type { SourceKey } from '../source/source-record.ts';
import { CopyStore } from './copy-store.ts';

/**
 * What is known to exist under a name on a target: `unlisted` while no finished list has said so, `absent` according to a
 * finished list or a live read.
 */
export type Observed = 'unlisted' | 'absent' | CopyRecord;

/** A copy and its place. */
export interface ListedCopy {
  readonly target: TargetRef;
  readonly record: CopyRecord;
}

/**
 * The copies of one target cluster that carry our labels and are ours or Kubed's, by name: identity and stamps, no
 * payload. Fed by reflectors (what others do) and by the answers to our own writes (so that their echo is known).
 */
export class CopyIndex {
  readonly #reading: CopyReading;
  readonly #records = new CopyStore();
  readonly #covered = new Map<SyncedKindName, Set<string | undefined>>();
  readonly #requests = new Map<TargetKey, RequestUnderWay>();
  #answers = 0;

  constructor(reading: CopyReading) {
    this.#reading = reading;
  }

  get size(): number {
    return this.#records.size;
  }

  /** Copies that are certainly ours. */
  get sealed(): number {
    return this.#records.sealed;
  }

  /** Answers that were taken since the start: a list that begins now is newer than all of them. */
  get answers(): number {
    return this.#answers;
  }

  /** What is known to stand under a name. */
  observed(target: TargetRef): Observed {
    const absence = this.isCovered(target.kind, target.namespace) ? 'absent' : 'unlisted';
    return this.#records.get(targetKey(target)) ?? absence;
  }

  /** True once a list of this kind was finished. */
  isListed(kind: SyncedKindName): boolean {
    return (this.#covered.get(kind)?.size ?? 0) > 0;
  }

  /** True once a finished list has shown all copies of this kind in this namespace. */
  isCovered(kind: SyncedKindName, namespace: string): boolean {
    const scopes = this.#covered.get(kind);
    return scopes !== undefined && (scopes.has(undefined) || scopes.has(namespace));
  }

  /** The copies of a kind. */
  *copies(kind: SyncedKindName): Generator<ListedCopy> {
    for (const [key, record] of this.#records.entries(kind)) {
      yield { target: parseTargetKey(key), record };
    }
  }

  /** The copies whose origin names this source, wherever they are. */
  targetsOf(source: SourceKey): readonly TargetRef[] {
    return [...this.#records.ofSource(source)].map(parseTargetKey);
  }

  /** The record of an object of which metadata was listed, or undefined when it is nobody's whom we care about. */
  project(kind: SyncedKindName, { metadata }: KubeObject, unverified = false): ListedCopy | undefined {
    const { namespace, name } = metadata;
    if (namespace === undefined) {
      return undefined;
    }
    const record = recordOfMetadata(kind, metadata, this.#reading);
    return record.ownership === 'foreign'
      ? undefined
      : { target: { kind, namespace, name }, record: { ...record, unverified } };
  }

  /**
   * Takes an object that was read whole in the background. Yields the target when its content is not what it was given. Another
   * version than the known one is left: an event shows it.
   */
  verify(kind: SyncedKindName, object: PayloadObject): TargetRef | undefined {
    const { namespace, name, uid, resourceVersion } = object.metadata;
    if (namespace === undefined) {
      return undefined;
    }
    const target = { kind, namespace, name };
    const known = this.#records.get(targetKey(target));
    if (known?.unverified !== true || known.uid !== uid || known.resourceVersion !== resourceVersion) {
      return undefined;
    }
    return isIntact(this.learn(target, object)) ? undefined : target;
  }

  /** Gives up on reading the rest of a scope in the background; yields the targets that have to be read one by one. */
  unverified(kind: SyncedKindName, namespace: string | undefined): readonly TargetRef[] {
    const left = [...this.#records.entries(kind, namespace)].filter(([, { unverified }]) => unverified);
    for (const [key, record] of left) {
      this.#records.set(key, { ...record, unverified: false });
    }
    return left.map(([key]) => parseTargetKey(key));
  }

  /**
   * Takes a finished list of a scope (namespace undefined: all namespaces); `begun`: `answers` when it began. What is not
   * in it is not there, also where newer versions were known: the cluster may have been restored. Only an answer that came
   * since the list began and is newer than it stays. A record of the same version keeps what was read of its content.
   * Yields the objects that are not as they were known.
   */
  replace(
    kind: SyncedKindName,
    namespace: string | undefined,
    listed: readonly ListedCopy[],
    resourceVersion: string,
    begun = this.#answers,
  ): readonly TargetRef[] {
    const stays = (known: CopyRecord): boolean =>
      known.answer > begun && Number(known.resourceVersion) > Number(resourceVersion);
    for (const request of this.#requests.values()) {
      if (isIn(request.target, kind, namespace)) {
        request.sawEvent(resourceVersion);
      }
    }
    this.#covered.set(kind, (this.#covered.get(kind) ?? new Set()).add(namespace));
    const before = new Map(this.#records.entries(kind, namespace));
    const changed: TargetRef[] = [];
    for (const { target, record } of listed) {
      const key = targetKey(target);
      const known = before.get(key);
      before.delete(key);
      if (known === undefined || !(isSameVersion(known, record) || stays(known))) {
        this.#records.set(key, record);
        changed.push(target);
      }
    }
    for (const [key, known] of before) {
      if (!stays(known)) {
        this.#records.delete(key);
        changed.push(parseTargetKey(key));
      }
    }
    return changed;
  }

  /** Forgets that a scope was listed, and all that was known of it: unknown is not absent. */
  uncover(kind: SyncedKindName, namespace: string | undefined): void {
    this.#covered.get(kind)?.delete(namespace);
    for (const [key] of this.#records.entries(kind, namespace)) {
      if (!this.isCovered(kind, parseTargetKey(key).namespace)) {
        this.#records.delete(key);
      }
    }
  }

  /**
   * Takes a watch event (metadata only). Yields the target when it may call for work: the echo of a write of ours, or
   * an event older than what is known, does not.
   */
  observe(
    kind: SyncedKindName,
    event: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject },
  ): TargetRef | undefined {
    const { namespace, name, uid, resourceVersion } = event.object.metadata;
    if (namespace === undefined) {
      return undefined;
    }
    const target = { kind, namespace, name };
    const key = targetKey(target);
    this.#requests.get(key)?.sawEvent(resourceVersion);
    const known = this.#records.get(key);
    if (known !== undefined && !isNewer(resourceVersion, known.resourceVersion)) {
      // A delete carries the version of the deletion: an older one is about a predecessor of this name.
      return undefined;
    }
    if (event.type === 'DELETED') {
      if (known !== undefined && known.uid !== uid) {
        return undefined;
      }
      this.#records.delete(key);
      return target;
    }
    const copy = this.project(kind, event.object);
    if (copy === undefined) {
      this.#records.delete(key);
      return target;
    }
    this.#records.set(key, copy.record);
    return target;
  }

  /**
   * Runs a request about one object and takes its answer: the object, or undefined where there is none. Yields the
   * object's record, also when it is not kept: a foreign one, or an answer that events have overtaken on its way.
   * There must be one request at a time on an object.
   */
  async during(
    target: TargetRef,
    request: () => Promise<PayloadObject | undefined>,
  ): Promise<CopyRecord | 'absent'> {
    const key = targetKey(target);
    const before = this.#records.get(key);
    const underWay = new RequestUnderWay(target, before);
    this.#requests.set(key, underWay);
    try {
      const object = await request();
      if (object !== undefined) {
        return this.learn(target, object, underWay);
      }
      this.forget(target, before?.uid);
      return 'absent';
    } finally {
      this.#requests.delete(key);
    }
  }

  /** The copy was found equal to its source at this version. Dropped where the copy is no longer the one that was compared. */
  noteInSync(target: TargetRef, { uid, resourceVersion }: CopyRecord, sourceVersion: string): void {
    const key = targetKey(target);
    const known = this.#records.get(key);
    if (known?.uid === uid && known.resourceVersion === resourceVersion) {
      this.#records.set(key, { ...known, inSyncWith: sourceVersion });
    }
  }

  /** Takes an object that was read whole, or written, while `request` was under way; yields its record. */
  learn(target: TargetRef, object: PayloadObject, request?: RequestUnderWay): CopyRecord {
    this.#answers += 1;
    const record = {
      ...recordOfObject(syncedKind(target.kind), object, this.#reading),
      answer: this.#answers,
    };
    const key = targetKey(target);
    const known = this.#records.get(key);
    // No event came since the request was sent: an answer of an older version is that of a restored cluster.
    const isNews = request !== undefined && request.newest === undefined && request.before === known;
    if (!isNews && Number(known?.resourceVersion ?? request?.newest) > Number(record.resourceVersion)) {
      return record;
    }
    if (record.ownership === 'foreign') {
      this.#records.delete(key);
    } else {
      this.#records.set(key, record);
    }
    return record;
  }

  /**
   * Takes the answer of a live read or a delete: nothing is there. `uid` is what was known to stand there when the
   * question was asked; what came to stand there since is left.
   */
  forget(target: TargetRef, uid: string | undefined): void {
    const key = targetKey(target);
    if (this.#records.get(key)?.uid === uid) {
      this.#records.delete(key);
    }
  }
}

/** A request about one object, what was known when it was sent, and the newest version that events showed of it since. */
class RequestUnderWay {
  readonly target: TargetRef;
  readonly before: CopyRecord | undefined;
  newest: string | undefined;

  constructor(target: TargetRef, before: CopyRecord | undefined) {
    this.target = target;
    this.before = before;
  }

  sawEvent(resourceVersion: string | undefined): void {
    if (this.newest === undefined || isNewer(resourceVersion, this.newest)) {
      this.newest = resourceVersion;
    }
  }
}

/** Whether a target belongs to a scope; namespace undefined: all namespaces. */
function isIn(target: TargetRef, kind: SyncedKindName, namespace: string | undefined): boolean {
  return target.kind === kind && (namespace === undefined || target.namespace === namespace);
}

function isSameVersion(left: CopyRecord, right: CopyRecord): boolean {
  return left.uid === right.uid && left.resourceVersion === right.resourceVersion;
}

/**
 * Versions are decimal numbers that grow (comparable since Kubernetes 1.35, and in effect long before). Where they
 * are not numbers, any other version counts as newer: that costs a look, never a mistake.
 */
function isNewer(candidate: string | undefined, known: string): boolean {
  if (candidate === undefined || candidate === known) {
    return candidate === undefined;
  }
  const [left, right] = [Number(candidate), Number(known)];
  return Number.isNaN(left) || Number.isNaN(right) || left > right;
}
