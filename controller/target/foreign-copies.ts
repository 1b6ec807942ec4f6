import type { Clock } from '../../shared/clock.ts';
import type { ObjectMeta } from '../../shared/kube/object.ts';
import type { Logger } from '../../shared/logger.ts';
import type { SyncedKindName } from '../../shared/synced-kind.ts';
import type { CopyReading } from '../copy/copy-record.ts';
import { otherSourceOf } from '../copy/origin.ts';

/** Source clusters that are counted separately; a user who may write on a target can make up any number. */
const maxUids = 20;
const allOthers = 'others';
/** Milliseconds in which the first lists of all kinds come in, for one log line. */
const gatherMs = 2_000;

export interface ForeignCopiesOptions {
  /** Identity of the target cluster. */
  readonly cluster: string;
  readonly reading: CopyReading;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Counts the copies on one target cluster that carry our cluster's name and another cluster's uid: after the source
 * cluster was rebuilt, these are the copies of the old one. They are left alone until an operator names its uid.
 */
export class ForeignCopies {
  readonly #options: ForeignCopiesOptions;
  /** Of each list, by `Kind/namespace`; `Kind/` is all namespaces. */
  readonly #lists = new Map<string, ReadonlyMap<string, number>>();
  #told = false;

  constructor(options: ForeignCopiesOptions) {
    this.#options = options;
  }

  /** The uid of the other source cluster; undefined for anything else. */
  uidOf(meta: ObjectMeta): string | undefined {
    const { keys, cluster } = this.#options.reading;
    return otherSourceOf(meta, keys, cluster);
  }

  /** Takes what a finished list showed (namespace undefined: of all namespaces), by uid. */
  listed(kind: SyncedKindName, namespace: string | undefined, counts: ReadonlyMap<string, number>): void {
    // All namespaces, or single ones, are in use: one must not be counted beside the other.
    const all = `${kind}/`;
    for (const key of this.#lists.keys()) {
      if (namespace === undefined ? key.startsWith(all) : key === all) {
        this.#lists.delete(key);
      }
    }
    this.#lists.set(`${kind}/${namespace ?? ''}`, counts);
    if (counts.size > 0 && !this.#told) {
      this.#told = true;
      this.#options.clock.schedule(gatherMs, () => {
        this.#tell();
      });
    }
  }

  /** How many there are, by uid of their source cluster. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const list of this.#lists.values()) {
      for (const [uid, count] of list) {
        const known = counts.has(uid) || counts.size < maxUids ? uid : allOthers;
        counts.set(known, (counts.get(known) ?? 0) + count);
      }
    }
    return counts;
  }

  #tell(): void {
    const { logger, cluster } = this.#options;
    logger.warn('copies of another source cluster of this name are left alone', {
      cluster,
      copies: [...this.counts()].map(([uid, count]) => `${count} of ${uid}`),
      hint: 'if it is the old source cluster, restart with --take-over-from-uid=UID to take over those that sources ask for',
    });
  }
}
