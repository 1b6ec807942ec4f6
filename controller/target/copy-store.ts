import type { SyncedKindName } from '../../shared/synced-kind.ts';
import type { CopyRecord } from '../copy/copy-record.ts';
import { parseTargetKey, type TargetKey } from '../copy/target-ref.ts';
import { type SourceKey, sourceKey } from '../source/source-record.ts';

/**
 * Records of copies, found by name, by kind and namespace, and by source.
 */
export class CopyStore {
  /** By `Kind/namespace`, so that the list of a namespace costs what that one holds. */
  readonly #places = new Map<string, Map<TargetKey, CopyRecord>>();
  /** Copies in another namespace than their source's, by source. All others have the key of their source. */
  readonly #displaced = new Map<SourceKey, Set<TargetKey>>();
  #size = 0;
  #sealed = 0;

  get size(): number {
    return this.#size;
  }

  /** Records of copies that are certainly ours. */
  get sealed(): number {
    return this.#sealed;
  }

  get(key: TargetKey): CopyRecord | undefined {
    return this.#places.get(placeOf(key))?.get(key);
  }

  /** All records of a kind in a namespace; undefined: in all namespaces. They can be iterated while they change. */
  *entries(kind: SyncedKindName, namespace?: string): Generator<readonly [TargetKey, CopyRecord]> {
    if (namespace !== undefined) {
      yield* this.#places.get(`${kind}/${namespace}`) ?? [];
      return;
    }
    for (const [place, records] of this.#places) {
      if (place.startsWith(`${kind}/`)) {
        yield* records;
      }
    }
  }

  /** The copies whose origin names this source, wherever they are. */
  *ofSource(source: SourceKey): Generator<TargetKey> {
    const inPlace = this.get(source);
    if (inPlace !== undefined && sourceOf(source, inPlace) === source) {
      yield source;
    }
    yield* this.#displaced.get(source) ?? [];
  }

  set(key: TargetKey, record: CopyRecord): void {
    const place = placeOf(key);
    const records = this.#places.get(place) ?? new Map<TargetKey, CopyRecord>();
    this.#forget(key, records.get(key));
    this.#places.set(place, records.set(key, record));
    this.#size += 1;
    this.#sealed += Number(record.sealed);
    const source = sourceOf(key, record);
    if (source !== undefined && source !== key) {
      this.#displaced.set(source, (this.#displaced.get(source) ?? new Set()).add(key));
    }
  }

  delete(key: TargetKey): void {
    const place = placeOf(key);
    const records = this.#places.get(place);
    this.#forget(key, records?.get(key));
    if (records?.delete(key) === true && records.size === 0) {
      this.#places.delete(place);
    }
  }

  #forget(key: TargetKey, record: CopyRecord | undefined): void {
    if (record === undefined) {
      return;
    }
    this.#size -= 1;
    this.#sealed -= Number(record.sealed);
    const source = sourceOf(key, record);
    const displaced = source === undefined ? undefined : this.#displaced.get(source);
    if (source !== undefined && displaced?.delete(key) === true && displaced.size === 0) {
      this.#displaced.delete(source);
    }
  }
}

/** Neither a kind nor a namespace nor a name can hold a slash. */
function placeOf(key: TargetKey): string {
  return key.slice(0, key.lastIndexOf('/'));
}

/** The source that the origin of a copy names; its key has the form of the copy's. */
function sourceOf(key: TargetKey, { origin }: CopyRecord): SourceKey | undefined {
  return origin === undefined ? undefined : sourceKey({ kind: parseTargetKey(key).kind, ...origin });
}
