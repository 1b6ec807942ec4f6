import type { Clock } from '../../shared/clock.ts';
import type { KubeObject } from '../../shared/kube/object.ts';
import type { RecordedOrigin } from '../copy/copy-record.ts';
import type { SourceKey } from './source-record.ts';

/** Milliseconds for which a live read is shared: long enough for all clusters that a source leaves at the same time. */
const maxAgeMs = 5_000;

interface LiveRead {
  readonly at: number;
  /** What the copy records that it was asked for. */
  readonly origin: RecordedOrigin;
  readonly object: Promise<KubeObject | undefined>;
}

/**
 * Live reads of sources, which deletions rest on. One read serves every cluster that asks within a moment; an event
 * about the source ends that, and so does a copy of a later version, which another process can have made of a source that came
 * back. Bounded by the reads of five seconds.
 */
export class LiveReads {
  readonly #clock: Clock;
  readonly #reads = new Map<SourceKey, LiveRead>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What `read` yielded a moment ago for this source, or yields now. A read that fails is not remembered. */
  get(
    key: SourceKey,
    origin: RecordedOrigin,
    read: () => Promise<KubeObject | undefined>,
  ): Promise<KubeObject | undefined> {
    const now = this.#clock.monotonic();
    for (const [oldest, { at }] of this.#reads) {
      if (now - at <= maxAgeMs) {
        break;
      }
      this.#reads.delete(oldest);
    }
    const known = this.#reads.get(key);
    if (known !== undefined && isOfVersionUpTo(origin, known.origin)) {
      return known.object;
    }
    const entry: LiveRead = { at: now, origin, object: read() };
    // Re-inserted, so that the oldest are first.
    this.#reads.delete(key);
    this.#reads.set(key, entry);
    entry.object.catch(() => {
      if (this.#reads.get(key) === entry) {
        this.#reads.delete(key);
      }
    });
    return entry.object;
  }

  /** The source changed: what was read of it does not count any more. */
  forget(key: SourceKey): void {
    this.#reads.delete(key);
  }
}

function isOfVersionUpTo(origin: RecordedOrigin, last: RecordedOrigin): boolean {
  return origin.uid === last.uid && !(Number(origin.resourceVersion) > Number(last.resourceVersion));
}
