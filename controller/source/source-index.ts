import type { Keys } from '../../shared/keys.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import type { ObjectEvent } from '../../shared/kube/reflector/reflector.ts';
import type { SyncedKindName } from '../../shared/synced-kind.ts';
import { type SourceKey, type SourceRecord, sourceKey, sourceRecordOf } from './source-record.ts';

/** Removals that people made before our eyes are remembered for this many sources. */
const witnessedLimit = 20_000;

export interface SourceIndexOptions {
  readonly keys: Keys;
  /** The highest version of each kind that lists and events showed, also before this index was made. */
  readonly versions?: Map<SyncedKindName, number> | undefined;
  /** A source appeared, changed or (undefined) is no longer a source. */
  readonly onChange: (key: SourceKey, record: SourceRecord | undefined) => void;
  /** The source cluster went back in time, so that nothing known by version holds: its own versions show it. */
  readonly onWentBack: () => void;
}

/**
 * All annotated objects of the source cluster, as far as lists and watches have shown.
 */
export class SourceIndex {
  readonly #options: SourceIndexOptions;
  readonly #records = new Map<SourceKey, SourceRecord>();
  readonly #listed = new Set<SyncedKindName>();
  readonly #witnessed = new Set<SourceKey>();
  /** Of each kind: lists of two kinds are begun and ended at their own times, so their versions say nothing of each other. */
  readonly #highestVersions: Map<SyncedKindName, number>;
  #highestRead = 0;
  #wentBack = false;

  constructor(options: SourceIndexOptions) {
    this.#options = options;
    this.#highestVersions = options.versions ?? new Map<SyncedKindName, number>();
  }

  get size(): number {
    return this.#records.size;
  }

  get(key: SourceKey): SourceRecord | undefined {
    return this.#records.get(key);
  }

  entries(): Iterable<readonly [SourceKey, SourceRecord]> {
    return this.#records;
  }

  /** Every kind was listed to its end. */
  isListed(kinds: readonly SyncedKindName[]): boolean {
    return kinds.every((kind) => this.#listed.has(kind));
  }

  /** True when a watch showed the source deleted, de-annotated or with another list: somebody did that, it is no gap in our view. */
  wasWitnessed(key: SourceKey): boolean {
    return this.#witnessed.has(key);
  }

  /**
   * False once a version lower than one seen before proved that the source cluster went back in time (a restored
   * etcd): versions then say nothing about contents.
   */
  get versionsTrusted(): boolean {
    return !this.#wentBack;
  }

  /** True where a version that a copy records is one that the source cluster has yet to reach: it went back in time. */
  isBehind(resourceVersion: string): boolean {
    return (
      this.#listed.size > 0 &&
      Number(resourceVersion) > Math.max(this.#highestRead, ...this.#highestVersions.values())
    );
  }

  /** From now on only contents count, versions do not, nor what was seen before: it happened in a history that is gone. */
  distrustVersions(): void {
    this.#wentBack = true;
    this.#witnessed.clear();
  }

  /** The source cluster has reached this version, as a read showed, which can overtake the list that is under way. */
  noteReadVersion(resourceVersion: string): void {
    this.#highestRead = Math.max(this.#highestRead, Number(resourceVersion) || 0);
  }

  project(kind: SyncedKindName, object: KubeObject): SourceRecord | undefined {
    return sourceRecordOf(kind, object, this.#options.keys);
  }

  replace(kind: SyncedKindName, records: readonly SourceRecord[], resourceVersion: string): void {
    this.#listed.add(kind);
    const wentBack =
      Number(resourceVersion) < (this.#highestVersions.get(kind) ?? 0) ||
      records.some((record) => this.#isOlder(record));
    if (wentBack) {
      // What was reached before counts no more; a second restore is noticed by what is reached from here.
      this.#highestVersions.set(kind, 0);
      this.#highestRead = 0;
    }
    this.#noteVersion(kind, resourceVersion);
    if (wentBack) {
      // Before anything is seen to be gone: what this list lacks proves nothing.
      this.distrustVersions();
      this.#options.onWentBack();
    }
    const gone = new Set([...this.#records].filter(([, record]) => record.kind === kind).map(([key]) => key));
    for (const record of records) {
      const key = sourceKey(record);
      gone.delete(key);
      if (this.#records.get(key)?.syncContexts !== record.syncContexts) {
        this.#witnessed.delete(key);
      }
      this.#put(record);
    }
    for (const key of gone) {
      // What a list lacks, nobody was seen removing, whatever was seen before.
      this.#witnessed.delete(key);
      this.#records.delete(key);
      this.#options.onChange(key, undefined);
    }
  }

  observe(kind: SyncedKindName, { type, object }: ObjectEvent<KubeObject>): void {
    const { namespace, name, resourceVersion } = object.metadata;
    if (namespace === undefined) {
      return;
    }
    this.#noteVersion(kind, resourceVersion);
    const key = sourceKey({ kind, namespace, name });
    const known = this.#records.get(key);
    const record = type === 'DELETED' ? undefined : this.project(kind, object);
    if (known !== undefined && record?.syncContexts !== known.syncContexts) {
      this.#witness(key);
    }
    if (record !== undefined) {
      this.#put(record);
    } else if (known !== undefined) {
      this.#records.delete(key);
      this.#options.onChange(key, undefined);
    }
  }

  #noteVersion(kind: SyncedKindName, resourceVersion: string | undefined): void {
    const highest = this.#highestVersions.get(kind) ?? 0;
    this.#highestVersions.set(kind, Math.max(highest, Number(resourceVersion) || 0));
  }

  /**
   * True where the object was seen at a later version. A restored cluster can have got past the versions that were
   * seen before, by other writes or on purpose; its objects have not.
   */
  #isOlder(record: SourceRecord): boolean {
    const known = this.#records.get(sourceKey(record));
    return known?.uid === record.uid && Number(record.resourceVersion) < Number(known.resourceVersion);
  }

  #put(record: SourceRecord): void {
    const key = sourceKey(record);
    const known = this.#records.get(key);
    if (known !== undefined && isSame(known, record)) {
      return;
    }
    this.#records.set(key, record);
    this.#options.onChange(key, record);
  }

  #witness(key: SourceKey): void {
    // Re-inserted, so that the oldest goes first.
    this.#witnessed.delete(key);
    this.#witnessed.add(key);
    const [oldest] = this.#witnessed;
    if (this.#witnessed.size > witnessedLimit && oldest !== undefined) {
      this.#witnessed.delete(oldest);
    }
  }
}

/** By all that is known, not by version alone: a restored cluster gives old versions to new states. */
function isSame(left: SourceRecord, right: SourceRecord): boolean {
  return (
    left.uid === right.uid &&
    left.resourceVersion === right.resourceVersion &&
    left.syncContexts === right.syncContexts &&
    left.isCopy === right.isCopy
  );
}
