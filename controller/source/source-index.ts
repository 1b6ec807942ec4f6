import type { Keys } from '../../shared/keys.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import type { ObjectEvent } from '../../shared/kube/reflector.ts';
import type { SyncedKindName } from '../../shared/synced-kind.ts';
import { type SourceKey, type SourceRecord, sourceKey, sourceRecordOf } from './source-record.ts';

/** Removals that people made before our eyes are remembered for this many sources. */
const witnessedLimit = 20_000;

export interface SourceIndexOptions {
  readonly keys: Keys;
  /** A source appeared, changed or (undefined) is none any more. */
  readonly onChange: (key: SourceKey, record: SourceRecord | undefined) => void;
  /** The source cluster turned out to have gone back in time: nothing known by version holds. */
  readonly onWentBack: () => void;
}

/**
 * All annotated objects of the source cluster, as far as lists and watches have told.
 */
export class SourceIndex {
  readonly #options: SourceIndexOptions;
  readonly #records = new Map<SourceKey, SourceRecord>();
  readonly #listed = new Set<SyncedKindName>();
  readonly #witnessed = new Set<SourceKey>();
  /** Of each kind: lists of two kinds are begun and ended at their own times, so their versions say nothing of each other. */
  readonly #highestVersions = new Map<SyncedKindName, number>();
  #wentBack = false;

  constructor(options: SourceIndexOptions) {
    this.#options = options;
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

  /** A version of this cluster that is recorded elsewhere, such as in a copy's origin. */
  noteRecordedVersion(resourceVersion: string): void {
    if (this.#listed.size > 0 && Number(resourceVersion) > Math.max(...this.#highestVersions.values())) {
      this.#goBack();
    }
  }

  /** The source cluster has reached this version, as seen in a list, an event or a read. */
  noteVersion(kind: SyncedKindName, resourceVersion: string | undefined): void {
    const highest = this.#highestVersions.get(kind) ?? 0;
    this.#highestVersions.set(kind, Math.max(highest, Number(resourceVersion) || 0));
  }

  project(kind: SyncedKindName, object: KubeObject): SourceRecord | undefined {
    return sourceRecordOf(kind, object, this.#options.keys);
  }

  replace(kind: SyncedKindName, records: readonly SourceRecord[], resourceVersion: string): void {
    this.#listed.add(kind);
    if (Number(resourceVersion) < (this.#highestVersions.get(kind) ?? 0)) {
      this.#goBack();
    }
    this.noteVersion(kind, resourceVersion);
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
    this.noteVersion(kind, resourceVersion);
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

  #put(record: SourceRecord): void {
    const key = sourceKey(record);
    const known = this.#records.get(key);
    if (known !== undefined && isSame(known, record)) {
      return;
    }
    this.#records.set(key, record);
    this.#options.onChange(key, record);
  }

  #goBack(): void {
    if (!this.#wentBack) {
      this.#wentBack = true;
      this.#options.onWentBack();
    }
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
