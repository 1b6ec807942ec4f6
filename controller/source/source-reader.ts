import type { Clock } from '../../shared/clock.ts';
import type { Keys } from '../../shared/keys.ts';
import type { KubeClient, RequestOptions } from '../../shared/kube/client.ts';
import { isApiError } from '../../shared/kube/errors.ts';
import type { KubeObject, PayloadObject } from '../../shared/kube/object.ts';
import { isSpecial } from '../../shared/rules/special-secret.ts';
import { type SyncedKindName, syncedKind } from '../../shared/synced-kind.ts';
import type { SourceContent } from '../copy/build-copy.ts';
import { contentOfSource, contentStamp, sizeOf } from '../copy/content.ts';
import type { RecordedOrigin } from '../copy/copy-record.ts';
import { LiveReads } from './live-reads.ts';
import { type SourceRecord, sourceKey, sourceRecordOf } from './source-record.ts';

/**
 * The payload of a source: `changing` when the live object is no longer what the index says, so that an event about it
 * must be on its way; `special` when its type forbids that it travels.
 */
export type SourceReading =
  | { readonly state: 'read'; readonly source: SourceContent }
  | { readonly state: 'changing' }
  | { readonly state: 'special' };

/** The source cluster did not answer, or refused: no target is to blame. */
export class SourceReadError extends Error {
  override readonly name = 'SourceReadError';
  constructor(cause: unknown) {
    super('the source could not be read', { cause });
  }
}

export interface SourceReaderOptions {
  readonly client: KubeClient;
  /** As IdentityCheck has it. */
  readonly identity: { confirm(flowSchema: string | undefined): Promise<void> };
  readonly keys: Keys;
  readonly stampKey: Buffer;
  /** Called with the version of every source that was read: reads can be ahead of the watch. */
  readonly onVersion: (resourceVersion: string) => void;
  /** Payload kept for targets that still want it, in bytes. */
  readonly cacheBytes: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Milliseconds that a payload is kept: long enough for all targets of one change. A process that was suspended, and has
 * lost its lead meanwhile, must not wake up and write what it remembers.
 */
const maxAgeMs = 5_000;

interface CacheEntry {
  readonly readAt: number;
  readonly resourceVersion: string;
  readonly reading: Promise<SourceReading>;
  bytes: number;
}

interface Fetched {
  readonly reading: SourceReading;
  /** What keeping it costs. */
  readonly bytes: number;
}

/**
 * Reads sources: the payload once for a version, however many targets want it, and the live metadata that a deletion
 * must rest on.
 */
export class SourceReader {
  readonly #options: SourceReaderOptions;
  readonly #cache = new Map<string, CacheEntry>();
  readonly #live: LiveReads;
  #bytes = 0;

  constructor(options: SourceReaderOptions) {
    this.#options = options;
    this.#live = new LiveReads(options.clock);
  }

  /**
   * The payload of the version that the index knows, or a newer one that asks for the same; `fresh`: from the API server,
   * whatever is remembered. Throws SourceReadError.
   */
  read(record: SourceRecord, fresh = false): Promise<SourceReading> {
    const key = sourceKey(record);
    const now = this.#options.clock.monotonic();
    const cached = this.#cache.get(key);
    if (!fresh && cached?.resourceVersion === record.resourceVersion && now - cached.readAt <= maxAgeMs) {
      // Re-inserted, so that the order of the map is the order of use.
      this.#cache.delete(key);
      this.#cache.set(key, cached);
      return cached.reading;
    }
    this.forget(key);
    const fetched = this.#fetch(record);
    const entry: CacheEntry = {
      readAt: now,
      resourceVersion: record.resourceVersion,
      reading: fetched.then(({ reading }) => reading),
      bytes: 0,
    };
    this.#cache.set(key, entry);
    // Never rejects: each caller gets the error.
    void this.#settle(key, entry, fetched);
    return entry.reading;
  }

  /**
   * The source of a copy as it is now on the source cluster, metadata only; undefined when it does not exist there. A read of a
   * moment ago serves as well while no event about the source came. The cluster's identity is confirmed after it. Throws
   * SourceReadError or OtherClusterError.
   */
  readLive(kind: SyncedKindName, origin: RecordedOrigin): Promise<KubeObject | undefined> {
    const { namespace, name } = origin;
    return this.#live.get(sourceKey({ kind, namespace, name }), origin, async () => {
      let flowSchema: string | undefined;
      const object = await this.#get(kind, namespace, name, (seen) => {
        flowSchema = seen;
      });
      await this.#options.identity.confirm(flowSchema);
      return object;
    });
  }

  async #get(
    kind: SyncedKindName,
    namespace: string,
    name: string,
    onFlowSchema: RequestOptions['onFlowSchema'],
  ): Promise<KubeObject | undefined> {
    const { client, signal } = this.#options;
    const { resource } = syncedKind(kind);
    try {
      return await client.get(resource, namespace, name, { shape: 'metadata', signal, onFlowSchema });
    } catch (error) {
      if (isApiError(error, 'NotFound', 'NamespaceNotFound')) {
        return undefined;
      }
      throw new SourceReadError(error);
    }
  }

  /** Drops all cached payloads: versions no longer say what they hold. */
  clear(): void {
    this.#cache.clear();
    this.#bytes = 0;
  }

  /** Takes what the index knows of a source now: live reads of what it was do not count any more. */
  sourceChanged(key: string, record: SourceRecord | undefined): void {
    this.#live.forget(key);
    if (record === undefined) {
      this.forget(key);
    }
  }

  /** Drops the cached payload of a source. */
  forget(key: string): void {
    this.#bytes -= this.#cache.get(key)?.bytes ?? 0;
    this.#cache.delete(key);
  }

  /**
   * Keeps what was read, or drops it where it was nothing. By the entry itself: meanwhile the source can have been
   * forgotten, or asked for at another version.
   */
  async #settle(key: string, entry: CacheEntry, fetched: Promise<Fetched>): Promise<void> {
    const bytes = await fetched.then(
      (result) => (result.reading.state === 'changing' ? undefined : result.bytes),
      () => undefined,
    );
    if (this.#cache.get(key) !== entry) {
      return;
    }
    if (bytes === undefined) {
      this.forget(key);
    } else {
      this.#account(entry, bytes);
    }
  }

  async #fetch(record: SourceRecord): Promise<Fetched> {
    const { client, keys, stampKey, signal } = this.#options;
    const kind = syncedKind(record.kind);
    let object: PayloadObject;
    try {
      object = await client.get<PayloadObject>(kind.resource, record.namespace, record.name, { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound', 'NamespaceNotFound')) {
        return { reading: { state: 'changing' }, bytes: 0 };
      }
      throw new SourceReadError(error);
    }
    this.#options.onVersion(object.metadata.resourceVersion ?? '');
    const live = sourceRecordOf(record.kind, object, keys);
    if (live === undefined || !asksForTheSame(live, record)) {
      return { reading: { state: 'changing' }, bytes: 0 };
    }
    if (isSpecial(record.kind, object.type)) {
      return { reading: { state: 'special' }, bytes: 0 };
    }
    const content = contentOfSource(kind, object, keys);
    const source = {
      namespace: record.namespace,
      name: record.name,
      uid: live.uid,
      resourceVersion: live.resourceVersion,
      content,
      stamp: contentStamp(stampKey, content),
    };
    return { reading: { state: 'read', source }, bytes: sizeOf(object) };
  }

  #account(entry: CacheEntry, bytes: number): void {
    entry.bytes = bytes;
    this.#bytes += bytes;
    for (const [oldest, { bytes: size }] of this.#cache) {
      if (this.#bytes <= this.#options.cacheBytes) {
        return;
      }
      if (size > 0) {
        this.forget(oldest);
      }
    }
  }
}

/** The same object, not one of its name in another cluster or one that was made anew, with the same list. */
function asksForTheSame(live: SourceRecord, known: SourceRecord): boolean {
  return live.uid === known.uid && live.syncContexts === known.syncContexts && live.isCopy === known.isCopy;
}
