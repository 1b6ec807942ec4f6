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
  #highestVersion = 0;
  #wentBack = false;

  constructor(options: SourceIndexOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#records.size;
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
    if (this.#listed.size > 0 && Number(resourceVersion) > this.#highestVersion) {
      this.#goBack();
    }
  }

  project(kind: SyncedKindName, object: KubeObject): SourceRecord | undefined {
    return sourceRecordOf(kind, object, this.#options.keys);
  }

  replace(kind: SyncedKindName, records: readonly SourceRecord[], resourceVersion: string): void {
    this.#listed.add(kind);
    if (Number(resourceVersion) < this.#highestVersion) {
      this.#goBack();
    }
    this.#highestVersion = Math.max(this.#highestVersion, Number(resourceVersion) || 0);
    const gone = new Set([...this.#records].filter(([, record]) => record.kind === kind).map(([key]) => key));
    for (const record of records) {
      gone.delete(sourceKey(record));
      this.#put(record);
    }
    for (const key of gone) {
      this.#records.delete(key);
      this.#options.onChange(key, undefined);
    }
  }

  observe(kind: SyncedKindName, { type, object }: ObjectEvent<KubeObject>): void {
    const { namespace, name, resourceVersion } = object.metadata;
    if (namespace === undefined) {
      return;
    }
    this.#highestVersion = Math.max(this.#highestVersion, Number(resourceVersion) || 0);
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
    if (known?.uid === record.uid && known.resourceVersion === record.resourceVersion) {
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
